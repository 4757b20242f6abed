"""Gradient descent on a function of two variables, to see what the learning rate does: too slow, right, or away from the minimum.

The function is a bowl, x² + 2.6 y². Its steps have a closed form: a step of rate r multiplies x by 1 - 2 r, and y by 1 - 5.2 r.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from competition.figures import GREY, PALETTE
from models.errors import ModelError

BOWL = "x² + 2.6 y²"
CURVATURES = np.array([1.0, 2.6])  # of x² and of y²
DIVERGED = 1e9  # times the value at the start: the descent is given up
CONVERGED = 1e-6  # times the value at the start
MARKS = "osD^vP"


@dataclass(frozen=True)
class Descent:
    """A path of one learning rate. points: float64 (steps + 1) x 2, the start first; values: of the function there."""

    rate: float
    points: np.ndarray
    values: np.ndarray

    @property
    def fate(self) -> str:
        """diverged, converged, or still on its way."""
        if not self.values[-1] < DIVERGED * self.values[0]:
            return "diverged"
        if self.values[-1] > self.values[0]:
            return "rises"
        return "converged" if self.values[-1] <= CONVERGED * self.values[0] else "on its way"


def bowl(points: np.ndarray) -> np.ndarray:
    """The values at float64 ... x 2 points."""
    return (CURVATURES * points**2).sum(axis=-1)


def slope(points: np.ndarray) -> np.ndarray:
    """The gradients there."""
    return 2 * CURVATURES * points


def descend(rate: float, start: Sequence[float], steps: int) -> Descent:
    """The path from the start, of so many steps against the gradient; it ends where its value has grown out of all proportion.

    Raises: ModelError for a start at the minimum, or numbers that lead nowhere.
    """
    if not (np.isfinite([rate, *start]).all() and rate > 0 and steps > 0):
        raise ModelError(
            f"a descent needs a rate above 0, a finite start and a step at least, not rate {rate:g}, start {tuple(start)}, {steps} steps"
        )
    points = [np.array(start, dtype=np.float64)]
    first = float(bowl(points[0]))
    if first == 0:
        raise ModelError(f"--start {' '.join(f'{part:g}' for part in start)} is the minimum itself: nothing moves from there")
    with np.errstate(over="ignore"):  # what is beyond all numbers has diverged
        while len(points) <= steps and bowl(points[-1]) < DIVERGED * first:
            points.append(points[-1] - rate * slope(points[-1]))
        path = np.array(points)
        return Descent(rate, path, bowl(path))


def drawn(descents: Sequence[Descent]) -> Figure:
    """The paths over the contours of the bowl, and the value after each step."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    above, beside = figure.subplots(1, 2)
    start = descents[0].points[0]
    reach = 1.25 * max(np.abs(start).max(), *(_reach(one, 3 * np.abs(start).max()) for one in descents))
    grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, 201)] * 2), axis=-1)
    heights = bowl(grid)
    contours = above.contour(
        grid[..., 0], grid[..., 1], heights, levels=heights.max() * np.linspace(0.02, 1, 14) ** 2, colors=GREY, linewidths=0.8
    )
    above.clabel(contours, contours.levels[1::3], fontsize=7, fmt="%.2g")
    for place, one in enumerate(descents):
        style: dict[str, Any] = {"color": PALETTE[place % len(PALETTE)], "marker": MARKS[place % len(MARKS)], "markersize": 4}
        label = f"rate {one.rate:g}: {one.fate}, {one.values[-1]:.2g} after {len(one.values) - 1} steps"
        above.plot(*one.points.T, label=label, linewidth=1.2, **style)
        beside.semilogy(one.values, linewidth=1.2, **style)
    above.plot(0, 0, marker="*", color="black", markersize=11, linestyle="none", label="minimum")
    above.set(
        xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x", ylabel="y", title=f"paths over the contours of {BOWL}", aspect="equal"
    )
    beside.set(xlabel="step", ylabel="value", title="value after each step")
    beside.grid(alpha=0.3)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _reach(one: Descent, most: float) -> float:
    """How far the path gets from the middle, as far as that can be shown."""
    far = np.abs(one.points).max(axis=1)
    return float(far[far <= most].max())
