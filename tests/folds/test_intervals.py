import numpy as np
import pytest

from competition.metrics import METRICS, score
from competition.task import KINDS, Kind, Task
from folds.intervals import MOST_ROWS, gain_interval, score_interval
from tests.builders import CLASSES, make_probs, make_truth
from tests.builders import METRICS as USUAL

TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}
COIN = Task("binary", ("0", "1"))


def guesses(rows: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions of which such a share is right."""
    generator = np.random.default_rng(seed)
    truth = np.eye(2, dtype=np.float32)[generator.integers(0, 2, rows)]
    hit = generator.random(rows) < right
    return truth, np.where(hit[:, None], truth, 1 - truth)


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_is_the_score_and_lies_within(kind: Kind) -> None:
    generator = np.random.default_rng(0)
    truth, probs = make_truth(TASKS[kind], 80, generator), make_probs(TASKS[kind], 80, generator)
    found = score_interval(USUAL[kind], truth, probs, TASKS[kind])
    assert found.value == score(USUAL[kind], truth, probs, TASKS[kind])
    assert found.low < found.value < found.high
    assert found == score_interval(USUAL[kind], truth, probs, TASKS[kind])


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    """Of 120 sets of 150 rows of which 80 % are right in the long run, about 114 intervals hold 0.8."""
    covered = 0
    for seed in range(120):
        found = score_interval("accuracy", *guesses(150, 0.8, seed), COIN)
        covered += found.low <= 0.8 <= found.high
    assert 105 <= covered <= 120


def test_five_copies_of_each_row_say_no_more_than_one() -> None:
    truth, probs = guesses(200, 0.7, 0)
    one = score_interval("accuracy", truth, probs, COIN)
    truth, probs = (np.repeat(values, 5, axis=0) for values in (truth, probs))
    naive = score_interval("accuracy", truth, probs, COIN)
    grouped = score_interval("accuracy", truth, probs, COIN, np.repeat([f"p{place}" for place in range(200)], 5))
    assert naive.high - naive.low < 0.55 * (one.high - one.low)
    assert grouped.high - grouped.low == pytest.approx(one.high - one.low, rel=0.15)


def test_many_rows_have_the_width_that_statistics_say() -> None:
    rows = 3 * MOST_ROWS
    found = score_interval("accuracy", *guesses(rows, 0.9, 0), COIN)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / rows), rel=0.15)


def test_a_pair_tells_what_two_intervals_cannot() -> None:
    """The other is wrong wherever the one is, and in 12 rows more: surely worse, though the intervals of both overlap."""
    truth, one = guesses(1000, 0.8, 0)
    other = one.copy()
    other[np.flatnonzero((one == truth).all(axis=1))[:12]] = 1 - truth[np.flatnonzero((one == truth).all(axis=1))[:12]]
    alone = [score_interval("accuracy", truth, probs, COIN) for probs in (one, other)]
    assert alone[1].high > alone[0].low
    gain = gain_interval("accuracy", truth, one, other, COIN)
    assert gain.value == pytest.approx(0.012)
    assert 0 < gain.low < gain.high < 0.02


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_a_gain_is_above_0_where_it_is_better_whichever_way_the_metric_goes(metric: str) -> None:
    truth = np.linspace(0, 10, 60, dtype=np.float32)[:, None]
    gain = gain_interval(metric, truth, truth + 0.1, truth + np.sin(np.arange(60))[:, None], TASKS["regression"])
    assert gain.low > 0
    assert gain.value == pytest.approx(
        -gain_interval(metric, truth, truth + np.sin(np.arange(60))[:, None], truth + 0.1, TASKS["regression"]).value
    )
    assert METRICS["rmse"].greater_is_better is False


def test_shuffled_labels_are_chance() -> None:
    truth, probs = guesses(2000, 0.95, 0)
    found = score_interval("roc_auc", np.random.default_rng(1).permutation(truth), probs, COIN)
    assert found.low < 0.5 < found.high


def test_what_is_not_defined_has_no_interval() -> None:
    truth = np.tile(np.array([[0, 1]], np.float32), (20, 1))
    found = score_interval("roc_auc", truth, truth * 0.5 + 0.25, COIN)
    assert np.isnan([found.value, found.low, found.high]).all()
