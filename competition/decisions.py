"""What is answered, from what is predicted: thresholds, cut points, weights and numbers of labels, fitted on out-of-fold predictions.

A rule moves a table so that the usual decision (the likeliest class, each label of at least 0.5, the nearest whole number) is the best one
for the metric; tables of the test are moved in the same way. What is scored on the rows it was fitted to flatters. So the score that is
shown is nested: each fold is decided by what was fitted on the other folds. What decides the test is then fitted on all.

Legend: N rows, K classes. truth and probs are float N x K, columns in the order of the classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition
from competition.metrics import METRICS, SURE, THRESHOLD, among_best, decide, score
from competition.tables import as_table
from competition.task import Kind, Task

FEWEST_POSITIVES = 20  # a class that holds less often has the threshold of all classes: its own would be chance
PARTS = 5  # the nested score's parts where only one fold is there
NEAREST = 1e-4  # thresholds stay so far from 0 and 1, but for the 0 that chooses all
TEMPERATURES = np.geomspace(0.2, 5, 61)
GRID = 60  # values for one number, of which a few are tried first and then those near the best
COARSE = 12
MOST_CELLS = 1_000_000  # of a table that values are fitted to; of a larger one, every n-th row
Values = dict[str, float]
Score = Callable[[np.ndarray], float]  # of a moved table; higher is better
Move = Callable[[np.ndarray, Values, Task], np.ndarray]


@dataclass(frozen=True)
class Rule:
    """fit: (truth, probs, task, score of a moved table of these rows, move) -> values by name; move: (probs, values, task) -> N x K.

    no_empty_rows: it differs from another only where rows may go without labels. answers: those that it decides.
    """

    fit: Callable[[np.ndarray, np.ndarray, Task, Score, Move], Values]
    move: Move
    tasks: tuple[Kind, ...]
    no_empty_rows: bool = False
    answers: tuple[Answer, ...] = ("label", "labels", "number")


@dataclass(frozen=True)
class Decision:
    """A rule with fitted values, and what it is worth, scored as it is submitted.

    nested: of folds decided by the others. fitted: of the rows it was fitted to, which flatters. plain: without it.
    """

    rule: str
    values: Values
    nested: float
    fitted: float
    plain: float

    def report(self, metric: str) -> str:
        """What it does and what it is worth, in two lines."""
        shown = [f"{name} {value:.3g}" for name, value in self.values.items()]
        values = f" ({', '.join(shown[:6])}{f' and {len(shown) - 6} more' if len(shown) > 6 else ''})" if shown else ""
        flatters = f"{self.fitted:.5f} on the rows it was fitted to, which flatters"
        return (
            f"answers are decided by {self.rule}{values}, fitted on the out-of-fold predictions:\n"
            f"  {metric} {self.plain:.5f} without, {self.nested:.5f} nested, {flatters}"
        )


def fit_decision(competition: Competition, oof: pd.DataFrame, truth: np.ndarray, fold_of: pd.Series) -> Decision | None:
    """The rule with the best nested score; None where the answer or metric has none, or where none is better out of fold than the usual.

    truth: row by row with `oof`. fold_of[id]: at least for the ids of `oof`.
    """
    metric, task = competition.metric, competition.task
    named = [name for name in RULES_OF.get(metric, ()) if task.kind in RULES[name].tasks]
    named = [name for name in named if competition.may_be_empty or not RULES[name].no_empty_rows]
    named = [name for name in named if competition.submission.answer in RULES[name].answers]
    if not named or (task.kind == "regression" and (truth % 1).any()):
        return None
    probs = oof.to_numpy(dtype=np.float64)
    parts = fold_of.loc[oof.index].to_numpy()
    if len(np.unique(parts)) < 2:
        parts = np.arange(len(oof)) % PARTS

    def worth(rows: np.ndarray) -> Score:
        sign = 1 if METRICS[metric].greater_is_better else -1
        return lambda moved: sign * score_answers(competition, truth[rows], moved)

    thin = -(-probs.size // MOST_CELLS)
    plain, best = score_answers(competition, truth, probs), None
    for name in named:
        rule, nested = RULES[name], np.empty_like(probs)
        for part in np.unique(parts):
            held, rest = np.flatnonzero(parts == part), np.flatnonzero(parts != part)[::thin]
            nested[held] = rule.move(probs[held], rule.fit(truth[rest], probs[rest], task, worth(rest), rule.move), task)
        rest = np.arange(0, len(oof), thin)
        values = rule.fit(truth[rest], probs[rest], task, worth(rest), rule.move)
        fitted = score_answers(competition, truth, rule.move(probs, values, task))
        found = Decision(name, values, score_answers(competition, truth, nested), fitted, plain)
        if _better(metric, found.nested, best.nested if best else plain):
            best = found
    return best


def score_answers(competition: Competition, truth: np.ndarray, moved: np.ndarray) -> float:
    """The metric of what would be submitted: in a list of labels at least one, unless training rows go without too."""
    if competition.submission.answer == "labels" and not METRICS[competition.metric].places:  # rankings are written as they are
        moved = decide(moved, competition.task, at_least_one=not competition.may_be_empty).astype(np.float64)
    return score(competition.metric, truth, moved, competition.task)


def decided(table: pd.DataFrame, competition: Competition, decision: Decision | None) -> pd.DataFrame:
    """The table as the decision moves it; as it is without one."""
    if decision is None:
        return table
    moved = RULES[decision.rule].move(table.to_numpy(dtype=np.float64), decision.values, competition.task)
    return as_table(table.index, moved, competition.task)


def _better(metric: str, one: float, other: float) -> bool:
    return bool(one > other if METRICS[metric].greater_is_better else one < other)


def fit_one_threshold(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """One threshold for all labels, or for the positive class of two."""
    true, cells = (truth[:, 1], probs[:, 1]) if task.kind == "binary" else (truth, probs)
    tried = np.unique(np.quantile(cells, np.linspace(0.005, 0.995, GRID)))
    between = np.clip((tried[1:] + tried[:-1]) / 2, NEAREST, 1 - NEAREST)
    tried = np.sort(np.append(between, [THRESHOLD, best_threshold(true, cells)]))
    return {"all": _best(tried, lambda value: worth(move(probs, {"all": value}, task)))}


def fit_thresholds(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """Each label's threshold with its best F1; a label that rarely holds has the one of all."""
    values = dict.fromkeys(task.classes, fit_one_threshold(truth, probs, task, worth, move)["all"])
    for place in np.flatnonzero(truth.sum(axis=0) >= FEWEST_POSITIVES):
        values[task.classes[place]] = best_threshold(truth[:, place], probs[:, place])
    return values


def move_by_thresholds(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    """0 stays 0 (but where the threshold is 0, which chooses all), the threshold becomes 0.5, 1 stays 1; straight between."""
    at = np.array([values["all"] if "all" in values else values[name] for name in task.classes])
    at = np.where(at == 0, -NEAREST, at)  # beyond 0.5 are all then, zeros too
    if task.kind == "binary":
        positive = _bent(probs[:, 1], at[1])
        return np.column_stack([1 - positive, positive])
    return _bent(probs, at)


def move_with_one(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    """So, and the likeliest label of each row comes to at least 0.5."""
    moved = move_by_thresholds(probs, values, task)
    likeliest = np.arange(moved.shape[1]) == moved.argmax(axis=1)[:, None]
    return np.where(likeliest, np.maximum(moved, THRESHOLD), moved)


def fit_label_count(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """How many of the likeliest labels each row gets."""
    most = min(len(task.classes), 2 + int((truth > THRESHOLD).sum(axis=1).max()))
    return {"labels a row": _best(np.arange(1, most + 1), lambda value: worth(move(probs, {"labels a row": value}, task)))}


def move_by_label_count(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    """The likeliest come to lie above 0.5, the others below, each in their order."""
    chosen = among_best(probs, int(values["labels a row"]))
    return np.where(chosen, THRESHOLD + probs / 2, np.minimum(probs / 2, THRESHOLD - NEAREST))


def fit_prior_power(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """Each class weighs as its share of the rows to the power of -x: 0 changes nothing, 1 makes rare classes as likely as others."""
    shares = np.maximum(truth.sum(axis=0), 0.5) / len(truth)
    tried = np.linspace(0, 3, 31)
    power = _best(tried, lambda value: worth(move(probs, dict(zip(task.classes, shares**-value, strict=True)), task)))
    weights = shares**-power
    return dict(zip(task.classes, (weights / weights.mean()).tolist(), strict=True))


def move_by_weights(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    weighed = probs * np.array([values[name] for name in task.classes]) + 1e-12
    return weighed / weighed.sum(axis=1, keepdims=True)


def fit_cuts(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """Where one grade ends and the next begins, on the expected grade (or the number itself): each cut in turn, until none moves.

    It starts where as many rows lie below each cut as have lower grades.
    """
    level, grades = _levels(probs, task), _levels(truth, task)
    low, high = int(grades.min()), int(grades.max())
    names = [f"{grade} | {grade + 1}" for grade in range(low, high)]
    cuts = np.array([np.quantile(level, (grades <= grade).mean()) for grade in range(low, high)])
    for _ in range(4):
        before = cuts.copy()
        for place in range(len(cuts)):
            floor = cuts[place - 1] if place else level.min() - 1
            ceiling = cuts[place + 1] if place + 1 < len(cuts) else level.max() + 1
            inside = level[(level >= floor) & (level <= ceiling)]
            if len(inside) < 2:
                continue
            tried = np.unique(np.append(np.quantile(inside, np.linspace(0.01, 0.99, GRID // 2)), cuts[place]))

            def value_of(cut: float, place: int = place) -> float:
                moved = np.where(np.arange(len(cuts)) == place, cut, cuts)
                return worth(move(probs, dict(zip(names, moved, strict=True)), task))

            cuts[place] = _best(tried, value_of)
        if np.array_equal(cuts, before):
            break
    return dict(zip(names, cuts.tolist(), strict=True))


def move_by_cuts(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    """The grade becomes the likeliest; a number becomes the whole number."""
    first = int(next(iter(values)).split(" | ")[0]) if values else 0
    grade = first + np.searchsorted(np.sort(list(values.values())), _levels(probs, task), side="left")
    if task.kind == "regression":
        return grade[:, None].astype(np.float64)
    return 0.4 * probs + 0.6 * (grade[:, None] == np.arange(len(task.classes)))


def fit_temperature(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    """Above 1 where predictions are surer than right. Source: Guo et al. 2017, "On Calibration of Modern Neural Networks"."""
    return {"temperature": _best(TEMPERATURES, lambda value: worth(move(probs, {"temperature": value}, task)))}


def move_by_temperature(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    """Logits, or logarithms, divided by the temperature."""
    kept = np.clip(probs, SURE, 1 - SURE) ** (1 / values["temperature"])
    others = (
        kept.sum(axis=1, keepdims=True) if task.one_of_many else kept + (1 - np.clip(probs, SURE, 1 - SURE)) ** (1 / values["temperature"])
    )
    return kept / others


def fit_nothing(truth: np.ndarray, probs: np.ndarray, task: Task, worth: Score, move: Move) -> Values:
    return {}


def move_to_whole(probs: np.ndarray, values: Values, task: Task) -> np.ndarray:
    return np.rint(probs)


def best_threshold(truth: np.ndarray, probs: np.ndarray) -> float:
    """Halfway between the two neighbouring values of `probs` where cutting gives the best F1; 0 where that is to choose all, also zeros;
    0.5 where nothing is true.

    truth, probs: as many cells each, in any shape.
    """
    truth, probs = truth.ravel(), probs.ravel()
    if not (truth > THRESHOLD).any():
        return THRESHOLD
    order = np.argsort(-probs, kind="stable")
    sizes, hits = probs[order], np.cumsum(truth[order] > THRESHOLD)
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
    below = np.append(sizes[1:], 0.0)
    best = int(np.where(np.append(below[:-1] < sizes[:-1], True), f1, -1).argmax())  # equals cannot be cut apart; the last chooses all
    halfway = float(sizes[best] + below[best]) / 2
    return 0.0 if halfway < NEAREST and best == len(sizes) - 1 else float(np.clip(halfway, NEAREST, 1 - NEAREST))


def _levels(table: np.ndarray, task: Task) -> np.ndarray:
    """N: the expected place of the grade, or the number."""
    return table[:, 0] if task.kind == "regression" else table @ np.arange(len(task.classes))


def _bent(probs: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.where(probs < at, THRESHOLD * probs / at, THRESHOLD + (1 - THRESHOLD) * (probs - at) / (1 - at))


def _best(tried: np.ndarray, value_of: Callable[[float], float]) -> float:
    """The value that is worth most, of several alike the middle one. tried: in order; few at first, then near the best."""
    step = max(1, len(tried) // COARSE)
    coarse = np.arange(step // 2, len(tried), step)
    worths = {int(place): value_of(float(tried[place])) for place in coarse}
    peak = max(worths, key=lambda place: worths[place])
    for place in range(max(0, peak - step + 1), min(len(tried), peak + step)):
        if place not in worths:
            worths[place] = value_of(float(tried[place]))
    highest = max(worths.values())
    alike = sorted(place for place, worth in worths.items() if worth >= highest - 1e-12)
    return float(tried[alike[len(alike) // 2]])


RULES: dict[str, Rule] = {
    "one threshold": Rule(fit_one_threshold, move_by_thresholds, ("binary", "multilabel")),
    "a threshold a label": Rule(fit_thresholds, move_by_thresholds, ("multilabel",)),
    "one threshold, at least one label": Rule(fit_one_threshold, move_with_one, ("multilabel",), no_empty_rows=True),
    "a threshold a label, at least one label": Rule(fit_thresholds, move_with_one, ("multilabel",), no_empty_rows=True),
    "labels a row": Rule(fit_label_count, move_by_label_count, ("multilabel",)),
    "class weights": Rule(fit_prior_power, move_by_weights, ("multiclass", "ordinal")),
    "cut points": Rule(fit_cuts, move_by_cuts, ("ordinal", "regression")),
    "whole numbers": Rule(fit_nothing, move_to_whole, ("regression",)),
    "temperature": Rule(
        fit_temperature, move_by_temperature, ("binary", "multiclass", "ordinal", "multilabel"), answers=("probability", "probabilities")
    ),
}

OF_LABELS = (
    "one threshold",
    "a threshold a label",
    "one threshold, at least one label",
    "a threshold a label, at least one label",
    "labels a row",
)
RULES_OF: dict[str, tuple[str, ...]] = {
    "accuracy": ("one threshold",),
    "balanced_accuracy": ("one threshold", "class weights"),
    "f1": ("one threshold",),
    "f1_macro": (*OF_LABELS, "class weights"),
    "f1_micro": OF_LABELS,
    "f1_samples": OF_LABELS,
    "f2_samples": OF_LABELS,
    "mcc": ("one threshold", "class weights"),
    "kappa": ("one threshold", "class weights"),
    "qwk": ("one threshold", "cut points"),
    "mae": ("whole numbers",),
    "log_loss": ("temperature",),
    "pf1": ("temperature",),
}
