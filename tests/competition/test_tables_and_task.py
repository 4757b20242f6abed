from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.errors import CompetitionError, choose, examples
from competition.tables import as_table, check_table
from competition.task import KINDS, Kind, Task
from tests.builders import CLASSES, make_probs, make_truth

TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}
IDS = ["007", "7", "b"]


def probs(kind: Kind, rows: int = 3) -> np.ndarray:
    return make_probs(TASKS[kind], rows, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_keeps_ids_classes_and_values(kind: Kind) -> None:
    table = as_table(IDS, probs(kind), TASKS[kind])
    assert list(table.index) == IDS
    assert table.index.name == "id"
    assert list(table.columns) == list(CLASSES[kind])
    np.testing.assert_array_equal(table, probs(kind))
    assert check_table(table, TASKS[kind]) is table


def test_one_column_of_a_binary_task_is_the_positive_class() -> None:
    table = as_table(IDS, np.array([[0.2], [1.0], [0.0]]), TASKS["binary"])
    assert table["1"].tolist() == pytest.approx([0.2, 1, 0])
    assert table["0"].tolist() == pytest.approx([0.8, 0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_a_table(kind: Kind) -> None:
    assert len(as_table([], probs(kind)[:0], TASKS[kind])) == 0


FAULTS: dict[str, tuple[Kind, Any, str]] = {
    "nan": ("multiclass", [[np.nan, 0.5, 0.5]], "predictions are NaN or infinite for 1 rows: 'b'"),
    "infinite": ("regression", [[np.inf]], "predictions are NaN or infinite for 1 rows: 'b'"),
    "negative": ("multilabel", [[-0.1, 0, 0, 0]], r"probabilities leave \[0, 1\] in 1 rows: 'b'"),
    "more than 1": ("multilabel", [[1.1, 0, 0, 0]], r"probabilities leave \[0, 1\] in 1 rows: 'b'"),
    "logits": ("multiclass", [[3.0, -2.0, 0.0]], r"probabilities leave \[0, 1\]"),
    "sum": ("multiclass", [[0.5, 0.5, 0.1]], "probabilities do not sum to 1 in 1 rows: 'b'"),
    "sigmoids": ("binary", [[0.5, 0.6]], "probabilities do not sum to 1"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_names_the_rows(case: str) -> None:
    kind, row, match = FAULTS[case]
    values = np.concatenate([probs(kind, 2), np.array(row, dtype=np.float32)])
    with pytest.raises(CompetitionError, match=match):
        as_table(IDS, values, TASKS[kind])


def test_a_table_names_what_it_is_and_at_most_three_rows() -> None:
    table = as_table([str(row) for row in range(9)], probs("multilabel", 9), TASKS["multilabel"]) + 2
    with pytest.raises(CompetitionError, match=r"fold 3: probabilities leave \[0, 1\] in 9 rows: '0', '1', '2' and 6 more"):
        check_table(table, TASKS["multilabel"], "fold 3")


def test_repeated_ids_and_columns_in_another_order_are_errors() -> None:
    with pytest.raises(CompetitionError, match="ids repeat: '7'"):
        as_table(["7", "7", "7"], probs("binary"), TASKS["binary"])
    table = as_table(IDS, probs("binary"), TASKS["binary"])
    with pytest.raises(CompetitionError, match=r"columns should be the classes in their order \('0', '1'\), they are '1', '0'"):
        check_table(table[["1", "0"]], TASKS["binary"])


def test_a_regressions_numbers_may_be_any() -> None:
    as_table(IDS, np.array([[-1e6], [0], [1e6]]), TASKS["regression"])


def test_thousands_of_classes_still_sum_to_1() -> None:
    task = Task("multiclass", tuple(str(number) for number in range(5000)))
    logits = np.random.default_rng(0).normal(size=(3, 5000)).astype(np.float32)
    rows = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    as_table(IDS, rows, task)


@pytest.mark.parametrize("kind", KINDS)
def test_truth_as_probabilities_is_a_table(kind: Kind) -> None:
    as_table([str(row) for row in range(20)], make_truth(TASKS[kind], 20, np.random.default_rng(0)), TASKS[kind])


def test_labels_are_encoded_in_the_order_of_the_classes() -> None:
    assert TASKS["multiclass"].encode(["dog", "cat", "new whale"]).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert TASKS["binary"].encode([1, "0"]).tolist() == [[0, 1], [1, 0]]
    assert TASKS["multilabel"].encode([["scab", "7"], [], ["rust", "rust"]]).tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert TASKS["regression"].encode(["1.5", 2, -3e2]).tolist() == [[1.5], [2], [-300]]
    assert Task("regression", ("x", "y")).encode([["1.5", 2], ["3", 4]]).tolist() == [[1.5, 2], [3, 4]]


@pytest.mark.parametrize("kind", KINDS)
def test_truth_has_a_row_for_each_label(kind: Kind) -> None:
    truth = TASKS[kind].encode([])
    assert (truth.shape, truth.dtype) == ((0, len(CLASSES[kind])), np.float32)


@given(st.lists(st.sampled_from(CLASSES["multiclass"]), min_size=1))
def test_encoding_is_undone_by_the_likeliest_class(labels: list[str]) -> None:
    task = TASKS["multiclass"]
    truth = task.encode(labels)
    assert [task.classes[code] for code in truth.argmax(axis=1)] == labels
    assert task.strata(truth).tolist() == truth.argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("kind", "labels", "match"),
    [
        ("multiclass", ["cat", "cow", "hen", "cow"], "2 labels are none of the 3 classes: 'cow', 'hen'"),
        ("multilabel", [["rust"], ["mildew"]], "1 labels are none of the 4 classes: 'mildew'"),
        ("binary", ["1.0"], "1 labels are none of the 2 classes"),
        ("regression", ["1", "many"], "column 'pawpularity' should hold numbers: .*'many'"),
        ("regression", ["1", "nan"], "column 'pawpularity' has 1 values that are missing or infinite"),
        ("regression", ["1e999"], "missing or infinite"),
    ],
)
def test_a_label_that_does_not_fit_is_named(kind: Kind, labels: list[Any], match: str) -> None:
    with pytest.raises(CompetitionError, match=match):
        TASKS[kind].encode(labels)


@pytest.mark.parametrize(
    ("kind", "classes", "match"),
    [
        ("multiclass", ("a", "b", "a"), "class names repeat: 'a'"),
        ("binary", ("a", "b", "c"), "a binary task has two classes, not 3"),
        ("multiclass", ("a",), r"one class only \('a'\): there is nothing to tell apart"),
        ("ordinal", ("a",), "one class only"),
        ("regression", (), "a regression task needs a column to predict"),
    ],
)
def test_classes_that_make_no_task(kind: Kind, classes: tuple[str, ...], match: str) -> None:
    with pytest.raises(CompetitionError, match=match):
        Task(kind, classes)


def test_strata_of_label_combinations_and_numbers() -> None:
    combinations = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]], np.float32)
    strata = TASKS["multilabel"].strata(combinations)
    assert strata[0] == strata[2]
    assert len(set(strata)) == 3
    deciles = TASKS["regression"].strata(np.arange(100, dtype=np.float32)[:, None])
    assert np.bincount(deciles).tolist() == [10] * 10
    assert TASKS["regression"].strata(np.ones((5, 1), np.float32)).tolist() in ([0] * 5, [1] * 5)
    for kind in KINDS:
        assert TASKS[kind].strata(make_truth(TASKS[kind], 10, np.random.default_rng(0))).dtype == np.int64


def test_examples_are_at_most_three_and_a_count() -> None:
    assert examples(["a", 1]) == "'a', '1'"
    assert examples(range(1005)) == "'0', '1', '2' and 1,002 more"
    assert examples([]) == ""
    assert examples(pd.Series(["x"] * 4), most=1) == "'x' and 3 more"


def test_choosing_lists_the_nearest_or_all() -> None:
    assert choose("loss", "mse", ["mse", "mae"]) == "mse"
    with pytest.raises(CompetitionError, match="unknown loss 'mze': perhaps 'mse'"):
        choose("loss", "mze", ["mse", "focal"])
    with pytest.raises(CompetitionError, match="unknown loss 'xyz': there are focal, mse"):
        choose("loss", "xyz", {"mse": 1, "focal": 2})
