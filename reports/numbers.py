"""Of numbers: prediction against truth, residuals, and how large errors are."""

import numpy as np
from matplotlib.figure import Figure

from competition.metrics import score
from competition.task import Task
from reports.blocks import Block, Column, Drawing, Table
from reports.evidence import Evidence
from reports.style import INK, MOST_POINTS, colour, draw, shown

MOST_TARGETS = 4  # that are drawn; the tables have all
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


def errors(evidence: Evidence) -> list[Block]:
    """The scores and error quantiles of each target, and drawings of the first few."""
    names, truth, found = evidence.contest.task.classes, evidence.truth.astype(np.float64), evidence.probs.astype(np.float64)
    rows, quantiles = [], []
    for place, name in enumerate(names):
        true, its = truth[:, [place]], found[:, [place]]
        alone = Task("regression", (name,))
        rows.append([name, *(score(metric, true, its, alone) for metric in ("rmse", "mae", "r2")), float((its - true).mean())])
        quantiles.append([name, *np.quantile(np.abs(its - true), QUANTILES)])
    columns = [Column("target"), *(Column(name, ".5g") for name in ("RMSE", "MAE", "R²", "mean residual"))]
    words = [Column("most" if level == 1 else f"{level:.0%} of rows", ".5g") for level in QUANTILES]
    drawings = [one for place in range(min(len(names), MOST_TARGETS)) for one in _drawings(evidence, place)]
    return [
        Table("Each target", columns, rows, "A residual is prediction minus truth."),
        Table("Errors are at most", [Column("target"), *words], quantiles, "Quantiles of the absolute error."),
        *drawings,
    ]


def _drawings(evidence: Evidence, place: int) -> list[Drawing]:
    name, true, its = evidence.contest.task.classes[place], evidence.truth[:, place], evidence.probs[:, place]
    residuals = its - true
    low, high = float(min(true.min(), its.min())), float(max(true.max(), its.max()))
    many = len(true) > MOST_POINTS
    points = {"s": 6 if many else 12, "alpha": 0.25 if many else 0.5, "color": colour(0), "linewidths": 0, "rasterized": many}

    def against(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.scatter(true, its, **points)
        axes.plot([low, high], [low, high], ":", color=INK, linewidth=1)
        axes.set_xlabel(f"truth: {shown(name)}")
        axes.set_ylabel("prediction")

    def spread(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.hist(residuals, bins=40, color=colour(0), edgecolor=INK, linewidth=0.2)
        axes.axvline(0, color=INK, linewidth=1, linestyle=":")
        axes.set_xlabel(f"residual of {shown(name)}")
        axes.set_ylabel("rows")

    def along(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.scatter(true, residuals, **points)
        axes.axhline(0, color=INK, linewidth=1, linestyle=":")
        axes.set_xlabel(f"truth: {shown(name)}")
        axes.set_ylabel("residual")

    told = f"mean {residuals.mean():.4g}, standard deviation {residuals.std():.4g}"
    correlation = float(np.corrcoef(true, its)[0, 1]) if true.std() and its.std() else float("nan")
    return [
        draw(
            f"truth-{place}", f"{name}: prediction against truth", f"Scatter of {len(true):,} rows, correlation {correlation:.3f}", against
        ),
        draw(f"residuals-{place}", f"{name}: residuals", f"Histogram of the residuals: {told}", spread),
        draw(f"along-{place}", f"{name}: residuals along the truth", f"Residuals against truth: {told}", along),
    ]
