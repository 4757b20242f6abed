import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.errors import CompetitionError
from competition.metrics import METRICS, areas, best_first, check_metric, clip_sure, decide, row_values, score
from competition.task import Kind, Task
from tests.builders import make_probs, make_truth

GRADES = ("0", "1", "10", "2", "4", "9")  # as text sorts, not as numbers do
TASKS: dict[Kind, Task] = {
    "binary": Task("binary", ("0", "1")),
    "multiclass": Task("multiclass", GRADES),
    "ordinal": Task("ordinal", tuple(sorted(GRADES, key=float))),
    "multilabel": Task("multilabel", ("a", "b", "c", "d")),
    "regression": Task("regression", ("weight",)),
}
CASES = [(name, kind) for name, metric in METRICS.items() for kind in metric.tasks if metric.places in (0, 1, 3, 5, 20)]
ROWS = 300
EMPTY_IS_RIGHT: Any = 1.0  # scikit-learn's types say text, its documentation says numbers too


def case(kind: Kind, seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray, Task]:
    generator = np.random.default_rng(seed)
    return make_truth(TASKS[kind], rows, generator), make_probs(TASKS[kind], rows, generator), TASKS[kind]


def better(name: str, one: float, other: float) -> bool:
    return one >= other - 1e-9 if METRICS[name].greater_is_better else one <= other + 1e-9


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_perfect_is_at_least_as_good_as_anything_else(name: str, kind: Kind) -> None:
    truth, probs, task = case(kind)
    perfect = score(name, truth, truth, task)
    shuffled = score(name, truth, np.random.default_rng(1).permutation(truth), task)
    assert better(name, perfect, shuffled)
    assert better(name, perfect, score(name, truth, probs, task))
    assert perfect == pytest.approx(1.0 if METRICS[name].greater_is_better else 0.0, abs=1e-5)
    assert perfect != pytest.approx(shuffled, abs=1e-3) or METRICS[name].places >= 5  # of six classes, five are nearly all


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_coming_closer_to_the_truth_never_hurts(name: str, kind: Kind) -> None:
    truth, probs, task = case(kind)
    steps = [score(name, truth, (1 - share) * probs + share * truth, task) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(better(name, later, earlier) for earlier, later in pairwise(steps)), steps


@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=15, deadline=None)  # the first call imports scikit-learn
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(name: str, kind: Kind, seed: int) -> None:
    truth, probs, task = case(kind, rows=40)
    order = np.random.default_rng(seed).permutation(len(truth))
    assert score(name, truth[order], probs[order], task) == pytest.approx(score(name, truth, probs, task), abs=1e-9)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_table_and_its_array_score_the_same(name: str, kind: Kind) -> None:
    truth, probs, task = case(kind)
    assert score(name, truth, pd.DataFrame(probs, columns=list(task.classes)), task) == score(name, truth, probs, task)


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n, k in CASES if METRICS[n].needs == "labels" and k != "regression"])
def test_metrics_of_labels_see_only_the_decision(name: str, kind: Kind) -> None:
    truth, probs, task = case(kind)
    assert score(name, truth, decide(probs, task).astype(np.float32), task) == score(name, truth, probs, task)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_agrees_with_scikit_learn(name: str, kind: Kind) -> None:
    truth, probs, task = case(kind, seed=5)
    assert score(name, truth, probs, task) == pytest.approx(by_scikit_learn(name, truth, probs, task), rel=1e-6)


def by_scikit_learn(name: str, truth: np.ndarray, probs: np.ndarray, task: Task) -> float:
    numbers, sizes = truth.astype(np.float64), probs.astype(np.float64)
    true, chosen = (truth, (probs >= 0.5).astype(int)) if task.kind == "multilabel" else (truth.argmax(axis=1), probs.argmax(axis=1))
    grades, guessed = (np.array(task.classes)[codes.astype(int)] for codes in (truth.argmax(axis=1), probs.argmax(axis=1)))
    columns = slice(1, None) if task.kind == "binary" else slice(None)
    computed = {
        "accuracy": lambda: peer.accuracy_score(true, chosen),
        "balanced_accuracy": lambda: peer.balanced_accuracy_score(true, chosen),
        "log_loss": lambda: (
            np.mean([peer.log_loss(numbers[:, k], sizes[:, k]) for k in range(truth.shape[1])])
            if task.kind == "multilabel"
            else peer.log_loss(true, sizes / sizes.sum(axis=1, keepdims=True))
        ),
        "roc_auc": lambda: peer.roc_auc_score(truth[:, columns], probs[:, columns], average="macro"),
        "average_precision": lambda: peer.average_precision_score(truth[:, columns], probs[:, columns], average="macro"),
        "f1_macro": lambda: peer.f1_score(true, chosen, average="macro"),
        "f1_micro": lambda: peer.f1_score(true, chosen, average="micro"),
        "mcc": lambda: peer.matthews_corrcoef(true, chosen),
        "kappa": lambda: peer.cohen_kappa_score(true, chosen),
        "qwk": lambda: (
            peer.cohen_kappa_score(np.rint(numbers[:, 0]).astype(int), np.rint(sizes[:, 0]).astype(int), weights="quadratic")
            if task.kind == "regression"
            else peer.cohen_kappa_score(grades.astype(int), guessed.astype(int), weights="quadratic")
        ),
        "f1": lambda: peer.f1_score(true, chosen),
        "f1_samples": lambda: peer.f1_score(true, chosen, average="samples", zero_division=EMPTY_IS_RIGHT),
        "f2_samples": lambda: peer.fbeta_score(true, chosen, beta=2, average="samples", zero_division=EMPTY_IS_RIGHT),
        "pf1": lambda: _pf1_by_weights(numbers[:, 1], sizes[:, 1]),
        "rmsle": lambda: peer.root_mean_squared_log_error(numbers, sizes),
        "mcrmse": lambda: peer.root_mean_squared_error(numbers, sizes, multioutput="uniform_average"),
        "rmse": lambda: np.sqrt(peer.mean_squared_error(numbers.ravel(), sizes.ravel())),
        "mae": lambda: peer.mean_absolute_error(numbers, sizes),
        "r2": lambda: peer.r2_score(numbers, sizes),
    }
    if METRICS[name].places:
        return _by_places(name, METRICS[name].places, true, probs, task)
    return float(computed[name]())


def _by_places(name: str, places: int, true: np.ndarray, probs: np.ndarray, task: Task) -> float:
    if task.kind == "multilabel":
        return float(
            np.mean(
                [_average_precision_at(places, row.argsort(kind="stable")[::-1], wanted) for row, wanted in zip(probs, true, strict=True)]
            )
        )

    def found(k: int) -> float:
        return peer.top_k_accuracy_score(true, probs, k=k) if k < len(task.classes) else 1.0

    return 1 - found(places) if name.startswith("top") else _map_of_found(found, places)


def _average_precision_at(places: int, ranked: np.ndarray, wanted: np.ndarray) -> float:
    """As the definition says, one place after the other."""
    hits, total = 0, 0.0
    for place, column in enumerate(ranked[:places], start=1):
        if wanted[column]:
            hits += 1
            total += hits / place
    return total / min(places, int(wanted.sum()))


def _pf1_by_weights(true: np.ndarray, sizes: np.ndarray) -> float:
    """Each row split in two: guessed positive with weight p, negative with 1 - p."""
    twice, guessed = np.tile(true, 2), np.repeat([1, 0], len(true))
    return float(peer.f1_score(twice, guessed, sample_weight=np.concatenate([sizes, 1 - sizes])))


def _map_of_found(found: Callable[[int], float], places: int) -> float:
    """MAP from how many are found among the first 1, 2, ...: each place adds its own, over its number."""
    shares = [0.0, *(found(k) for k in range(1, places + 1))]
    return sum((after - before) / k for k, (before, after) in enumerate(pairwise(shares), start=1))


def test_several_targets_as_scikit_learn_has_them() -> None:
    task, generator = Task("regression", ("x", "y", "z")), np.random.default_rng(0)
    truth, probs = make_truth(task, 50, generator) * [1, 10, 100], make_probs(task, 50, generator) * [1, 10, 100]
    assert score("rmse", truth, probs, task) == pytest.approx(np.sqrt(peer.mean_squared_error(truth.ravel(), probs.ravel())))
    assert score("mcrmse", truth, probs, task) == pytest.approx(peer.root_mean_squared_error(truth, probs))
    assert score("mae", truth, probs, task) == pytest.approx(peer.mean_absolute_error(truth.ravel(), probs.ravel()))
    assert score("r2", truth, probs, task) == pytest.approx(peer.r2_score(truth, probs))


def test_numbers_are_rounded_for_a_kappa_and_kept_within_the_truths() -> None:
    truth = np.array([[0], [1], [2], [3]], np.float32)
    assert score("qwk", truth, np.array([[-5], [1.4], [1.6], [9]]), TASKS["regression"]) == 1
    assert score("qwk", truth, truth[::-1], TASKS["regression"]) == -1


def test_logarithmic_errors_need_numbers_of_0_or_more() -> None:
    truth = np.array([[-1.5], [2]], np.float32)
    with pytest.raises(CompetitionError, match=r"metric 'rmsle' needs numbers of 0 or more, the smallest of 'weight' is -1\.5"):
        score("rmsle", truth, truth, TASKS["regression"])


def test_average_precision_at_k_by_hand() -> None:
    """Two true of four: ranked first and third, so (1 + 2/3) / 2; of one place only, 1."""
    truth, probs = np.array([[1, 0, 1, 0]], np.float32), np.array([[0.9, 0.8, 0.7, 0.1]])
    assert score("map4", truth, probs, TASKS["multilabel"]) == pytest.approx((1 + 2 / 3) / 2)
    assert score("map1", truth, probs, TASKS["multilabel"]) == 1
    assert score("map2", truth, probs, TASKS["multilabel"]) == 0.5


def test_a_row_that_is_rightly_left_empty_is_right() -> None:
    nothing, wrong = np.zeros((2, 4), np.float32), np.array([[0, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    assert [score(name, nothing, nothing, TASKS["multilabel"]) for name in ("f1_samples", "f2_samples")] == [1, 1]
    assert score("f1_samples", nothing, wrong, TASKS["multilabel"]) == 0.5


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_uniform_guess_has_log_loss_ln_k(kind: Kind) -> None:
    truth, probs, task = case(kind)
    count = len(task.classes)
    assert score("log_loss", truth, np.full_like(probs, 1 / count), task) == pytest.approx(np.log(count), rel=1e-6)


def test_log_loss_of_a_sure_mistake_is_as_it_would_be_submitted() -> None:
    task = TASKS["binary"]
    truth, probs = np.array([[1, 0], [0, 1]], np.float32), np.array([[0, 1], [0, 1]], np.float32)
    assert score("log_loss", truth, probs, task) == pytest.approx(-np.log(1e-6) / 2, rel=1e-5)
    assert clip_sure(probs, task).sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_a_guess_at_chance_has_auc_a_half_and_no_kappa() -> None:
    truth, probs, task = case("multiclass")
    constant = np.broadcast_to(probs[0], probs.shape)
    assert score("roc_auc", truth, constant, task) == 0.5
    assert [score(name, truth, constant, task) for name in ("kappa", "qwk", "mcc")] == pytest.approx([0, 0, 0])


AREAS = {"roc_auc": peer.roc_auc_score, "average_precision": peer.average_precision_score}


@pytest.mark.parametrize("name", AREAS)
@pytest.mark.parametrize("only", [0, 1])
def test_areas_leave_out_columns_of_one_class_only(name: str, only: int) -> None:
    truth, probs, task = case("multilabel")
    truth[:, 2] = only
    truth[1:, 3] = 1 - only  # a single row of the other class is enough
    truth[0, 3] = only
    others = [0, 1, 3]
    assert score(name, truth, probs, task) == pytest.approx(AREAS[name](truth[:, others], probs[:, others], average="macro"))
    assert np.isnan(score(name, np.full_like(truth, only), probs, task))


def test_binary_auc_tells_tiny_differences_of_the_positive_class_apart() -> None:
    positive = np.array([1e-12, 2e-12, 3e-12, 4e-12], np.float32)
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    assert score("roc_auc", truth, np.column_stack([1 - positive, positive]), TASKS["binary"]) == 1.0


def test_top5_error_of_many_classes() -> None:
    task = Task("multiclass", tuple("abcdefgh"))
    probs = np.tile(np.linspace(0.2, 0.05, 8, dtype=np.float32), (8, 1))
    assert score("top5_error", np.eye(8, dtype=np.float32), probs, task) == 3 / 8
    assert score("top5_error", np.eye(8, dtype=np.float32), np.full((8, 8), 0.125), task) == 3 / 8  # equals do not all count as first


@pytest.mark.parametrize(("name", "value"), [("map3", (1 + 1 / 2 + 1 / 3) / 8), ("map5", (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 8)])
def test_map_of_a_true_class_at_each_place(name: str, value: float) -> None:
    task = Task("multiclass", tuple("abcdefgh"))
    probs = np.tile(np.linspace(0.2, 0.05, 8, dtype=np.float32), (8, 1))
    assert score(name, np.eye(8, dtype=np.float32), probs, task) == pytest.approx(value)
    assert score(name, np.eye(8, dtype=np.float32), np.full((8, 8), 0.125), task) == pytest.approx(value)  # of equals, the first


def test_of_many_equals_the_first_places_are_taken() -> None:
    assert best_first(np.full((2, 40), 0.5), 3).tolist() == [[0, 1, 2]] * 2


def test_qwk_of_grades_that_are_words_goes_by_their_order() -> None:
    task = Task("ordinal", ("none", "mild", "severe"))
    truth, near = task.encode(["none", "mild", "severe", "severe"]), task.encode(["none", "mild", "severe", "mild"])
    assert score("qwk", truth, near, task) == pytest.approx(peer.cohen_kappa_score([0, 1, 2, 2], [0, 1, 2, 1], weights="quadratic"))


def test_qwk_weighs_by_numeric_order() -> None:
    task = Task("multiclass", ("0", "1", "10", "2"))
    truth = task.encode(["0", "1", "2", "10"])
    near, far = task.encode(["0", "1", "10", "10"]), task.encode(["10", "1", "2", "10"])
    assert score("qwk", truth, near, task) > score("qwk", truth, far, task)


def test_macro_f1_counts_a_guessed_class_that_the_truth_lacks() -> None:
    task = Task("multiclass", ("a", "b", "c"))
    truth, probs = task.encode(["a", "a", "b", "b"]), task.encode(["a", "a", "b", "c"])
    assert score("f1_macro", truth, probs, task) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert score("f1_macro", truth, truth, task) == 1  # "c" is nowhere, so it does not count


def test_what_is_not_defined_by_the_formula_has_a_stated_value() -> None:
    nothing = np.zeros((3, 4), np.float32)
    assert [score(name, nothing, nothing, TASKS["multilabel"]) for name in ("f1_micro", "f1_macro")] == [1, 1]
    single = np.array([[1, 0], [1, 0]], np.float32)
    assert [score(name, single, single, TASKS["binary"]) for name in ("kappa", "qwk", "mcc", "f1", "pf1")] == [1, 1, 0, 1, 0]
    level = np.ones((3, 1), np.float32)
    assert [score("r2", level, level, TASKS["regression"]), score("r2", level, level * 2, TASKS["regression"])] == [1, 0]


BY_HAND: dict[str, tuple[str, Kind, list[list[float]], list[list[float]], float]] = {
    "one found, one missed": ("f1", "binary", [[0, 1], [0, 1], [1, 0]], [[0, 1], [1, 0], [1, 0]], 2 / 3),
    "of all cells, one found, one missed": ("f1_micro", "multilabel", [[1, 1, 0, 0]], [[1, 0, 0, 0]], 2 / 3),
    "nothing on the only positive": ("pf1", "binary", [[0, 1], [1, 0]], [[1, 0], [0.5, 0.5]], 0),
    "half on the only positive, a quarter beside": ("pf1", "binary", [[0, 1], [1, 0]], [[0.5, 0.5], [0.75, 0.25]], 1 / 1.75),
    "a class of a single row, and one of none": (
        "balanced_accuracy",
        "multiclass",
        np.eye(6)[[0, 1, 1, 1]].tolist(),
        np.eye(6)[[0, 1, 2, 3]].tolist(),
        (1 + 1 / 3) / 2,
    ),
    "logarithms of 1, 1.5 and 1, of which one is guessed": (
        "rmsle",
        "regression",
        [[0], [0.5], [0]],
        [[-3], [0], [0]],
        np.log(1.5) / 3**0.5,
    ),
    "small numbers": ("r2", "regression", [[0], [0.5]], [[0], [0.25]], 0.5),
    "a row without any label, and one that is found": (
        "map3",
        "multilabel",
        [[0] * 4, [1, 0, 0, 0]],
        [[0.1, 0.2, 0.3, 0.4], [0.9, 0, 0, 0]],
        0.5,
    ),
    "the third of three places": ("top3_error", "multiclass", [[0, 0, 1, 0, 0, 0]], [[0.3, 0.25, 0.2, 0.15, 0.1, 0]], 0),
    "the fourth of three places": ("top3_error", "multiclass", [[0, 0, 0, 1, 0, 0]], [[0.3, 0.25, 0.2, 0.15, 0.1, 0]], 1),
    "two steps off, of grades whose order is given": ("qwk", "ordinal", np.eye(6)[[0, 5]].tolist(), np.eye(6)[[0, 3]].tolist(), 15 / 19),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_a_score_by_hand(case: str) -> None:
    name, kind, truth, probs, value = BY_HAND[case]
    assert score(name, np.array(truth, np.float32), np.array(probs), TASKS[kind]) == pytest.approx(value, abs=1e-6)


def test_decide_gives_multilabel_rows_a_label_where_asked() -> None:
    probs = np.array([[0.5, 0.49, 0.1, 0.1], [0.2, 0.3, 0.1, 0.1]])
    assert decide(probs, TASKS["multilabel"]).sum(axis=1).tolist() == [1, 0]
    assert decide(probs, TASKS["multilabel"], at_least_one=True).tolist() == [[True, False, False, False], [False, True, False, False]]


def test_errors_say_what_to_use_instead() -> None:
    truth, probs, task = case("multiclass")
    with pytest.raises(CompetitionError, match=r"unknown metric 'rocauc': perhaps 'roc_auc'"):
        check_metric("rocauc", task)
    with pytest.raises(CompetitionError, match=r"metric 'rmse' does not fit a multiclass task: use accuracy, balanced_accuracy, log_loss"):
        score("rmse", truth, probs, task)
    with pytest.raises(CompetitionError, match=r"metric 'qwk' needs classes that are numbers, these are 'cat', 'dog'"):
        check_metric("qwk", Task("binary", ("cat", "dog")))
    with pytest.raises(CompetitionError, match=r"truth is \(300, 6\) and predictions are \(300, 5\): both should be rows x 6"):
        score("accuracy", truth, probs[:, :5], task)
    with pytest.raises(CompetitionError, match=r"there are no rows to compute accuracy of"):
        score("accuracy", truth[:0], probs[:0], task)
    with pytest.raises(
        CompetitionError, match=r"columns should be the classes in their order \('0', '1', '10' and 3 more\), they are '9', '4', '2'"
    ):
        score("accuracy", truth, pd.DataFrame(probs, columns=list(reversed(GRADES))), task)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_is_fast_enough_for_each_epoch(name: str, kind: Kind) -> None:
    generator = np.random.default_rng(0)
    task = TASKS[kind] if kind in ("binary", "regression") else Task(kind, tuple(map(str, range(10))))
    truth, probs = make_truth(task, 50_000, generator), make_probs(task, 50_000, generator)
    started = perf_counter()
    score(name, truth, probs, task)
    assert perf_counter() - started < 2  # a tenth of that on a quiet machine


def test_importing_the_metrics_does_not_import_scikit_learn() -> None:
    program = "import sys, competition.metrics; print(*[name for name in ('sklearn', 'scipy', 'torch') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""


MEANS = ["accuracy", "log_loss", "f1_samples", "f2_samples", *(name for name, metric in METRICS.items() if metric.places)]


@pytest.mark.parametrize("name", MEANS)
def test_what_is_a_mean_over_rows_is_so_in_blocks_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in METRICS[name].tasks:
        truth, probs, task = case(kind)
        each = row_values(name, truth, probs, task)
        assert each is not None
        assert each.shape == (len(truth),)
        assert each.mean() == pytest.approx(METRICS[name].function(truth, probs.astype(np.float64), task), rel=1e-12)
        with monkeypatch.context() as patched:
            patched.setattr("competition.metrics.BLOCK_CELLS", 3 * len(task.classes) + 1)
            np.testing.assert_array_equal(row_values(name, truth, probs, task), each)


def test_areas_column_by_column_with_ties_and_without_one_kind() -> None:
    generator = np.random.default_rng(0)
    true, values = generator.random((200, 70)) < 0.3, generator.integers(0, 9, (200, 70)) / 8
    true[:, 5], true[:, 66] = True, False
    found = areas(true, values)
    assert np.isnan(found[[5, 66]]).all()
    expected = [peer.roc_auc_score(true[:, place], values[:, place]) for place in range(70) if place not in (5, 66)]
    np.testing.assert_allclose(np.delete(found, [5, 66]), expected, rtol=1e-12)
