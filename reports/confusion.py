"""Which class is taken for which; of grades also how far off.

Legend: K classes; rows of a matrix are the truth, columns the prediction.
"""

import numpy as np
from matplotlib.figure import Figure

from competition.metrics import score
from reports.blocks import Block, Column, Drawing, Facts, Grid, Table
from reports.evidence import MANY, Evidence
from reports.style import INK, colour, draw, shown

PAIRS, PAIRS_OF_MANY = 10, 60
MOST_CELLS = 150  # a side of the picture of a large matrix


def confusion(evidence: Evidence) -> list[Block]:
    """Counts and shares cell by cell; of many classes a picture of the matrix; and the pairs that are confused most."""
    classes, counts = evidence.contest.task.classes, matrix(evidence)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    many = len(classes) > MANY
    if many:
        cells: list[Block] = [_picture(shares)]
    else:
        given = ("truth", "prediction", classes, classes)
        cells = [
            Grid("Counts: how many rows of each class are taken for which", *given, counts, shares),
            Grid("Shares: the same, of the rows of each true class", *given, shares, shares, ".1%", "Each row sums to 100 %."),
        ]
    off = np.where(np.eye(len(classes), dtype=bool), 0, counts)
    pairs = largest(off, PAIRS_OF_MANY if many else PAIRS)
    rows = [[classes[one], classes[other], int(off[one, other]), shares[one, other]] for one, other in pairs]
    columns = [Column("truth"), Column("prediction"), Column("rows", ",d"), Column("of the true class", ".1%")]
    return [*cells, *([Table("The pairs confused most", columns, rows)] if rows else [])]


def largest(values: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Row and column of the largest cells of a matrix, without those of nothing."""
    rows, columns = np.nonzero(values)
    order = np.argsort(-values[rows, columns], kind="stable")[:most]
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def matrix(evidence: Evidence) -> np.ndarray:
    """int64 K x K: rows by truth and likeliest class."""
    true, chosen = evidence.codes
    count = evidence.truth.shape[1]
    return np.bincount(true * count + chosen, minlength=count * count).reshape(count, count)


def _picture(shares: np.ndarray) -> Drawing:
    """Of more classes than there are px, neighbours are drawn as one cell: the mean of their rows, in which columns add up."""
    count = len(shares)
    starts = np.unique(np.linspace(0, count, min(count, MOST_CELLS) + 1).astype(int)[:-1])
    sizes = np.diff([*starts, count])
    cells = np.add.reduceat(np.add.reduceat(shares, starts, axis=0), starts, axis=1) / sizes[:, None]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        drawn = axes.imshow(np.sqrt(cells), cmap="viridis", vmin=0, vmax=1, extent=(0, count, count, 0), interpolation="nearest")
        axes.grid(visible=False)
        axes.set_xlabel("prediction (place of the class)")
        axes.set_ylabel("truth (place of the class)")
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, ticks=np.sqrt([0, 0.05, 0.2, 0.5, 1]).tolist())
        bar.ax.set_yticklabels(["0", "5 %", "20 %", "50 %", "100 %"])
        bar.set_label("share of the true class")

    told = (
        f"Confusion matrix of {count:,} classes, rows are the truth, columns the prediction; {np.trace(shares) / count:.1%} on its diagonal"
    )
    return draw(
        "confusion", f"Shares of each true class, {count:,} classes: rows are the truth, columns the prediction", told, plot, (5.4, 4.4)
    )


def distances(evidence: Evidence) -> list[Block]:
    """How many grades a prediction is off, below and above."""
    task = evidence.contest.task
    true, chosen = evidence.codes
    off = chosen - true
    steps = np.arange(off.min(), off.max() + 1)
    counts = np.array([(off == step).sum() for step in steps])
    facts = [
        ("quadratic weighted kappa", f"{score('qwk', evidence.truth, evidence.probs, task):.4f}"),
        ("right", f"{(off == 0).mean():.1%}"),
        ("at most one grade off", f"{(np.abs(off) <= 1).mean():.1%}"),
        ("mean distance", f"{np.abs(off).mean():.3f} grades"),
    ]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        bars = axes.bar(steps, counts, color=[colour(0) if not step else colour(1) for step in steps], edgecolor=INK, linewidth=0.3)
        axes.bar_label(bars, labels=[f"{count:,}" for count in counts], fontsize=8)
        axes.set_xticks(steps, [f"{step:+d}" if step else "right" for step in steps])
        axes.set_xlabel(f"grades off, from {shown(task.classes[0])} to {shown(task.classes[-1])}")
        axes.set_ylabel("rows")

    told = ", ".join(f"{step:+d}: {count:,} rows" for step, count in zip(steps, counts, strict=True))
    return [Facts(facts, large=True), draw("distances", "Distance of a prediction from the truth, in grades", told, plot)]
