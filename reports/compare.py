"""The page that compares runs of one competition: scores, paired differences, curves on top of each other, and which settings differ."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from competition.contest import Competition
from competition.metrics import METRICS
from folds.errors import FoldError
from folds.run import Run
from folds.scores import compare_runs
from reports.alike import alike
from reports.blocks import Block, Column, Drawing, Lines, Section, Table
from reports.errors import ReportError
from reports.evidence import Evidence, evidence_of
from reports.leaderboard import weights_mb
from reports.overlaid import curves
from reports.page import anchored, write_page
from reports.style import colour, dash, draw, in_whole_numbers, shown

MOST_PAIRED = 5  # runs that are compared each with each; of more, each with the best
MOST_CLASSES = 400


def write_comparison(runs: Sequence[Run], contest: Competition, output: Path | None = None) -> Path:
    """Where the page was written: `output`, or compare.html beside the first run.

    Raises: ReportError where runs are about different competitions, or one has no finished fold.
    """
    strangers = [run for run in runs if run.config.competition.slug != runs[0].config.competition.slug]
    if strangers:
        raise ReportError(f"{runs[0].directory} and {strangers[0].directory} are about different competitions and cannot be compared")
    if len({run.directory.resolve() for run in runs}) < len(runs):
        raise ReportError("a run is named twice; name different ones, or one alone for its own page")
    names = named_apart(runs)
    sign = -1 if METRICS[contest.metric].greater_is_better else 1
    found = sorted(
        ((name, evidence_of(run, contest)) for name, run in zip(names, runs, strict=True)), key=lambda one: sign * one[1].scores.pooled
    )
    evidences = dict(found)
    drawn = {title: blocks(evidences) for title, blocks in PARTS.items()}
    sections = [Section(anchored(title), title, blocks) for title, blocks in drawn.items() if blocks]
    path = output or runs[0].directory.parent / "compare.html"
    write_page(path, f"{contest.name}: {len(runs)} runs", f"{contest.metric}, out of fold: the best is {found[0][0]}", sections)
    return path


def named_apart(runs: Sequence[Run]) -> list[str]:
    """What the runs are called on the page: by their directory's name, or by its path where two have the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.directory) for run in runs]


def _scores(evidences: dict[str, Evidence]) -> list[Block]:
    rows = []
    for name, evidence in evidences.items():
        found, run = evidence.scores, evidence.run
        done, seconds = f"{len(evidence.done)} of {run.config.folds.count}", sum(fold["seconds"] for fold in evidence.done.values())
        rows.append([name, found.pooled, found.low, found.high, found.mean, found.std, done, seconds, weights_mb(run.directory)])
    metric = next(iter(evidences.values())).scores.metric
    columns = [Column("run"), *(Column(title, ".5f") for title in (metric, "low", "high", "mean", "std")), Column("folds")]
    columns += [Column("seconds", ",.1f"), Column("weights, MB", ",.1f")]
    return [
        Table("Out of fold, the best first", columns, rows, "low to high: the 95 % interval of the pooled score."),
        _folds(evidences, metric),
    ]


def _folds(evidences: dict[str, Evidence], metric: str) -> Drawing:
    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, evidence) in enumerate(evidences.items()):
            per_fold = evidence.scores.per_fold
            axes.plot(
                list(per_fold),
                list(per_fold.values()),
                f"o{dash(place)}",
                color=colour(place),
                label=shown(name),
                markersize=5,
                linewidth=1,
            )
        in_whole_numbers(axes)
        axes.set_xlabel("fold")
        axes.set_ylabel(metric)
        axes.legend(loc="best")

    return draw("folds", "Fold by fold", f"{metric} of each fold of {', '.join(evidences)}", plot)


def _differences(evidences: dict[str, Evidence]) -> list[Block]:
    names = list(evidences)
    pairs = list(combinations(names, 2)) if len(names) <= MOST_PAIRED else [(names[0], other) for other in names[1:]]
    rows, apart = [], []
    for one, other in pairs:
        try:
            gain, count = compare_runs(evidences[one].run, evidences[other].run, evidences[one].contest)
        except FoldError as error:
            apart.append(str(error))
            continue
        verdict = f"{one} is better" if gain.low > 0 else f"{other} is better" if gain.high < 0 else "cannot be told apart"
        rows.append([one, other, gain.value, gain.low, gain.high, count, verdict])
    columns = [
        Column("run"),
        Column("against"),
        *(Column(name, "+.5f") for name in ("better by", "low", "high")),
        Column("rows", ",d"),
        Column("so"),
    ]
    note = "On the rows that both held out, paired; above 0 the first is better, whichever way the metric goes. low to high: 95 % interval."
    return [*([Table("Paired differences", columns, rows, note)] if rows else []), *([Lines(apart)] if apart else [])]


def _settings(evidences: dict[str, Evidence]) -> list[Block]:
    """Of all settings those that differ."""
    trees = {name: _flat(evidence.run.config.model_dump(mode="json", exclude={"machine"})) for name, evidence in evidences.items()}
    keys = list(dict.fromkeys(key for tree in trees.values() for key in tree))
    differing = [key for key in keys if len({tree.get(key) for tree in trees.values()}) > 1]
    if not differing:
        return [Lines(["No setting differs."])]
    rows = [[key, *(tree.get(key, "") for tree in trees.values())] for key in differing]
    return [Table("Settings that differ", [Column("setting"), *(Column(name) for name in trees)], rows)]


def _flat(tree: dict[str, object], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": str(value)}
    return found


def _classes(evidences: dict[str, Evidence]) -> list[Block]:
    """The share of each class that is found, run by run; the classes in which runs differ most first."""
    first = next(iter(evidences.values()))
    if first.contest.task.kind == "regression" or len(first.contest.task.classes) < 2:
        return []
    rows = []
    for name in first.contest.task.classes:
        found = [evidence.scores.per_class[name].found for evidence in evidences.values()]
        rows.append([name, *found, max(found) - min(found)])
    rows.sort(key=lambda row: -np.nan_to_num(row[-1], nan=-1.0))
    columns = [Column("class"), *(Column(name, ".4f") for name in evidences), Column("apart", ".4f")]
    return [
        Table("Share of each class that is found", columns, rows[:MOST_CLASSES], "The classes in which the runs differ most come first.")
    ]


def _alike(evidences: dict[str, Evidence]) -> list[Block]:
    return alike({name: evidence.run.oof(evidence.contest.task) for name, evidence in evidences.items()})


PARTS = {
    "Scores": _scores,
    "Differences": _differences,
    "Settings": _settings,
    "Curves": curves,
    "Class by class": _classes,
    "How alike they are": _alike,
}
