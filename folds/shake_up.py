"""How far the public score may lie from the CV, and the private from the public, by chance alone.

The out-of-fold rows stand for the test: as many as it has are drawn, with replacement (whole groups where folds kept any together), and
parted into a public and a private part, again and again. What else moves a leaderboard (other data in the test, more folds, views)
comes on top.

Legend: N out-of-fold rows, K columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from competition.metrics import score
from competition.task import Task

DRAWS = 1000
MOST_CELLS = 200_000_000  # of all draws together; for larger tests there are fewer draws, 200 at the least


@dataclass(frozen=True)
class ShakeUp:
    """Scores of `draws` tests of rows like those held out. public, private: one a draw; cv: of all rows as they are."""

    cv: float
    public: np.ndarray
    private: np.ndarray

    def spread(self, which: np.ndarray) -> tuple[float, float]:
        """Where 95 of 100 lie; nan where none is defined."""
        defined = which[np.isfinite(which)]
        return (float("nan"), float("nan")) if not len(defined) else tuple(np.quantile(defined, (0.025, 0.975)).tolist())


def shake_up(
    metric: str, truth: np.ndarray, probs: np.ndarray, task: Task, test_rows: int, share: float, groups: np.ndarray | None = None
) -> ShakeUp:
    """test_rows: of the test; share: of them that the public score sees. groups: N, alike for rows that belong together."""
    public_rows = min(max(1, round(share * test_rows)), test_rows - 1)
    draws = int(np.clip(MOST_CELLS // max(1, test_rows * truth.shape[1]), 200, DRAWS))
    generator = np.random.default_rng(0)
    drawn = _drawing(len(truth), test_rows, groups, generator)
    scores = np.empty((draws, 2))
    for draw in range(draws):
        rows = drawn()
        for part, these in enumerate((rows[:public_rows], rows[public_rows:])):
            scores[draw, part] = score(metric, truth[these], probs[these], task)
    return ShakeUp(score(metric, truth, probs, task), scores[:, 0], scores[:, 1])


def _drawing(count: int, test_rows: int, groups: np.ndarray | None, generator: np.random.Generator) -> Callable[[], np.ndarray]:
    """A function that draws the rows of one test. Groups come whole, so that all but the one at the border are public or private."""
    if groups is None:
        return lambda: generator.integers(0, count, test_rows)
    codes = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    enough = int(np.ceil(test_rows / count * len(members))) + len(members)

    def draw() -> np.ndarray:
        picked = np.concatenate([members[unit] for unit in generator.integers(0, len(members), enough)])
        return np.resize(picked, test_rows)

    return draw
