"""What a CSV was made of, read back from the JSON beside it: its competition, its runs, and how they predicted out of fold."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from competition.atomic import write_json
from competition.config import CompetitionConfig
from competition.console import hushed
from competition.contest import Competition
from competition.settings import competition_config
from folds.run import Run, read_run
from submissions.assemble import out_of_fold, settle_blend
from submissions.write import facts_path, sha256_of


def facts_of(file: Path) -> dict[str, Any]:
    """What stands beside the CSV; empty where nothing does (it was made by other means), or what does is about another file."""
    facts = _beside(file)
    return facts if facts and file.is_file() and facts["sha256"] == sha256_of(file) else {}


def note_beside(file: Path, identifier: str, **facts: Any) -> None:
    """Adds to what stands beside the CSV, where it is about the file of this id: another may have been written there since."""
    before = _beside(file)
    if before and before["sha256"].startswith(identifier.partition(".")[0] or "none"):
        write_json(facts_path(file), {**before, **facts})


def _beside(file: Path) -> dict[str, Any]:
    try:
        facts = json.loads(facts_path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and "runs" in facts and isinstance(facts.get("sha256"), str) else {}


def runs_of(file: Path, facts: dict[str, Any], runs: Path) -> list[Run]:
    """The runs that predicted, of those that are still there: beside the submissions, or in `runs`."""
    homes = (file.resolve().parent.parent, runs / Path(str(facts.get("competition", ""))).name)
    names = [Path(str(name)).name for name in facts.get("runs", [])]  # a JSON of somebody else's leads nowhere else
    places = [next((home / name for home in homes if name and (home / name / "config.toml").is_file()), None) for name in names]
    return [read_run(place) for place in places if place is not None]


def question_of(competition: str, made_by: list[Run]) -> CompetitionConfig:
    """What is asked: by name, directory or zip; else by the run that predicted; else by competition.toml."""
    return made_by[0].config.competition if made_by and not competition else competition_config(competition)


def oof_of(facts: dict[str, Any], made_by: list[Run], contest: Competition) -> pd.DataFrame | None:
    """How the runs predicted out of fold, blended and decided as the submission was; None where a run is gone."""
    if not made_by or len(made_by) != len(facts["runs"]):
        return None
    with hushed():
        return out_of_fold(settle_blend(made_by, contest, facts["blend"]), contest)[1]
