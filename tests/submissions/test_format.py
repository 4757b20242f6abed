from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.contest import Answer, Competition
from competition.errors import CompetitionError
from competition.metrics import METRICS
from competition.tables import as_table
from competition.task import Kind
from submissions.check import check
from submissions.errors import SubmissionError
from submissions.format import FORMATS, csv_text, submission_frame
from tests.builders import make_competition, make_table

CASES = [(answer, kind) for answer, form in FORMATS.items() for kind in form.tasks]
seeds = st.integers(0, 2**32 - 1)


def table_of(competition: Competition, probs: list[list[float]]) -> pd.DataFrame:
    return as_table(competition.test["id"].tolist(), np.array(probs), competition.task)


def errors_of(frame: pd.DataFrame, competition: Competition) -> list[str]:
    return [str(problem) for problem in check(frame, competition) if problem.severity == "error"]


@pytest.mark.parametrize(("answer", "kind"), CASES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_order_of_the_table_does_not_matter(answer: Answer, kind: Kind, seed: int) -> None:
    competition = make_competition(kind, rows=9, answer=answer)
    table = make_table(competition, seed)
    shuffled = table.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(submission_frame(shuffled, competition), submission_frame(table, competition))


@pytest.mark.parametrize(
    ("answer", "kind", "metric"), [(a, k, name) for a, k in CASES for name, metric in METRICS.items() if k in metric.tasks]
)
@settings(max_examples=3, deadline=None)
@given(seed=seeds, sure=st.booleans())
def test_a_formatted_table_is_never_refused(answer: Answer, kind: Kind, metric: str, seed: int, sure: bool) -> None:
    """Also with predictions of exactly 0 and 1, and numbers far outside of the training rows."""
    competition = make_competition(kind, rows=7, answer=answer, metric=metric)
    probs = make_table(competition, seed).to_numpy()
    if sure:
        probs = probs * 1e30 if kind == "regression" else (probs == probs.max(axis=1, keepdims=True)).astype(np.float32)
    frame = submission_frame(as_table(competition.test["id"].tolist(), probs, competition.task), competition)
    assert errors_of(frame, competition) == []


@pytest.mark.parametrize(("kind", "count"), [("binary", 2), ("multiclass", 2), ("multiclass", 120), ("multilabel", 120)])
def test_probabilities_read_again_sum_to_1_and_are_as_predicted(kind: Kind, count: int, tmp_path) -> None:
    classes = tuple(f"c{place}" for place in range(count))
    competition = make_competition(kind, rows=500, answer="probabilities", metric="log_loss", classes=classes)
    table = make_table(competition)
    (tmp_path / "s.csv").write_text(csv_text(submission_frame(table, competition)))
    again = pd.read_csv(tmp_path / "s.csv", dtype={"id": str}).set_index("id")
    assert again.to_numpy() == pytest.approx(table.to_numpy(), abs=3e-6)
    if kind != "multilabel":
        assert again.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)


def test_log_loss_is_clipped_and_nothing_else_is() -> None:
    sure = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    clipped = make_competition("multiclass", rows=2, metric="log_loss")
    frame = submission_frame(table_of(clipped, sure), clipped)
    assert frame["cat"].tolist() == pytest.approx([1 - 2e-6, 1e-6], rel=1e-4)
    assert frame[["cat", "dog", "new whale"]].sum(axis=1).tolist() == pytest.approx([1, 1], abs=1e-12)
    as_is = make_competition("multiclass", rows=2, metric="roc_auc")
    assert submission_frame(table_of(as_is, sure), as_is)["cat"].tolist() == [1, 0]


def test_a_probability_is_the_positive_classs() -> None:
    competition = make_competition("binary", rows=2)
    assert submission_frame(table_of(competition, [[0.25, 0.75], [1, 0]]), competition)["target"].tolist() == [0.75, 0]


def test_labels_are_spelled_as_the_train_table_spells_them() -> None:
    competition = make_competition("multiclass", rows=3, answer="label", classes=("1", "03", "7"))
    frame = submission_frame(table_of(competition, [[0.2, 0.5, 0.3], [0.6, 0.2, 0.2], [0, 0, 1]]), competition)
    assert csv_text(frame) == "id,target\n00000,03\n00001,1\n00002,7\n"


def test_several_labels_are_separated_by_spaces_and_there_is_at_least_one() -> None:
    competition = make_competition("multilabel", rows=3)
    frame = submission_frame(table_of(competition, [[0.9, 0.1, 0.5, 0.4], [0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1]]), competition)
    assert frame["target"].tolist() == ["rust 12", "7", "rust scab 12 7"]


def test_where_all_would_be_single_numbers_one_row_gets_a_second() -> None:
    competition = make_competition("multilabel", rows=2, classes=("7", "12", "3"))
    frame = submission_frame(table_of(competition, [[0.9, 0.1, 0.2], [0.1, 0.4, 0.3]]), competition)
    assert frame["target"].tolist() == ["7", "12 3"]
    frame = submission_frame(table_of(competition, [[0.9, 0.1, 0.6], [0.1, 0.4, 0.3]]), competition)
    assert frame["target"].tolist() == ["7 3", "12"], "one row is a list already"
    named = make_competition("multilabel", rows=2, classes=("a", "12", "3"))
    assert submission_frame(table_of(named, [[0.9, 0.1, 0.2], [0.1, 0.4, 0.3]]), named)["target"].tolist() == ["a", "12"]


def test_a_ranking_names_the_likeliest_best_first() -> None:
    competition = make_competition("multiclass", rows=2, answer="ranked", classes=("w_1", "w_2", "new", "w_3"), places=3, metric="map3")
    frame = submission_frame(table_of(competition, [[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]]), competition)
    assert frame["target"].tolist() == ["w_3 new w_2", "w_1 w_2 new"]
    few = make_competition("multiclass", rows=1, answer="ranked", classes=("w_1", "w_2"))
    assert submission_frame(table_of(few, [[0.4, 0.6]]), few)["target"].tolist() == ["w_2 w_1"]


def test_a_ranking_may_have_a_column_a_place() -> None:
    columns = ("first", "second", "third")
    competition = make_competition("multiclass", rows=2, answer="ranked", classes=("w_1", "w_2"), places=3, answer_columns=columns)
    frame = submission_frame(table_of(competition, [[0.4, 0.6], [0.7, 0.3]]), competition)
    assert frame[list(columns)].to_numpy().tolist() == [["w_2", "w_1", ""], ["w_1", "w_2", ""]]
    birds = make_competition("multiclass", rows=1, answer="ranked", classes=("Blue Jay", "Crow"), places=2, answer_columns=columns[:2])
    frame = submission_frame(table_of(birds, [[0.4, 0.6]]), birds)
    assert frame[list(columns[:2])].to_numpy().tolist() == [["Crow", "Blue Jay"]]


def test_lists_that_are_scored_as_rankings_are_written_best_first() -> None:
    """As they are scored out of fold: however likely, and as many as count."""
    competition = make_competition("multilabel", rows=2, classes=("a", "b", "c", "d"), metric="map3")
    frame = submission_frame(table_of(competition, [[0.6, 0.9, 0.1, 0.7], [0.1, 0.2, 0.4, 0.3]]), competition)
    assert frame["target"].tolist() == ["b d a", "c d b"]


def test_labels_are_separated_as_the_sample_separates_them() -> None:
    competition = make_competition("multilabel", rows=1, classes=("rust", "leaf miner"), separator="|")
    assert submission_frame(table_of(competition, [[0.9, 0.9]]), competition)["target"].tolist() == ["rust|leaf miner"]
    parted = make_competition("multilabel", classes=("rust", "a|b"), separator="|")
    with pytest.raises(SubmissionError, match=r"separated by '\|', but 1 classes have '\|' in their names: 'a\|b'"):
        submission_frame(make_table(parted), parted)


def test_a_number_stays_within_the_training_rows() -> None:
    competition = replace(make_competition("regression", rows=3), truth=np.array([[1], [100]], np.float32))
    frame = submission_frame(table_of(competition, [[-3], [41.625], [100.2]]), competition)
    assert csv_text(frame) == "id,target\n00000,1\n00001,41.625\n00002,100\n"


def test_each_number_stays_within_its_own_training_rows_in_the_samples_columns() -> None:
    sample = pd.DataFrame({"id": ["00000", "00001"], "width": ["0", "0"], "height": ["0", "0"]}, dtype="str")
    made = make_competition("regression", rows=2, classes=("height", "width"), metric="mcrmse")
    submission = replace(made.submission, rows=sample, answer_columns=("width", "height"))
    competition = replace(made, submission=submission, truth=np.array([[1, 50], [10, 90]], np.float32))
    frame = submission_frame(table_of(competition, [[-3, 100], [20, 30]]), competition)
    assert csv_text(frame) == "id,width,height\n00000,90,1\n00001,50,10\n"


def test_a_number_that_is_scored_as_a_grade_is_a_whole_one() -> None:
    competition = replace(make_competition("regression", rows=2, metric="qwk"), truth=np.array([[0], [4]], np.float32))
    assert csv_text(submission_frame(table_of(competition, [[2.6], [7.0]]), competition)) == "id,target\n00000,3\n00001,4\n"


def test_rows_columns_and_their_order_are_the_samples() -> None:
    rows = pd.DataFrame({"id": ["00001", "NA", "00001"], "Usage": ["x", "", "007"], "dog": "", "cat": ""}, dtype="str")
    competition = make_competition("multiclass", metric="accuracy", answer="probabilities", rows=3, answer_columns=("dog", "cat"))
    competition = replace(competition, submission=replace(competition.submission, rows=rows))
    table = as_table(["NA", "00001", "beyond the sample"], np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [1, 0, 0]]), competition.task)
    frame = submission_frame(table, competition)
    assert csv_text(frame) == "id,Usage,dog,cat\n00001,x,0.75,0.125\nNA,,0.25,0.5\n00001,007,0.75,0.125\n"
    assert errors_of(frame, competition) == []


def test_classes_that_the_sample_leaves_out_are_not_written() -> None:
    competition = make_competition("multilabel", rows=1, answer="probabilities", metric="roc_auc", answer_columns=("scab", "rust"))
    competition = replace(competition, submission=replace(competition.submission, rows=competition.submission.rows[["id", "scab", "rust"]]))
    assert (
        csv_text(submission_frame(table_of(competition, [[0.1, 0.2, 0.3, 0.4]]), competition))
        == "id,scab,rust\n00000,0.200000003,0.100000001\n"
    )


def test_log_loss_over_some_of_the_classes_still_sums_to_1() -> None:
    competition = make_competition("multiclass", rows=1, metric="log_loss", answer_columns=("dog", "cat"))
    competition = replace(competition, submission=replace(competition.submission, rows=competition.submission.rows[["id", "dog", "cat"]]))
    frame = submission_frame(table_of(competition, [[0.25, 0.25, 0.5]]), competition)
    assert frame[["dog", "cat"]].to_numpy().tolist() == [[0.5, 0.5]]


def test_no_image_to_predict_gives_an_empty_submission() -> None:
    competition = make_competition("multiclass", rows=0)
    assert csv_text(submission_frame(make_table(competition), competition)) == "id,cat,dog,new whale\n"


def test_ids_without_a_prediction_are_named() -> None:
    competition = make_competition(rows=5, file="sample_submission.csv")
    table = make_table(competition).iloc[:1]
    with pytest.raises(
        SubmissionError,
        match=r"4 of 5 ids of sample_submission\.csv have no prediction: '00001', '00002', '00003' and 1 more\. Predict all images",
    ):
        submission_frame(table, competition)


@pytest.mark.parametrize(
    ("answer", "kind"), [(a, k) for a in FORMATS for k in ("binary", "multiclass", "multilabel", "regression") if (a, k) not in CASES]
)
def test_an_answer_that_the_task_does_not_give_is_named(answer: Answer, kind: Kind) -> None:
    competition = make_competition(kind, answer=answer)
    with pytest.raises(SubmissionError, match=rf"asks for '{answer}', which a {kind} task does not give: set competition\.answer \("):
        submission_frame(make_table(competition), competition)


def test_samples_that_do_not_fit_the_classes_are_named() -> None:
    probabilities = make_competition("multiclass", answer_columns=("cat", "bird"))
    with pytest.raises(SubmissionError, match=r"1 columns of the sample are none of the 3 classes: 'bird'"):
        submission_frame(make_table(probabilities), probabilities)
    label = make_competition("multiclass", answer="label", answer_columns=("a", "b"))
    with pytest.raises(SubmissionError, match=r"'label' stands in one column, the sample has 2: 'a', 'b'"):
        submission_frame(make_table(label), label)
    spaced = make_competition("multilabel", classes=("rust", "leaf miner"))
    with pytest.raises(SubmissionError, match=r"separated by spaces, but 1 classes have spaces in their names: 'leaf miner'"):
        submission_frame(make_table(spaced), spaced)
    with pytest.raises(CompetitionError, match=r"predictions: columns should be the classes"):
        submission_frame(make_table(spaced), probabilities)
