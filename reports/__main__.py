"""The front door of this room.

python -m reports                            the page of the run that finished a fold last
python -m reports RUN                        RUN/report.html: what was asked and done, scores, curves, confusion, images
python -m reports RUN RUN                    runs/COMPETITION/compare.html: what differs, and by how much
python -m reports leaderboard [COMPETITION]  runs/COMPETITION/leaderboard.html: all runs of a competition
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from competition.config import MachineConfig
from competition.console import guarded, say

# matplotlib and what else takes long to import is imported when it is needed


def report(
    run: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    output: Path | None = None,
    runs: Path = Path("runs"),
    cache: Path = Path("cache"),
) -> int:
    """Writes the page of a run, or of several one that compares them. `leaderboard [COMPETITION]` instead: one of all runs.

    Args:
        run: a run's directory, or several; none: the run of the competition that finished a fold last.
        output: the page; none: report.html of the run, or compare.html beside the first.
        runs: where the runs stand.
        cache: where decoded pixels are kept.
    """
    from competition.load import load
    from competition.settings import competition_config
    from folds.run import newest_run, read_run

    named = [read_run(path) for path in run]
    contest = load(named[0].config.competition if named else competition_config())
    found = named or newest_run(runs, contest.name)
    here = MachineConfig(runs=runs, cache=cache)  # a run does not say where it stands
    found = [replace(one, config=one.config.model_copy(update={"machine": here})) for one in found]
    if len(found) > 1:
        from reports.compare import write_comparison

        say(f"{write_comparison(found, contest, output)}: {len(found)} runs compared")
        return 0
    from reports.exhibits import FILE
    from reports.report import write_report

    if any((fold / "model.safetensors").is_file() and not (fold / FILE).is_file() for fold in found[0].members("folds")):
        command = [sys.executable, "-m", "models", "exhibits", str(found[0].directory), "--machine.cache", str(cache)]
        subprocess.run(command, check=False)  # in a process of its own: torch computes them
    say(f"{write_report(found[0], contest, output)}: the run in pictures")
    return 0


def leaderboard(competition: Annotated[str, tyro.conf.Positional] = "", output: Path | None = None, runs: Path = Path("runs")) -> int:
    """Writes the page of all runs of a competition.

    Args:
        competition: its name in the ledger; empty: the one that was trained last.
        output: the page; none: RUNS/COMPETITION/leaderboard.html.
        runs: where the runs stand.
    """
    from reports.leaderboard import write_leaderboard

    say(f"{write_leaderboard(competition, runs, output)}: all runs")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)

    def answer() -> int:
        if words[:1] == ["leaderboard"]:
            return tyro.cli(leaderboard, prog="python -m reports leaderboard", args=words[1:])
        return tyro.cli(report, prog="python -m reports", args=words)

    return guarded(answer)


if __name__ == "__main__":
    sys.exit(main())
