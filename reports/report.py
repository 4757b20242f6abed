"""The page of one run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from competition.console import say
from competition.contest import Competition
from competition.errors import InputError
from folds.run import Run

if TYPE_CHECKING:
    from reports.blocks import Section
    from reports.evidence import Evidence

# scikit-learn and matplotlib take seconds to import: only once there is something to draw


def report_or_reason(run: Run, contest: Competition) -> dict[str, Callable[[], bytes]]:
    """Writes RUN/report.html and says where it is, or why there is none: the run is done all the same. Its drawings by name, as PNGs."""
    from reports.board import pngs_of

    try:
        path, sections = _written(run, contest)
    except (InputError, OSError) as error:
        say(f"{run.directory}: no report.html: {error}")
        return {}
    say(f"{path}: the run in pictures")
    return pngs_of(sections)


def write_report(run: Run, contest: Competition, output: Path | None = None) -> Path:
    """Where the page was written: `output`, or report.html of the run.

    Raises: ReportError where no fold is finished, or what lies in the directory cannot be read.
    """
    return _written(run, contest, output)[0]


def _written(run: Run, contest: Competition, output: Path | None = None) -> "tuple[Path, list[Section]]":
    from reports.evidence import evidence_of
    from reports.page import write_page

    evidence = evidence_of(run, contest)
    path, sections = output or run.directory / "report.html", sections_of(evidence)
    write_page(path, f"{contest.name}: {run.name}", _lead(evidence), sections)
    return path, sections


def sections_of(evidence: "Evidence") -> "list[Section]":
    """All figures that are for the task, without those that have nothing to show."""
    from reports.blocks import Section
    from reports.figures import FIGURES
    from reports.page import anchored

    drawn = [(title, draw(evidence)) for title, (kinds, draw) in FIGURES.items() if evidence.kinds & set(kinds)]
    return [Section(anchored(title), title, blocks) for title, blocks in drawn if blocks]


def _lead(evidence: "Evidence") -> str:
    found, run = evidence.scores, evidence.run
    part = "" if len(evidence.done) == run.config.folds.count else f", {len(evidence.done)} of {run.config.folds.count} folds"
    return f"{found.metric} {found.pooled:.5f} out of fold{part}, {run.config.model.backbone}"
