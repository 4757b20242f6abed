import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.config import FoldsConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.task import KINDS, Kind, Task
from folds.errors import FoldError
from folds.run import FULL
from folds.share_out import share_out
from folds.split import BY_COLUMN, GROUPED, SCHEMES, asked_folds, assign_folds, moments_of, settle_folds, tuning_rows
from tests.builders import CLASSES, make_competition, make_truth

TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}


def contest_of(truth: np.ndarray, task: Task, order: np.ndarray | None = None, **columns: list[str]) -> Competition:
    """A competition of such truth, its rows listed in that order; columns of the label table beside."""
    order = np.arange(len(truth)) if order is None else order
    whole = make_competition(task.kind, classes=task.classes)
    train = pd.DataFrame({"id": [f"row{place}" for place in range(len(truth))], **columns}, dtype="str").iloc[order].reset_index(drop=True)
    groups = train.get("patient")
    return replace(whole, train=train, truth=truth[order], groups=groups)


def cut(kind: Kind, rows: int, config: FoldsConfig, order: np.ndarray | None = None) -> pd.Series:
    """fold_of of random rows, listed in that order."""
    truth = make_truth(TASKS[kind], rows, np.random.default_rng(0))
    extra = {
        "patient": [f"p{place // 2 if place < rows // 3 else place}" for place in range(rows)],
        "when": [str(place % 30) for place in range(rows)],
    }
    return assign_folds(contest_of(truth, TASKS[kind], order, **extra), config)


def config_of(scheme: str, count: int = 5, seed: int = 0) -> FoldsConfig:
    column = "when" if scheme in BY_COLUMN else ""
    return FoldsConfig.model_validate({"scheme": scheme, "count": count, "seed": seed, "column": column})


EVEN = [scheme for scheme in SCHEMES if scheme in ("stratified", "plain")]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(rows=st.integers(50, 90), count=st.integers(2, 10), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_held_out_exactly_once(scheme: str, kind: Kind, rows: int, count: int, seed: int) -> None:
    fold_of = cut(kind, rows, config_of(scheme, count, seed))
    assert list(fold_of.index) == [f"row{place}" for place in range(rows)]
    sizes = Counter(fold_of)
    assert set(sizes) == set(range(30 if scheme == "column" else count))
    if scheme in EVEN:
        assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize("scheme", sorted(GROUPED))
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(rows=st.integers(60, 150), count=st.integers(2, 6), seed=st.integers(0, 2**32 - 1))
def test_no_group_crosses_a_fold(scheme: str, kind: Kind, rows: int, count: int, seed: int) -> None:
    """And folds are alike in size, but for a group."""
    generator = np.random.default_rng(seed)
    patients = [f"p{patient}" for patient in generator.integers(0, rows // 3, rows)]
    truth = make_truth(TASKS[kind], rows, generator)
    contest = contest_of(truth, TASKS[kind], patient=patients)
    fold_of = assign_folds(contest, config_of(scheme, count, seed))
    assert (fold_of.groupby(patients).nunique() == 1).all()
    sizes = fold_of.value_counts()
    assert len(sizes) == count
    assert sizes.max() - sizes.min() <= max(Counter(patients).values()) or scheme != "group"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_depends_on_ids_and_not_on_the_order_of_rows(scheme: str, kind: Kind) -> None:
    config = config_of(scheme)
    straight = cut(kind, 60, config)
    shuffled = cut(kind, 60, config, np.random.default_rng(1).permutation(60))
    pd.testing.assert_series_equal(shuffled.loc[straight.index], straight)


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme not in BY_COLUMN])
def test_the_same_settings_give_the_same_folds_and_another_seed_does_not(scheme: str) -> None:
    first = cut("multiclass", 60, config_of(scheme))
    pd.testing.assert_series_equal(first, cut("multiclass", 60, config_of(scheme)))
    assert (first != cut("multiclass", 60, config_of(scheme, seed=1))).any()


def test_the_folds_stay_what_they_were() -> None:
    """Runs made before are continued and blended by these folds."""
    assert "".join(map(str, cut("multiclass", 30, config_of("stratified", 3)))) == "021202221110112010021200122001"
    assert "".join(map(str, cut("multiclass", 30, config_of("plain", 3)))) == "212102000102111212000121022120"
    assert "".join(map(str, cut("multilabel", 30, config_of("iterative", 3)))) == "221000110210222112101002012021"
    assert "".join(map(str, cut("multilabel", 30, config_of("stratified_group", 3)))) == "221100221100220111110222012001"


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("rows", [40, 61, 97])
def test_each_fold_has_its_share_of_each_class_within_one(kind: Kind, rows: int) -> None:
    truth = make_truth(TASKS[kind], rows, np.random.default_rng(0))
    fold_of = cut(kind, rows, config_of("stratified")).to_numpy()
    counts = np.array([truth[fold_of == fold].sum(axis=0) for fold in range(5)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


def test_label_combinations_are_shared_out() -> None:
    truth = np.repeat(np.array([[1, 0, 0, 0], [0, 1, 1, 0]], np.float32), 20, axis=0)
    fold_of = assign_folds(contest_of(truth, TASKS["multilabel"]), config_of("stratified")).to_numpy()
    assert {(int(truth[fold_of == fold, 0].sum()), int(truth[fold_of == fold, 1].sum())) for fold in range(5)} == {(4, 4)}


def test_numbers_are_shared_out_by_their_size() -> None:
    truth = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    fold_of = assign_folds(contest_of(truth, TASKS["regression"]), config_of("stratified")).to_numpy()
    means = [float(truth[fold_of == fold].mean()) for fold in range(5)]
    assert max(means) - min(means) < 0.03


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("rows", [5, 7, 11, 23])
def test_combinations_and_deciles_too_rare_to_share_out_are_no_obstacle(kind: Kind, rows: int) -> None:
    assert Counter(Counter(cut(kind, rows, config_of("stratified"))).values()).keys() <= {rows // 5, rows // 5 + 1}


def test_one_rare_combination_is_no_obstacle() -> None:
    truth = np.zeros((41, 4), np.float32)
    truth[:20, 0], truth[20:40, 1], truth[40, 2] = 1, 1, 1
    assert assign_folds(contest_of(truth, TASKS["multilabel"]), config_of("stratified")).nunique() == 5


def test_rare_combinations_are_shared_out_together() -> None:
    """Five that are alone are as many as the folds, so that each gets one; a combination of five rows is shared out by itself."""
    truth = np.zeros((35, 8), np.float32)
    truth[:20, 0], truth[20:25, 1], truth[25:30, [1, 2]] = 1, 1, 1
    truth[range(30, 35), range(3, 8)] = 1
    folds = assign_folds(contest_of(truth, Task("multilabel", tuple("abcdefgh"))), config_of("stratified"))
    for alike in (slice(20), slice(20, 25), slice(25, 30), slice(30, 35)):
        assert len(set(Counter(folds[alike]).values())) == 1
        assert folds[alike].nunique() == 5


def test_tuning_rows_are_those_that_the_next_fold_holds_out() -> None:
    fold_of, all_of_them = pd.Series([0, 1, 2, 0, 1, 2]), np.ones(6, bool)
    assert [tuning_rows(fold_of, fold, all_of_them).tolist() for fold in (0, 1, 2)] == [[1, 4], [2, 5], [0, 3]]
    assert tuning_rows(fold_of, 0, np.array([1, 0, 1, 1, 1, 1], bool)).tolist() == [4], "of those that are trained on"


def test_of_two_folds_every_second_row_of_the_other_is_for_tuning() -> None:
    fold_of = pd.Series([0, 1, 1, 0, 1, 1])
    assert [tuning_rows(fold_of, fold, np.ones(6, bool)).tolist() for fold in (0, 1)] == [[1, 4], [0]]


def test_a_rare_class_is_named_with_the_remedies() -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 10 + ["dog"] * 10 + ["new whale"] * 3)
    text = r"1 classes have fewer images than .*: 'new whale \(3\)'\. Ask for fewer \w+ \(.* 3\), or deal them out .* iterative\)"
    with pytest.raises(FoldError, match=text):
        assign_folds(contest_of(truth, TASKS["multiclass"]), config_of("stratified"))
    assert assign_folds(contest_of(truth, TASKS["multiclass"]), config_of("plain")).nunique() == 5


@pytest.mark.parametrize("images", [0, 1])
def test_a_class_of_one_image_leaves_one_remedy_and_one_of_none_does_not_matter(images: int) -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 10 + ["dog"] * 10 + ["new whale"] * images)
    if not images:  # the sample submission names it, no training row has it
        assert assign_folds(contest_of(truth, TASKS["multiclass"]), config_of("stratified")).notna().all()
        return
    with pytest.raises(FoldError, match=r"'new whale \(1\)'. Deal them out as far as they go \(--folds.scheme iterative\)"):
        assign_folds(contest_of(truth, TASKS["multiclass"]), config_of("stratified"))


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "column"])
def test_fewer_rows_than_folds_is_an_error(scheme: str) -> None:
    with pytest.raises(FoldError, match=r"4 training rows cannot be cut into 5 folds: --folds\.count 4 at the most"):
        cut("regression", 4, config_of(scheme))


def test_ids_that_look_like_numbers_stay_text() -> None:
    contest = contest_of(np.ones((6, 1), np.float32), TASKS["regression"])
    contest = replace(contest, train=contest.train.assign(id=["007", "7", "1e3", "NA", "", "x,y"]))
    fold_of = assign_folds(contest, config_of("plain", 2))
    assert list(fold_of.index) == ["007", "7", "1e3", "NA", "", "x,y"]


@pytest.mark.parametrize(
    ("asked", "folds"), [("all", [0, 1, 2]), ("0", [0]), ("2,0", [0, 2]), (" 1 , 1", [1]), ("02", [2]), ("full", [FULL])]
)
def test_the_folds_asked_for(asked: str, folds: list[int]) -> None:
    assert asked_folds(asked, 3) == folds


@pytest.mark.parametrize("asked", ["3", "-1", "", "0,", "one", "0-2", "1.0", "ALL", "²"])
def test_folds_that_are_none(asked: str) -> None:
    with pytest.raises(FoldError, match="is none of the folds 0 to 2; it takes a number, several"):
        asked_folds(asked, 3)


def test_an_unknown_scheme_lists_the_nearest() -> None:
    with pytest.raises(CompetitionError, match="unknown fold scheme 'stratifed': perhaps 'stratified'"):
        cut("multiclass", 30, FoldsConfig().model_copy(update={"scheme": "stratifed"}))


def test_auto_is_stratified_where_every_class_has_images_enough() -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 10 + ["dog"] * 5 + ["new whale"] * 5)
    settled, (reason,) = settle_folds(contest_of(truth, TASKS["multiclass"]), FoldsConfig())
    assert (settled.scheme, reason.value) == ("stratified", "stratified")
    pd.testing.assert_series_equal(cut("multiclass", 60, FoldsConfig(groups="none")), cut("multiclass", 60, config_of("stratified")))


def test_auto_deals_rare_classes_out_and_names_them() -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 20 + ["dog"] * 3 + ["new whale"] * 2)
    settled, (reason,) = settle_folds(contest_of(truth, TASKS["multiclass"]), FoldsConfig())
    assert settled.scheme == "iterative"
    assert reason.why.startswith("2 classes have fewer images than the 5 folds: 'dog (3)', 'new whale (2)'. They are dealt out one by one")
    fold_of = assign_folds(contest_of(truth, TASKS["multiclass"]), FoldsConfig()).to_numpy()
    assert [(int(truth[fold_of == fold, 0].sum()), int(truth[fold_of == fold, 1:].sum())) for fold in range(5)] == [(4, 1)] * 5
    assert max(truth[fold_of == fold].sum(axis=0)[1:].max() for fold in range(5)) == 1


@pytest.mark.parametrize("scheme", ["stratified", "iterative", "plain"])
def test_a_scheme_asked_for_is_not_changed(scheme: str) -> None:
    truth = TASKS["multiclass"].encode(["cat"] * 20 + ["dog"])
    assert settle_folds(contest_of(truth, TASKS["multiclass"]), config_of(scheme)) == (
        config_of(scheme).model_copy(update={"groups": "none"}),
        [],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_kind_of_their_own_each_are_no_obstacle_to_auto(kind: Kind) -> None:
    task = TASKS[kind] if kind != "multiclass" else Task(kind, tuple(f"w_{place}" for place in range(12)))
    truth = make_truth(task, 12, np.random.default_rng(0))
    assert assign_folds(contest_of(truth, task), FoldsConfig()).nunique() == 5


def test_auto_keeps_detected_groups_together_and_says_so() -> None:
    truth = make_truth(TASKS["binary"], 60, np.random.default_rng(0))
    patients = [f"p{place // 3}" for place in range(60)]
    contest = contest_of(truth, TASKS["binary"], patient=patients)
    settled, (why, reason) = settle_folds(contest, FoldsConfig())
    assert (settled.scheme, settled.groups, reason.value) == ("stratified_group", "patient", "stratified_group")
    assert why.why == "20 groups of 60 rows stay together; --folds.groups none if they need not"
    pd.testing.assert_series_equal(assign_folds(contest, settled), assign_folds(contest, FoldsConfig()))
    alone, _ = settle_folds(contest, FoldsConfig(groups="none"))
    assert (alone.scheme, alone.groups) == ("stratified", "none")


def test_groups_that_the_scheme_asked_for_does_not_heed_are_named() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 60, np.random.default_rng(0)), TASKS["binary"], patient=["a", "b", "c"] * 20)
    _, (reason,) = settle_folds(contest, config_of("plain"))
    assert reason.why == "3 groups of 'patient' cross the folds, since scheme plain was asked for"
    assert not reason.sure


def test_groups_keep_each_class_shared_out() -> None:
    """A third of 300 patients is ill; each has one to five pictures."""
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 6, 300)
    patients = np.repeat(np.arange(300), sizes)
    truth = TASKS["binary"].encode(np.where(patients % 3 == 0, "1", "0").tolist())
    contest = contest_of(truth, TASKS["binary"], patient=[f"p{patient}" for patient in patients])
    fold_of = assign_folds(contest, FoldsConfig()).to_numpy()
    shares = [truth[fold_of == fold].mean(axis=0)[1] for fold in range(5)]
    assert max(shares) - min(shares) < 0.02
    assert np.ptp(np.bincount(fold_of)) <= 5


def test_each_label_is_shared_out_the_rarest_too() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((500, 4)) < [0.5, 0.2, 0.05, 0.02]).astype(np.float32)
    fold_of = assign_folds(contest_of(truth, TASKS["multilabel"]), FoldsConfig()).to_numpy()
    counts = np.array([truth[fold_of == fold].sum(axis=0) for fold in range(5)])
    assert (np.ptp(counts, axis=0) <= [2, 2, 1, 1]).all(), counts


def test_many_labels_take_no_more_memory_than_they_are() -> None:
    """One or two of a thousand labels a row: a table of all cells as float64 would be eight times as much."""
    labels, generator = np.zeros((4000, 1000), dtype=bool), np.random.default_rng(0)
    for _ in range(2):
        labels[np.arange(4000), generator.integers(0, 1000, 4000)] = True
    share_out(labels[:5], np.arange(5), 2, 0)  # imports
    tracemalloc.start()
    share_out(labels, np.arange(4000), 5, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < labels.nbytes


def test_a_file_of_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("id,group\nrow0,a\nrow1,a\nrow2,b\nrow3,b\nelsewhere,b\n", encoding="utf-8")
    contest = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"])
    settled, _ = settle_folds(contest, FoldsConfig(groups=str(path)))
    assert (settled.scheme, settled.groups) == ("stratified_group", str(path))
    for seed in range(5):
        fold_of = assign_folds(contest, settled.model_copy(update={"seed": seed}))
        assert (fold_of["row0"], fold_of["row2"]) == (fold_of["row1"], fold_of["row3"])
    assert fold_of.nunique() == 5  # those that the file does not name stand alone


def test_a_file_of_groups_with_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("id,group\n" + "".join(f"row{place},{'a' if place < 2 else ''}\n" for place in range(18)), encoding="utf-8")
    contest = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"])
    fold_of = assign_folds(contest, settle_folds(contest, FoldsConfig(groups=str(path)))[0])
    assert fold_of.value_counts().tolist() == [4] * 5  # they stand alone, too


GROUP_FAULTS = {
    "no such column": ("patiant", "--folds.groups patiant: the label table has no such column \\('when'\\)"),
    "no such file": ("nowhere.csv", r"--folds.groups nowhere.csv: cannot be read"),
    "other columns": ("ID,g\nrow0,a\n", r"needs the columns id and group, it has 'ID', 'g'"),
    "other ids": ("id,group\nx,a\n", r"none of its ids \('x'\) is a training id \('row0', 'row1', 'row2' and 17 more\)"),
}


@pytest.mark.parametrize("case", GROUP_FAULTS)
def test_groups_that_cannot_be(case: str, tmp_path: Path) -> None:
    given, text = GROUP_FAULTS[case]
    if "\n" in given:
        (tmp_path / "groups.csv").write_text(given, encoding="utf-8")
        given = str(tmp_path / "groups.csv")
    contest = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"], when=["1"] * 20)
    with pytest.raises(FoldError, match=text):
        settle_folds(contest, FoldsConfig(groups=given))


def test_as_many_groups_as_folds_are_enough() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"], patient=list("abcd") * 5)
    fold_of = assign_folds(contest, FoldsConfig(scheme="group", count=4, groups="patient"))
    assert fold_of.value_counts().tolist() == [5] * 4
    with pytest.raises(FoldError, match=r"4 groups cannot be cut into 5 folds: --folds\.count 4 at the most"):
        assign_folds(contest, FoldsConfig(scheme="group", count=5, groups="patient"))


def test_grouped_schemes_need_groups() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"])
    with pytest.raises(FoldError, match="fold scheme 'group' needs groups: name a column"):
        assign_folds(contest, config_of("group"))
    few = contest_of(make_truth(TASKS["binary"], 20, np.random.default_rng(0)), TASKS["binary"], patient=["a", "b"] * 10)
    with pytest.raises(FoldError, match=r"2 groups cannot be cut into 5 folds: --folds\.count 2 at the most"):
        assign_folds(few, config_of("group"))


ORDERS = {
    "numbers": (["10", "9", "2", "1", "30", "4"], [4, 3, 1, 0, 5, 2], "by number"),
    "dates": (["2021-02-01", "2020-12-31", "2021-01-15", "2020-01-01"], [3, 1, 2, 0], "as dates, year first"),
    "dates that letters would put elsewhere": (["2/1/2021", "12/31/2020", "1/15/2021", "11/1/2022"], [2, 0, 1, 3], "as dates, month first"),
    "days first": (["3/2/2021", "13/2/2021", "1/3/2021", "28/2/2021"], [0, 1, 3, 2], "as dates, day first"),
    "days first, with dots and two digits": (
        ["03.02.21", "13.02.21", "01.03.21", "31.12.32", "15.01.21"],
        [1, 2, 3, 4, 0],
        "as dates, day first",
    ),
    "hours": (["13-02-2021 2:00 PM", "13-02-2021 9:30 AM", "12-02-2021 11:00 PM"], [2, 1, 0], "as dates, day first"),
    "summer time ends": (
        ["2021-10-31T02:30:00+02:00", "2021-10-31T02:10:00+01:00", "2021-10-31T00:00:00Z"],
        [1, 2, 0],
        "as dates, year first",
    ),
    "read either way the order is one": (["01/03/2021", "01/04/2021", "01/02/2021"], [1, 2, 0], "as dates, day first"),
    "months by name": (["5 March 2021", "1 April 2021", "28 February 2021"], [1, 2, 0], "as dates"),
    "names": (["b", "a", "c", "b", "a", "c"], [1, 0, 2, 1, 0, 2], "by letter"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_values_have_an_order(case: str) -> None:
    values, ranks, how = ORDERS[case]
    places, read = moments_of(pd.Series(values, dtype="str"))
    assert (places.tolist(), read) == (ranks, how)


NO_ORDERS = {
    "days or months first": (
        ["03/02/2021", "02/03/2021", "05/04/2021"],
        r"may be read day first or month first: '03/02/2021'.*write them as 2021-03-14",
    ),
    "two digits a year": (["21-03-02", "20-04-05"], "may be read year first or day first: '21-03-02'"),
    "days first and months first": (
        ["13/02/2021", "02/13/2021"],
        "not all written in one way.*'13/02/2021', '02/13/2021'; write them as 2021",
    ),
    "one that is no date": (["2021-02-03", "2021-02-04", "unknown"], "or not all are dates: 'unknown'; write"),
}


@pytest.mark.parametrize("case", NO_ORDERS)
def test_dates_are_read_in_one_way_or_not_at_all(case: str) -> None:
    values, text = NO_ORDERS[case]
    with pytest.raises(FoldError, match=text):
        moments_of(pd.Series(values, dtype="str"))


def test_folds_of_time_say_how_they_read_it() -> None:
    contest = contest_of(
        make_truth(TASKS["binary"], 3, np.random.default_rng(0)), TASKS["binary"], when=["13.2.2021", "3.2.2021", "1.3.2021"]
    )
    _, (reason,) = settle_folds(contest, config_of("time", count=2))
    assert reason.why == "fold after fold along 'when', as dates, day first, from 3.2.2021 to 1.3.2021"


def test_a_column_of_folds_counts_numbers_not_spellings() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 40, np.random.default_rng(0)), TASKS["binary"], when=["1", "01", "1.0", "2"] * 10)
    config, _ = settle_folds(contest, config_of("column"))
    assert config.count == 2
    assert assign_folds(contest, config).tolist() == [0, 0, 0, 1] * 10


def test_time_goes_fold_by_fold() -> None:
    days = [str(place * 7 % 100) for place in range(100)]
    contest = contest_of(make_truth(TASKS["binary"], 100, np.random.default_rng(0)), TASKS["binary"], when=days)
    fold_of = assign_folds(contest, config_of("time")).to_numpy()
    of_fold = [sorted(int(day) for day, fold in zip(days, fold_of, strict=True) if fold == number) for number in range(5)]
    assert of_fold == [list(range(start, start + 20)) for start in range(0, 100, 20)]


@pytest.mark.parametrize(
    ("rows_a_moment", "sizes"),
    [
        ((60, 10, 10, 10, 10), [60, 10, 10, 10, 10]),
        ((1, 1, 1, 1, 96), [1, 1, 1, 1, 96]),
        ((10, 70, 5, 5, 5, 5), [80, 5, 5, 5, 5]),
        ((60, 10, 10, 10, 5, 5), [60, 10, 10, 10, 10]),
    ],
)
def test_no_fold_of_time_is_empty_also_where_many_rows_are_of_one_moment(rows_a_moment: tuple[int, ...], sizes: list[int]) -> None:
    when = [str(2000 + moment) for moment, rows in enumerate(rows_a_moment) for _ in range(rows)]
    contest = contest_of(make_truth(TASKS["binary"], len(when), np.random.default_rng(0)), TASKS["binary"], when=when)
    fold_of = assign_folds(contest, config_of("time"))
    assert fold_of.value_counts(sort=False).tolist() == sizes
    assert fold_of.is_monotonic_increasing
    assert fold_of.groupby(np.array(when)).nunique().eq(1).all()


def test_fewer_moments_than_folds() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 30, np.random.default_rng(0)), TASKS["binary"], when=["7", "3", "11"] * 10)
    with pytest.raises(FoldError, match=r"3 different moments cannot be cut into 5 folds: --folds\.count 3 at the most"):
        assign_folds(contest, config_of("time"))
    assert assign_folds(contest, config_of("time", count=3)).tolist() == [1, 0, 2] * 10


def test_rows_whose_group_is_not_said_stand_alone() -> None:
    """Also where the column is named: an empty cell is no patient whom half of the images show."""
    truth = make_truth(TASKS["binary"], 100, np.random.default_rng(0))
    contest = contest_of(truth, TASKS["binary"], patient=[str(row) if row < 60 else "" for row in range(0, 200, 2)])
    fold_of = assign_folds(contest, FoldsConfig(groups="patient"))
    assert fold_of.value_counts().between(18, 22).all()
    assert fold_of[[f"row{place}" for place in range(30, 100)]].nunique() == 5


def test_a_column_may_say_the_folds() -> None:
    contest = contest_of(make_truth(TASKS["binary"], 30, np.random.default_rng(0)), TASKS["binary"], when=["7", "3", "11"] * 10)
    settled, (reason,) = settle_folds(contest, config_of("column"))
    assert (settled.count, reason.why) == (3, "3 values of 'when' are the folds: '11', '3', '7'")
    assert assign_folds(contest, settled).tolist() == [1, 0, 2] * 10
    two = contest_of(contest.truth, contest.task, when=["b", "a"] * 15)
    assert assign_folds(two, settle_folds(two, config_of("column"))[0]).tolist() == [1, 0] * 15


@pytest.mark.parametrize("scheme", sorted(BY_COLUMN))
def test_a_column_that_is_not_there_or_not_fit(scheme: str) -> None:
    truth = make_truth(TASKS["binary"], 20, np.random.default_rng(0))
    with pytest.raises(FoldError, match=rf"fold scheme '{scheme}' needs a column of the label table \(--folds.column\): it has no others"):
        assign_folds(contest_of(truth, TASKS["binary"]), config_of(scheme))
    with pytest.raises(FoldError, match=r"\(--folds.column\): 'when'$"):
        assign_folds(contest_of(truth, TASKS["binary"], when=["1"] * 20), config_of(scheme).model_copy(update={"column": "id"}))
    for column in ("when", "wen"):
        for other in ("auto", *sorted(set(SCHEMES) - BY_COLUMN)):
            ignored = rf"--folds.column '{column}' plays no part in scheme {other}: --folds.scheme column .*label table: 'when'$"
            with pytest.raises(FoldError, match=ignored):
                settle_folds(
                    contest_of(truth, TASKS["binary"], when=["1"] * 20), FoldsConfig.model_validate({"scheme": other, "column": column})
                )
    with pytest.raises(FoldError, match="column 'when' is empty in 1 rows"):
        assign_folds(contest_of(truth, TASKS["binary"], when=["", *"1" * 19]), config_of(scheme))
    with pytest.raises(FoldError, match="column 'when' holds '1' only"):
        assign_folds(contest_of(truth, TASKS["binary"], when=["1"] * 20), config_of(scheme))


def test_folds_are_kept_for_the_next_start_until_what_they_follow_from_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = make_truth(TASKS["multiclass"], 60, np.random.default_rng(0))
    contest, config = contest_of(truth, TASKS["multiclass"], patient=[str(row // 2) for row in range(60)]), config_of("stratified")
    first = assign_folds(contest, config, tmp_path)
    with monkeypatch.context() as patched:
        patched.setitem(SCHEMES, "stratified", lambda rows: pytest.fail("they were kept"))
        pd.testing.assert_series_equal(assign_folds(contest, config, tmp_path), first)
    pd.testing.assert_series_equal(assign_folds(contest, config), first)
    other = contest_of(np.roll(truth, 1, axis=0), TASKS["multiclass"], patient=[str(row // 2) for row in range(60)])
    asked = [(contest, config.model_copy(update={"seed": 1})), (contest, config.model_copy(update={"count": 3})), (other, config)]
    couples, triples = contest, contest_of(truth, TASKS["multiclass"], patient=[str(row // 3) for row in range(60)])
    asked += [(contest, config_of("plain")), *((each, FoldsConfig(scheme="group", groups="patient")) for each in (couples, triples))]
    for kept, (changed, by) in enumerate(asked, start=2):
        pd.testing.assert_series_equal(assign_folds(changed, by, tmp_path), assign_folds(changed, by))
        assert len(list(tmp_path.iterdir())) == kept
