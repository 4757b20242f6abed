"""Curves of several runs on top of each other."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from competition.metrics import THRESHOLD
from reports.blocks import Block, Drawing
from reports.evidence import Evidence
from reports.style import colour, dash, draw, in_whole_numbers, shown


def curves(evidences: Mapping[str, Evidence]) -> list[Block]:
    """The mean over folds of the losses and the metric, and what suits the task: ROC curves, or how large errors are."""
    metric, task = next(iter(evidences.values())).scores.metric, next(iter(evidences.values())).contest.task
    found: list[Block] = []
    for anchor, column, what in (
        ("held-out-loss", "held_out_loss", "held-out loss"),
        ("training-loss", "train_loss", "training loss"),
        ("metric", metric, metric),
    ):
        if having := {name: evidence for name, evidence in evidences.items() if _has(evidence, column)}:
            found.append(_overlaid(anchor, column, what, having))
    if task.kind == "binary":
        found.append(_roc(evidences))
    if task.kind == "regression":
        found.append(_errors(evidences))
    return found


def _has(evidence: Evidence, column: str) -> bool:
    """Whether the run has it by epoch: runs of other metrics have theirs."""
    return bool(evidence.histories) and all(column in rows for rows in evidence.histories.values())


def _overlaid(anchor: str, column: str, what: str, evidences: Mapping[str, Evidence]) -> Drawing:
    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, evidence) in enumerate(evidences.items()):
            by_epoch = [rows.set_index("epoch")[column].dropna() for rows in evidence.histories.values()]
            epochs = np.unique(np.concatenate([rows.index.to_numpy() for rows in by_epoch]))
            means = [np.mean([rows.loc[epoch] for rows in by_epoch if epoch in rows.index]) for epoch in epochs]
            axes.plot(epochs, means, f"o{dash(place)}", color=colour(place), label=shown(name), markersize=3)
        in_whole_numbers(axes)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.legend(loc="best")

    return draw(anchor, f"Mean over folds of the {what}", f"{what} by epoch of {', '.join(evidences)}", plot)


def _roc(evidences: Mapping[str, Evidence]) -> Drawing:
    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, evidence) in enumerate(evidences.items()):
            missed, found, _ = roc_curve(evidence.truth[:, 1] > THRESHOLD, evidence.probs[:, 1])
            _line(axes, missed, found, name, place)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.legend(loc="lower right")

    return draw("roc", "ROC curves of all finished folds", f"ROC curves of {', '.join(evidences)}", plot)


def _errors(evidences: Mapping[str, Evidence]) -> Drawing:
    levels = np.linspace(0, 1, 101)

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, evidence) in enumerate(evidences.items()):
            _line(axes, np.quantile(np.abs(evidence.truth - evidence.probs), levels), levels, name, place)
        axes.set_xlabel("absolute error is at most")
        axes.set_ylabel("share of rows")
        axes.legend(loc="lower right")

    return draw("errors", "How large errors are", f"Shares of rows by absolute error of {', '.join(evidences)}", plot)


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, name: str, place: int) -> None:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), 300)).astype(int))
    axes.plot(x[kept], y[kept], dash(place), color=colour(place), label=shown(name))
