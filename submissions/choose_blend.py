"""Which blend is used, and what it is truly worth: weights, and the choice of a blend or a run, are fitted on out-of-fold tables, so each
fold is blended by what was fitted on the other folds, and that nested score is the one that counts.

Equal weights are hard to beat. Another blend is used only where it beats them on the same rows by more than chance: the interval of its
gain lies well above 0, and a blend that tells runs apart gains more than on runs that were exchanged row by row.

Legend: T tables, N rows, K columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.contest import Competition
from competition.errors import choose
from competition.metrics import METRICS, score
from competition.tables import as_table
from competition.task import Task
from folds.intervals import Interval, gain_interval, score_interval
from folds.scores import truth_of
from submissions.blend import BLENDS, Worth, aligned, blends_for, combined, fitted
from submissions.errors import SubmissionError

EQUAL = "mean"
AUTO = "auto"  # the blend that is best nested within the other folds: the choice itself is nested, too
REACH = 1.5  # times the half of the 95 % interval: several blends are tried, and on noise one in twenty would be outside
EXCHANGES = 19
DEVIATIONS = 3
PARTS = 5  # where all rows are of one fold


@dataclass(frozen=True)
class Trial:
    """One blend, tried on out-of-fold tables.

    asked: its name, or auto; used: what that came to. values: fitted on all rows, for the test. nested: its score where each fold was
    blended by what was fitted on the others; flattering: on the rows it was fitted to. gain: over equal weights; proven: by more than
    chance. oof: the nested table.
    """

    asked: str
    used: str
    values: np.ndarray
    nested: Interval
    flattering: float
    gain: Interval
    proven: bool
    oof: pd.DataFrame


def try_blends(
    oofs: Mapping[str, pd.DataFrame], contest: Competition, fold_of: pd.Series, groups: np.ndarray | None, names: list[str]
) -> list[Trial]:
    """A trial of each name (of BLENDS, or auto), in their order. groups: row by row with the first table (see `score_interval`).

    Raises: SubmissionError where a table lacks rows of the first, or a blend does not fit the task; CompetitionError for an unknown name;
    FoldError where a row is no training row any more.
    """
    task, metric = contest.task, contest.metric
    for name in names:
        choose("blend", name, [*BLENDS, AUTO])
        if name != AUTO and name not in blends_for(task):
            raise SubmissionError(f"blend {name!r} does not fit a {task.kind} task: use {', '.join(blends_for(task))}")
    first = next(iter(oofs.values()))
    truth = truth_of(first, contest)
    if len(oofs) == 1 and set(names) == {EQUAL}:  # one table is what it is, and a wide one is not to be copied
        alone = score_interval(metric, truth, first.to_numpy(), task, groups)
        return [Trial(EQUAL, EQUAL, np.empty(0), alone, alone.value, Interval(0.0, 0.0, 0.0), False, first)] * len(names)
    ids, stack = aligned(oofs, task)
    parts = fold_of.loc[ids].to_numpy()
    if len(np.unique(parts)) < 2:
        parts = np.arange(len(ids)) % PARTS
    sign = 1 if METRICS[metric].greater_is_better else -1

    def worth(true: np.ndarray, probs: np.ndarray) -> float:
        value = score(metric, true, probs, task)
        return sign * value if np.isfinite(value) else -np.inf

    equal = combined(EQUAL, stack, np.empty(0), task)
    trials = []
    for name in names:
        used, values = _settled(name, stack, truth, parts, task, worth)
        table = _nested(name, stack, truth, parts, task, worth)
        nested = score_interval(metric, truth, table, task, groups)
        gain = Interval(0.0, 0.0, 0.0) if name == EQUAL else gain_interval(metric, truth, table, equal, task, groups)
        flattering = score(metric, truth, combined(used, stack, values, task), task)
        proven = gain.value > REACH * (gain.value - gain.low)
        if proven and BLENDS[used].tells_runs_apart:
            chance = [
                worth(truth, _nested(used, exchanged, truth, parts, task, worth)) - worth(truth, equal) for exchanged in _exchanged(stack)
            ]
            proven = gain.value > np.mean(chance) + DEVIATIONS * np.std(chance)
        trials.append(Trial(name, used, values, nested, flattering, gain, bool(proven), as_table(ids, table, task)))
    return trials


def settle(trials: list[Trial], asked: str) -> tuple[Trial, str]:
    """The trial to use, and a line that says why, empty where equal weights were asked for. trials: at least equal weights and `asked`."""
    of = {trial.asked: trial for trial in trials}
    trial = of[asked]
    if asked == EQUAL:
        return trial, ""
    name = asked if trial.used == asked else f"{asked} ({trial.used})"
    if trial.proven:
        return trial, f"blend {name}: better than equal weights by {trial.gain} out of fold, nested"
    return of[EQUAL], f"blend {name}: its gain over equal weights, {trial.gain} out of fold, may be chance; equal weights are used"


def _exchanged(stack: np.ndarray) -> Iterator[np.ndarray]:
    """Tables of which in each row it is chance which run said what: equal weights stay what they are, and no run is better than another.

    What a blend gains on these, it gains by chance: whoever claims to know the better run must gain more.
    """
    generator = np.random.default_rng(0)
    for _ in range(EXCHANGES):
        yield np.take_along_axis(stack, generator.permuted(np.tile(np.arange(len(stack)), (stack.shape[1], 1)), axis=1).T[:, :, None], 0)


def _settled(name: str, stack: np.ndarray, truth: np.ndarray, parts: np.ndarray, task: Task, worth: Worth) -> tuple[str, np.ndarray]:
    """The blend that a name comes to on these rows, and its values."""
    if name == AUTO:
        if len(np.unique(parts)) < 2:
            return EQUAL, np.empty(0)
        names = blends_for(task)
        name = names[int(np.argmax([worth(truth, _nested(one, stack, truth, parts, task, worth)) for one in names]))]
    return name, fitted(name, stack, truth, task, worth)


def _nested(name: str, stack: np.ndarray, truth: np.ndarray, parts: np.ndarray, task: Task, worth: Worth) -> np.ndarray:
    """N x K: the rows of each part blended by what the rows of the other parts came to."""
    table = np.empty(stack.shape[1:])
    for part in np.unique(parts):
        held = parts == part
        used, values = _settled(name, stack[:, ~held], truth[~held], parts[~held], task, worth)
        table[held] = combined(used, stack[:, held], values, task)
    return table
