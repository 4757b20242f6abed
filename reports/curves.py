"""ROC, precision-recall and calibration curves. Of many classes, those least well told from the rest are drawn.

Legend: N rows, K columns of a table.
"""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from competition.metrics import THRESHOLD
from reports.blocks import Block
from reports.evidence import Evidence
from reports.style import HEIGHT, INK, WIDTH, colour, dash, draw, shown

MOST_CURVES = 6
POINTS = 200  # of a curve; more are not to be seen
BINS = 10


def told_apart(evidence: Evidence) -> list[Block]:
    """The ROC and the precision-recall curve: of the positive class fold by fold, or of classes against the rest."""
    if not (lines := _lines(evidence)):
        return []
    what = "the positive class" if evidence.contest.task.kind == "binary" else "classes against the rest"
    few = "" if len(evidence.contest.task.classes) <= MOST_CURVES else f", the {len(lines)} least well told from the rest"

    def roc(axes: Axes) -> None:
        for place, (name, true, its) in enumerate(lines):
            missed, found, _ = roc_curve(true, its)
            _curve(axes, missed, found, name, place)
        axes.plot([0, 1], [0, 1], ":", color=INK, linewidth=1, label="chance")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")

    def precision(axes: Axes) -> None:
        for place, (name, true, its) in enumerate(lines):
            precise, found, _ = precision_recall_curve(true, its)
            _curve(axes, found[::-1], precise[::-1], name, place)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_ylim(0, 1.02)

    areas = "; ".join(f"{name}: average precision {average_precision_score(true, its):.3f}" for name, true, its in lines)
    return [
        draw("roc", f"ROC curves of {what}{few}", f"ROC curves of {', '.join(name for name, *_ in lines)}", _on_axes(roc)),
        draw("precision-recall", f"Precision-recall curves of {what}{few}", areas, _on_axes(precision)),
    ]


def calibration(evidence: Evidence) -> list[Block]:
    """How often it holds what is said to hold with such a probability; and how often such a probability is said."""
    task = evidence.contest.task
    if task.kind == "binary":
        what, said, true = "probability of the positive class", evidence.probs[:, 1], evidence.truth[:, 1] > THRESHOLD
    elif task.one_of_many:
        what, said = "probability of the likeliest class", evidence.probs.max(axis=1)
        true = evidence.codes[0] == evidence.codes[1]
    else:
        what, said, true = "probability of a label", evidence.probs.ravel(), evidence.truth.ravel() > THRESHOLD
    edges = np.linspace(0, 1, BINS + 1)
    said = np.clip(said.astype(np.float64), 0, 1)
    held, mean = calibration_curve(true, said, n_bins=BINS)
    rows_of = np.histogram(said, edges)[0]
    off = float(np.abs(held - mean) @ rows_of[rows_of > 0] / len(said)) if (rows_of > 0).sum() == len(held) else float("nan")

    def plot(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], ":", color=INK, linewidth=1, label="as said")
        upper.plot(mean, held, "o-", color=colour(0), label="out of fold")
        upper.set_ylabel("share that holds")
        upper.legend(loc="upper left")
        lower.hist(said, bins=edges.tolist(), color=colour(0), alpha=0.7)
        lower.set_ylabel("cells" if task.kind == "multilabel" else "rows")
        lower.set_xlabel(what)

    told = "; ".join(f"said {one:.2f}, holds {other:.2f}" for one, other in zip(mean, held, strict=True))
    error = f" (expected calibration error {off:.4f})" if np.isfinite(off) else ""
    return [draw("calibration", f"Calibration: {what}, against how often it holds{error}", told, plot, (WIDTH, HEIGHT + 0.6))]


def _lines(evidence: Evidence) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, truth and probability of each curve; those without rows of both kinds are left out."""
    task, truth, probs = evidence.contest.task, evidence.truth > THRESHOLD, evidence.probs
    if task.kind == "binary":
        named = [("all folds", slice(None)), *((f"fold {fold}", evidence.folds == fold) for fold in list(evidence.done)[: MOST_CURVES - 1])]
        lines = [(name, truth[rows, 1], probs[rows, 1]) for name, rows in (named if len(evidence.done) > 1 else named[:1])]
    else:
        area_of = {name: one.roc_auc for name, one in evidence.scores.per_class.items() if np.isfinite(one.roc_auc)}
        least = sorted(area_of, key=lambda name: area_of[name])[:MOST_CURVES]
        places = sorted(task.classes.index(name) for name in least)
        lines = [
            (f"{shown(task.classes[place])} ({area_of[task.classes[place]]:.3f})", truth[:, place], probs[:, place]) for place in places
        ]
    return [(name, true, its) for name, true, its in lines if true.any() and not true.all()]


def _curve(axes: Axes, x: np.ndarray, y: np.ndarray, name: str, place: int) -> None:
    """A curve of so few points as are to be seen: those nearest to evenly spread places along x and y."""
    if len(x) > POINTS:
        along = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
        kept = np.unique(np.append(np.searchsorted(along, np.linspace(0, along[-1], POINTS)), len(x) - 1))
        x, y = x[kept], y[kept]
    axes.plot(x, y, dash(place), color=colour(place), label=name, linewidth=2 if not place else 1.3)


def _on_axes(plot: Callable[[Axes], None]) -> Callable[[Figure], None]:
    def whole(figure: Figure) -> None:
        axes = figure.add_subplot()
        plot(axes)
        axes.legend(loc="best")

    return whole
