from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.contest import Answer, Competition
from competition.tables import as_table
from competition.task import Kind
from submissions.check import CHECKS, SPELLINGS, check
from submissions.format import FORMATS, csv_text, submission_frame
from tests.builders import make_competition, make_table


def good(competition: Competition) -> pd.DataFrame:
    """A fine submission, all cells as text."""
    return submission_frame(make_table(competition), competition).map(lambda cell: cell if isinstance(cell, str) else f"{cell:.9g}")


def told(submission: pd.DataFrame | Path, competition: Competition, oof: pd.DataFrame | None = None) -> list[str]:
    return [f"{problem.severity}: {problem}" for problem in check(submission, competition, oof)]


def changed(competition: Competition, column: str, *cells: str) -> pd.DataFrame:
    """A fine submission whose first rows have other cells in the column."""
    frame = good(competition)
    frame.loc[range(len(cells)), column] = cells
    return frame


BINARY = make_competition("binary")
GRADES = make_competition("multiclass", answer="label", metric="accuracy", classes=("0", "1", "2"))
NAMED = make_competition("multiclass", metric="log_loss")
TAGS = make_competition("multilabel")
WEIGHTS = replace(make_competition("regression"), truth=np.array([[1], [100]], np.float32))


def test_every_answer_has_a_check() -> None:
    assert set(CHECKS) == set(FORMATS)


@pytest.mark.parametrize(("answer", "kind"), [(answer, kind) for answer, form in FORMATS.items() for kind in form.tasks])
def test_a_fine_file_has_no_problems(answer: Answer, kind: Kind, tmp_path: Path) -> None:
    competition = make_competition(kind, rows=30, answer=answer)
    frame = submission_frame(make_table(competition), competition)
    (tmp_path / "s.csv").write_text(csv_text(frame))
    assert (
        check(frame, competition, make_table(competition))
        == check(tmp_path / "s.csv", competition)
        == check(str(tmp_path / "s.csv"), competition)
        == []
    )


def test_columns() -> None:
    assert told(good(NAMED).drop(columns=["cat", "dog"]), NAMED) == ["error: 2 columns of the sample are missing: 'cat', 'dog'"]
    assert told(good(NAMED).rename(columns={"cat": "Cat"}), NAMED)[:2] == [
        "error: 1 column of the sample is missing: 'cat'",
        "error: 1 column is not in the sample: 'Cat'",
    ]
    assert told(good(BINARY).rename(columns={"id": "ID"}), BINARY) == [
        "error: 1 column of the sample is missing: 'id'",
        "error: 1 column is not in the sample: 'ID'",
    ]
    assert told(good(NAMED)[["id", "dog", "cat", "new whale"]], NAMED) == [
        "warning: columns are in another order than the sample's ('id', 'cat', 'dog' and 1 more): 'id', 'dog', 'cat' and 1 more"
    ]
    extra = good(BINARY).assign(**{"Unnamed: 0": "1"})
    assert told(extra, BINARY) == ["error: 1 column is not in the sample: 'Unnamed: 0'"]
    assert told(extra.assign(index="1"), BINARY) == ["error: 2 columns are not in the sample: 'Unnamed: 0', 'index'"]
    assert told(pd.DataFrame({"a": ["1"]}), GRADES)[0] == "error: 2 columns of the sample are missing: 'id', 'target'"


def test_ids_and_rows() -> None:
    assert told(good(BINARY).iloc[:4], BINARY) == [
        "error: it has 4 rows, the sample has 6",
        "error: 2 ids of the sample are missing: '00004', '00005'",
    ]
    assert told(good(BINARY).iloc[1:], BINARY)[1] == "error: 1 id of the sample is missing: '00000'"
    assert told(changed(BINARY, "id", "a", "b", "c", "d"), BINARY) == [
        "error: 4 ids of the sample are missing: '00000', '00001', '00002' and 1 more",
        "error: 4 ids are not in the sample: 'a', 'b', 'c' and 1 more",
    ]
    twice = pd.concat([good(BINARY), good(BINARY).iloc[:1]])
    assert told(twice, BINARY) == [
        "error: it has 7 rows, the sample has 6",
        "error: 1 id stands another number of times than once: '00000 (2x)'",
    ]
    assert told(good(BINARY).iloc[::-1], BINARY) == [
        "warning: 6 rows are in another order than the sample's, and some graders go by place: '00005', '00004', '00003' and 3 more"
    ]


def test_repeats_are_the_samples() -> None:
    rows = BINARY.submission.rows
    competition = replace(BINARY, submission=replace(BINARY.submission, rows=pd.concat([rows, rows.iloc[:2]], ignore_index=True)))
    assert told(good(competition), competition) == []
    assert told(good(competition).iloc[:6], competition) == [
        "error: it has 6 rows, the sample has 8",
        "error: 2 ids stand another number of times than in the sample: '00000 (1x)', '00001 (1x)'",
    ]


@pytest.mark.parametrize(
    ("spelled", "sample", "change"),
    [
        ("7", "007", "leading zeros"),
        ("a", "a.jpg", "the file extension"),
        ("a.png", "a.jpg", "the file extension"),
        ("test/a", "a", "the folder"),
        ("A", "a", "upper and lower case"),
        ("a ", "a", "spaces"),
        ("3.0", "3", "a decimal point"),
    ],
)
def test_ids_in_another_spelling(spelled: str, sample: str, change: str) -> None:
    assert change in SPELLINGS
    rows = pd.DataFrame({"id": [sample, "other"], "target": "0"}, dtype="str")
    competition = replace(BINARY, submission=replace(BINARY.submission, rows=rows))
    assert f"error: 1 id is not in the sample (they differ from the missing ones only in {change}): {spelled!r}" in told(
        pd.DataFrame({"id": [spelled, "other"], "target": ["0.5", "0.25"]}), competition
    )


def test_ids_that_end_in_numbers_have_no_file_extension() -> None:
    rows = pd.DataFrame({"id": ["1.2.826"], "target": "0"}, dtype="str")
    competition = replace(BINARY, submission=replace(BINARY.submission, rows=rows))
    assert "error: 1 id is not in the sample: '1.2.827'" in told(pd.DataFrame({"id": ["1.2.827"], "target": ["0.5"]}), competition)


@pytest.mark.parametrize("competition", [BINARY, WEIGHTS, NAMED])
def test_cells_that_are_no_numbers(competition: Competition) -> None:
    column = competition.submission.answer_columns[0]
    assert told(changed(competition, column, "", "NaN", "null", "nan"), competition)[0] == (
        "error: 4 rows have an empty cell or NaN: '00000', '00001', '00002' and 1 more"
    )
    assert "error: 2 rows have a cell that is no number: 'cat', '0,5'" in told(changed(competition, column, "cat", "0,5"), competition)
    assert "error: 2 rows have an infinite number: '00000', '00001'" in told(changed(competition, column, "inf", "-inf"), competition)


def test_rows_without_ids_are_called_by_their_number_in_the_file() -> None:
    frame = changed(BINARY, "target", "0.5", "").drop(columns="id")
    assert told(frame, BINARY)[1] == "error: 1 row has an empty cell or NaN: 'row 3'"


def test_probabilities_outside_of_0_and_1() -> None:
    frame = changed(BINARY, "target", "1.5", "-0.1", "1", "0")
    assert told(frame, BINARY) == ["error: 2 rows have a probability outside [0, 1]: '00000', '00001'"]
    by_label = replace(BINARY, metric="accuracy")
    assert told(frame, by_label) == ["warning: 2 rows have a probability outside [0, 1]: '00000', '00001'"]


def test_sure_probabilities_are_dear_under_log_loss() -> None:
    frame = changed(BINARY, "target", "1", "0")
    assert told(frame, BINARY) == []
    assert told(frame, replace(BINARY, metric="log_loss")) == [
        "warning: 2 rows have a probability of exactly 0 or 1 (log loss rises by 36 / rows for each that is wrong): '00000', '00001'"
    ]


def test_row_sums_matter_where_the_metric_is_log_loss() -> None:
    frame = changed(NAMED, "cat", "0.9")
    frame.loc[0, ["dog", "new whale"]] = ["0.1", "0.05"]
    assert told(frame, NAMED) == ["error: 1 row has probabilities that do not sum to 1 within 1e-05: '00000 (1.05)'"]
    assert told(frame, replace(NAMED, metric="roc_auc")) == []
    frame.loc[0, ["dog", "new whale"]] = ["0.05", "0.050009"]
    assert told(frame, NAMED) == []


def test_row_sums_of_a_file_without_all_columns_are_not_judged() -> None:
    assert told(good(NAMED).drop(columns="dog"), NAMED) == ["error: 1 column of the sample is missing: 'dog'"]


def test_labels_that_are_no_classes() -> None:
    assert told(changed(GRADES, "target", "3", "cat", "1.5", "11"), GRADES) == [
        "error: 4 labels are none of the 3 classes ('0', '1', '2'): '1.5', '11', '3' and 1 more"
    ]
    assert told(changed(GRADES, "target", "1.0", "2.0"), GRADES) == [
        "error: 2 labels are none of the 3 classes ('0', '1', '2'; write integers without .0): '1.0', '2.0'"
    ]
    assert told(changed(GRADES, "target", "", "nan"), GRADES) == ["error: 2 rows have no label: '00000', '00001'"]


def test_a_class_may_be_called_none() -> None:
    competition = make_competition("multiclass", answer="label", metric="accuracy", classes=("none", "nan", "rust"))
    assert told(changed(competition, "target", "none", "nan"), competition) == []


def test_several_labels_in_a_cell() -> None:
    assert told(changed(TAGS, "target", "rust mildew", "blight"), TAGS) == [
        "error: 2 labels are none of the 4 classes ('rust', 'scab', '12' and 1 more): 'blight', 'mildew'"
    ]
    assert told(changed(TAGS, "target", "", " "), TAGS) == ["error: 2 rows have no label: '00000', '00001'"]
    assert told(changed(TAGS, "target", "rust rust"), TAGS) == ["warning: 1 row has the same label twice: 'rust rust'"]
    assert told(changed(TAGS, "target", "12", "7", "12", "7", "12", "7"), TAGS) == [
        "warning: every row holds a single number, and some graders expect text: '12', '7', '12' and 3 more"
    ]


def test_numbers_outside_of_the_training_rows() -> None:
    assert told(changed(WEIGHTS, "target", "0.99", "100", "1", "101"), WEIGHTS) == [
        "warning: 2 rows have a number outside [1, 100], where all training rows lie; some graders refuse it: '00000', '00003'"
    ]


def test_what_float32_rounds_off_is_not_outside() -> None:
    competition = replace(make_competition("regression", rows=2), truth=np.array([[0.1], [1000.1]], np.float32))
    frame = pd.DataFrame({"id": ["00000", "00001"], "target": ["0.1", "1000.1"]})
    assert told(frame, competition) == []
    assert told(frame.assign(target=["0.1", "1000.11"]), competition) == [
        "warning: 1 row has a number outside [0.1, 1000.1], where all training rows lie; some graders refuse it: '00001'"
    ]


def test_columns_that_are_no_answers_keep_the_samples_text() -> None:
    rows = BINARY.submission.rows.assign(Usage=["007", "", "a", "b", "c", "d"])
    competition = replace(BINARY, submission=replace(BINARY.submission, rows=rows))
    assert told(good(competition), competition) == []
    assert told(changed(competition, "Usage", "7"), competition) == [
        "warning: column 'Usage' is no answer, but 1 row differs from the sample: '00000'"
    ]
    assert told(changed(competition, "Usage", "7", "8"), competition) == [
        "warning: column 'Usage' is no answer, but 2 rows differ from the sample: '00000', '00001'"
    ]


def test_the_same_answer_everywhere() -> None:
    competition = make_competition("multiclass", rows=20, answer="label", metric="accuracy")
    assert told(good(competition).assign(target="dog"), competition) == ["warning: all 20 rows have the same answer: 'dog'"]
    even = make_competition("multiclass", rows=20)
    frame = good(even).assign(**{"cat": "0.5", "dog": "0.25", "new whale": "0.25"})
    assert told(frame, even) == ["warning: all 20 rows have the same answer: '0.5', '0.25', '0.25'"]
    few = make_competition("multiclass", rows=3, answer="label", metric="accuracy")
    assert told(good(few).assign(target="dog"), few) == []


@pytest.mark.parametrize(("answer", "kind"), [(answer, kind) for answer, form in FORMATS.items() for kind in form.tasks])
def test_shares_far_from_those_out_of_fold(answer: Answer, kind: Kind) -> None:
    competition = make_competition(kind, rows=400, answer=answer, metric=None if kind != "multiclass" else "accuracy")
    oof = make_table(competition, seed=3)
    frame = submission_frame(make_table(competition), competition)
    assert told(frame, competition, oof) == []
    if kind == "regression":
        away = as_table(oof.index, oof.to_numpy() / 10, competition.task)
    else:
        away = as_table(
            oof.index,
            np.eye(len(competition.task.classes))[np.zeros(400, int)] * 0.8 + 0.2 / len(competition.task.classes),
            competition.task,
        )
    problems = told(frame, competition, away)
    assert len(problems) == 1
    expected = (
        r"the mean is .*, out of fold it is"
        if kind == "regression"
        else r"\d class(?: has|es have) another share than out of fold: '\w.*: 0\.\d\d, out of fold [01]\.\d\d'"
    )
    assert pd.Series(problems).str.fullmatch(rf"warning: {expected}.*").all(), problems


def test_one_likeliest_class_though_the_numbers_differ() -> None:
    competition = make_competition("multiclass", rows=30, metric="log_loss")
    generator = np.random.default_rng(0)
    probs = np.array([0.6, 0.2, 0.2]) + generator.uniform(-0.05, 0.05, (30, 3))
    frame = submission_frame(
        as_table(competition.test["id"].tolist(), probs / probs.sum(axis=1, keepdims=True), competition.task), competition
    )
    assert told(frame, competition) == ["warning: all 30 rows have the same likeliest class: 'cat (35% of the training rows)'"]
    whales = make_competition("multiclass", rows=30, answer="ranked", classes=("w_1", "w_2", "w_3"), places=2, metric="map3")
    lists = good(whales).assign(target=["w_1 w_2", "w_1 w_3"] * 15)
    assert told(lists, whales) == ["warning: all 30 rows begin with the same class: 'w_1'"]


def test_a_column_that_never_changes() -> None:
    competition = make_competition("multilabel", rows=30, answer="probabilities", metric="roc_auc")
    frame = good(competition).assign(rust="0.5")
    assert told(frame, competition) == ["warning: 1 column has the same answer in all rows: 'rust (0.5)'"]


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_numbers_that_are_spread_otherwise_than_out_of_fold(kind: Kind) -> None:
    """The mean agrees, and all predictions lie close to it."""
    competition = make_competition(kind, rows=200)
    oof = make_table(competition, seed=3)
    mean = oof.to_numpy().mean(axis=0)
    flat = as_table(oof.index, mean + (oof.to_numpy() - mean) / 20, competition.task)
    (said,) = told(submission_frame(flat, competition), competition, oof)
    assert "1 column is spread otherwise than out of fold: " in said
    assert "8 of 10 in [" in said


def test_shares_of_few_rows_say_nothing() -> None:
    oof = as_table(BINARY.test["id"].tolist(), np.tile([1.0, 0.0], (6, 1)), BINARY.task)
    assert told(good(BINARY), BINARY, oof) == []


def test_files_that_are_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    assert told(path, BINARY) == [f"error: {path}: cannot be read: No such file or directory"]
    path.write_text("")
    assert told(path, BINARY) == [f"error: {path}: is empty: it has not even a header"]
    path.write_bytes(b"PK\3\4\xff\xfe")
    assert told(path, BINARY) == [f"error: {path}: is no text in UTF-8, so it is no CSV (a zip has to be unpacked first)"]
    path.write_text("id,target\n00000\n00001,1,2\n")
    assert told(path, BINARY) == [f"error: {path}: the header has 2 columns, but 2 rows have another number: 'row 2 has 1', 'row 3 has 3'"]
    path.write_text("id,target\n00000,1\n00001,1,2\n")
    assert told(path, BINARY) == [f"error: {path}: the header has 2 columns, but 1 row has another number: 'row 3 has 3'"]
    path.write_text("id,id\n1,2\n")
    assert told(path, BINARY) == [f"error: {path}: columns have the same name: 'id'"]
    path.write_text("id,target\n" + "1" * 200_000 + ",1\n")
    assert told(path, BINARY) == [f"error: {path}: is no CSV: field larger than field limit (131072)"]


def test_a_byte_order_mark_windows_lines_and_quotes_are_read(tmp_path: Path) -> None:
    lines = csv_text(good(BINARY)).splitlines()
    (tmp_path / "s.csv").write_bytes(
        "\r\n".join(["\ufeff" + lines[0], *(f'"{line.replace(",", chr(34) + "," + chr(34))}"' for line in lines[1:]), ""]).encode()
    )
    assert told(tmp_path / "s.csv", BINARY) == []


def test_errors_come_before_warnings() -> None:
    frame = changed(replace(BINARY, metric="log_loss"), "target", "1", "", "2")[["target", "id"]]
    assert [problem.severity for problem in check(frame, replace(BINARY, metric="log_loss"))] == ["error", "error", "warning", "warning"]


def test_what_is_not_plausible_is_told_beside_other_warnings_but_not_of_a_file_with_errors() -> None:
    competition = make_competition("multiclass", rows=400, answer="label", metric="accuracy")
    oof, same = make_table(competition, seed=3), good(competition).assign(target="dog")
    warnings = told(same[["target", "id"]], competition, oof)
    assert [warning.partition(":")[0] for warning in warnings] == ["warning"] * 3
    assert "another order" in warnings[0]
    assert "the same answer" in warnings[1]
    assert "another share than out of fold" in warnings[2]
    assert told(same.drop(columns="id"), competition, oof) == ["error: 1 column of the sample is missing: 'id'"]


def test_a_ranking() -> None:
    whales = make_competition("multiclass", answer="ranked", classes=("w_1", "w_2", "w_3", "w_4"), places=3, metric="map3")
    assert told(changed(whales, "target", "w_1 w_2 w_3 w_4"), whales) == ["error: 1 row has more than 3 labels: 'w_1 w_2 w_3 w_4'"]
    assert told(changed(whales, "target", "w_1 w_1 w_3"), whales) == ["error: 1 row has the same label twice: 'w_1 w_1 w_3'"]
    assert told(changed(whales, "target", "w_1"), whales) == [
        "warning: 1 row has fewer than 3 labels: a further guess costs nothing: 'w_1'"
    ]
    assert told(changed(whales, "target", "", "w_3 w_2 w_1"), whales) == ["error: 1 row has no label: '00000'"]
    assert told(changed(whales, "target", "w_1 w_2 w_9"), whales) == [
        "error: 1 label is none of the 4 classes ('w_1', 'w_2', 'w_3' and 1 more): 'w_9'"
    ]


def test_a_ranking_of_several_columns_is_one_list_a_row() -> None:
    whales = make_competition(
        "multiclass", answer="ranked", classes=("w_1", "w_2", "w_3"), places=2, metric="map3", answer_columns=("a", "b")
    )
    whales = replace(whales, submission=replace(whales.submission, rows=whales.submission.rows.assign(a="w_1", b="w_2")))
    assert told(whales.submission.rows, whales) == []
    assert told(whales.submission.rows.assign(b="w_1"), whales)[0].endswith(
        "the same label twice: 'w_1 w_1', 'w_1 w_1', 'w_1 w_1' and 3 more"
    )


def test_a_ranking_of_more_columns_than_classes_ends_in_empty_cells() -> None:
    columns = ("a", "b", "c", "d")
    few = make_competition("multiclass", rows=30, answer="ranked", metric="map5", classes=("x", "y", "z"), places=4, answer_columns=columns)
    few = replace(few, submission=replace(few.submission, rows=few.submission.rows.assign(**dict.fromkeys(columns, "x"))))
    written = submission_frame(make_table(few), few)
    assert (written["d"] == "").all()
    assert told(written, few) == []
    written.loc[3, list(columns)] = ""
    assert told(written, few) == ["error: 1 row has no label: '00003'"]


def test_several_numbers_are_looked_at_column_by_column() -> None:
    """Two targets on scales of their own, which the sample names in another order than the training table."""
    generator = np.random.default_rng(0)
    truth = np.column_stack([generator.normal(0, 1, 200), generator.normal(100, 5, 200)]).astype(np.float32)
    both = make_competition("regression", rows=200, train_rows=200, classes=("angle", "length"), answer_columns=("length", "angle"))
    both = replace(both, truth=truth, submission=replace(both.submission, rows=both.submission.rows.assign(length="0", angle="0")))
    oof = as_table(both.train["id"].tolist(), truth, both.task)
    written = submission_frame(as_table(both.test["id"].tolist(), truth[::-1], both.task), both)
    assert told(written, both, oof) == []
    outside, mean = told(written.assign(angle=written["angle"] + 50), both, oof)
    assert outside.startswith("warning: 200 rows have a number of 'angle' outside [-")
    assert mean.startswith("warning: the mean of 'angle' is 5")


def test_a_ranking_of_several_columns_may_have_names_of_several_words() -> None:
    birds = make_competition("multiclass", answer="ranked", classes=("Blue Jay", "House Wren", "Crow"), places=2, answer_columns=("a", "b"))
    birds = replace(birds, submission=replace(birds.submission, rows=birds.submission.rows.assign(a="Blue Jay", b="Crow")))
    assert told(birds.submission.rows, birds) == []
    assert told(birds.submission.rows.assign(b="Jay"), birds)[0].startswith("error: 1 label is none of the 3 classes")


def test_rows_without_a_label_are_no_other_share_where_training_has_some() -> None:
    competition = make_competition("multilabel", rows=40, classes=("cat", "dog"))
    competition = replace(competition, truth=np.repeat([[0.0, 0.0], [1.0, 0.0]], 20, axis=0).astype(np.float32))
    assert competition.may_be_empty
    table = as_table(competition.test["id"].tolist(), np.repeat([[0.1, 0.05], [0.9, 0.1]], 20, axis=0), competition.task)
    assert told(submission_frame(table, competition), competition, table) == []


def test_lists_that_are_scored_as_rankings_have_the_shares_of_rankings() -> None:
    competition = make_competition("multilabel", rows=60, classes=("a", "b", "c", "d", "e"), metric="map3", train_rows=60)
    table = as_table(competition.test["id"].tolist(), np.random.default_rng(0).random((60, 5)) / 3, competition.task)
    assert told(submission_frame(table, competition), competition, table) == []


def test_labels_with_bars_between() -> None:
    tags = make_competition("multilabel", classes=("rust", "leaf miner"), separator="|")
    assert told(changed(tags, "target", "leaf miner|rust"), tags) == []
    assert "none of the 2 classes" in told(changed(tags, "target", "leaf miner rust"), tags)[0]
