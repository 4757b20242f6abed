"""Detection: the ideas that layouts are mixed from, one small tree each; laws that hold for all of them; overrides; errors."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from competition.catalogue.metrics import METRIC_OF
from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.load import load
from competition.metrics import METRICS, check_metric
from competition.show import toml_text
from tests.layouts import CYCLE, LAYOUTS, SPECIES, Layout, Tree, archive, csv, picture, pictures, put, usual
from tests.miniatures import MINIATURES
from tests.miniatures.not_understood import NOT_UNDERSTOOD, bone_age
from tests.readings import READINGS


def ask(source: Path, **override: object) -> Competition:
    return load(CompetitionConfig.model_validate({"source": str(source), **override}))


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


def test_what_is_detected(layout: Layout, tmp_path: Path) -> None:
    found = ask(put(tmp_path / "contest", layout.tree()))
    assert (found.task.kind, found.metric, found.submission.answer) == (layout.task, layout.metric, layout.answer)
    assert found.task.classes == layout.classes
    assert (len(found.train), len(found.test)) == layout.rows
    assert (found.train["id"].iloc[0], found.test["id"].iloc[0]) == layout.first
    assert found.name == "contest"


@pytest.fixture(params=[*LAYOUTS, *MINIATURES, *READINGS])
def tree(request: pytest.FixtureRequest) -> Tree:
    return {**LAYOUTS, **MINIATURES, **READINGS}[request.param].tree()


@pytest.mark.parametrize("name", [*MINIATURES, *READINGS])
def test_miniatures_of_real_competitions(name: str, tmp_path: Path) -> None:
    wanted = {**MINIATURES, **READINGS}[name]
    found = ask(put(tmp_path / "contest", wanted.tree()))
    assert (found.task.kind, found.submission.answer, len(found.task.classes)) == (wanted.task, wanted.answer, wanted.classes)
    assert (len(found.train), found.train["id"].iloc[0]) == wanted.train
    assert (len(found.test), found.test["id"].iloc[0]) == wanted.test
    assert [reason.value for reason in found.reasons if reason.what == "groups"] == ([wanted.groups] if wanted.groups else [])
    assert any(note.startswith(wanted.note) for note in (*found.notes, ""))


def test_laws_of_every_competition(tree: Tree, tmp_path: Path) -> None:
    found = ask(put(tmp_path / "contest", tree))
    assert list(found.train.columns[:2]) == list(found.test.columns) == ["id", "image"]
    assert found.train["id"].is_unique
    assert found.test["id"].is_unique
    assert not set(found.train["image"]) & set(found.test["image"])
    assert found.truth.shape == (len(found.train), len(found.task.classes))
    assert found.truth.dtype == np.float32
    if found.task.one_of_many:
        assert (found.truth.sum(axis=1) == 1).all()
    for key in [*found.train["image"], *found.test["image"]]:
        assert found.images.read(key).shape == found.images.shape(key)
    assert found.images.stamp(found.train["image"].tolist()) == found.images.stamp(found.train["image"].tolist())
    rows = found.submission.rows
    assert rows.columns[0] == found.submission.id_column
    assert set(rows[found.submission.id_column]) == set(found.test["id"])
    assert set(found.submission.answer_columns) <= set(rows.columns)
    assert {"labels", "target", "task", "test", "answer", "metric"} <= {reason.what for reason in found.reasons}
    assert check_metric(found.metric, found.task) == found.metric


def same(one: Competition, other: Competition) -> bool:
    return (
        (one.name, one.task, one.metric, one.submission.answer, one.submission.answer_columns)
        == (other.name, other.task, other.metric, other.submission.answer, other.submission.answer_columns)
        and one.train.equals(other.train)
        and one.test.equals(other.test)
        and one.submission.rows.equals(other.submission.rows)
        and np.array_equal(one.truth, other.truth)
    )


def test_a_zip_is_the_same_competition(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "contest.zip").write_bytes(archive(tree))
    assert same(ask(put(tmp_path / "contest", tree)), ask(tmp_path / "contest.zip"))


def test_every_guess_written_out_gives_the_same(tree: Tree, tmp_path: Path) -> None:
    found = ask(put(tmp_path / "contest", tree))
    assert found.settled is not None
    assert same(found, load(found.settled))
    text = toml_text(found, str(tmp_path / "contest"))
    as_written = tomllib.loads(text)["competition"]
    assert as_written == {"source": str(tmp_path / "contest")}
    fields = CompetitionConfig.model_fields
    settled = "\n".join(
        line.removeprefix("# ") if line.removeprefix("# ").partition(" = ")[0] in fields else line for line in text.splitlines()
    )
    keys = tomllib.loads(settled)["competition"]
    assert {"metric", "task", "answer", "labels"} <= set(keys)
    assert same(found, load(CompetitionConfig.model_validate(keys)))


ENCODINGS = {
    "a byte order mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16 without a mark": lambda text: text.encode("utf-16-le"),
    "latin-1": lambda text: text.encode("latin-1"),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs and carriage returns": lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode(),
    "quotes": lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()).encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_of_any_encoding(encoding: str, tmp_path: Path) -> None:
    tree = usual(["m\u00fcsli", "br\u00f6tchen", "caf\u00e9"] * 3, ["caf\u00e9"] * 4)
    plain = ask(put(tmp_path / "plain", tree))
    for name in ("train.csv", "sample_submission.csv"):
        tree[name] = ENCODINGS[encoding](tree[name])
    found = ask(put(tmp_path / "other", tree), slug="plain")
    assert found.task.classes == ("br\u00f6tchen", "caf\u00e9", "m\u00fcsli")
    assert same(plain, found)


def test_rows_keep_the_samples_order_and_repeats(tmp_path: Path) -> None:
    tree = usual("01" * 4, ["0.5"] * 4)
    tree["sample_submission.csv"] = csv("id,label", ["b003,0.5", "b001,0.5", "b003,0.5", "b000,0.5"])
    found = ask(put(tmp_path, tree))
    assert found.submission.rows["id"].tolist() == ["b003", "b001", "b003", "b000"]
    assert found.test["id"].tolist() == ["b003", "b001", "b000"]
    assert any("1 images of the test folder are not in sample_submission.csv" in note for note in found.notes)


def test_folders_of_a_test_set_are_its_truth(tmp_path: Path) -> None:
    found = ask(put(tmp_path, LAYOUTS["a folder a class, test too"].tree()))
    assert found.test_truth is not None
    assert found.test_truth.sum(axis=0).tolist() == [2, 2, 2]
    assert found.submission.file is None
    assert list(found.submission.rows.columns) == ["id", "label"]
    labelled = ask(put(tmp_path / "pixels", LAYOUTS["a column a pixel, test labels and no sample"].tree()))
    assert labelled.test_truth is not None
    assert labelled.test_truth.argmax(axis=1).tolist() == [0, 1, 2, 0]
    assert ask(put(tmp_path / "plain", LAYOUTS["class names with spaces"].tree())).test_truth is None


def test_columns_only_in_train_are_not_used(tmp_path: Path) -> None:
    tree = usual("01" * 4, "0000") | {"test.csv": csv("id,age", [f"b{n:03d},{n}" for n in range(4)])}
    tree["train.csv"] = csv("id,age,diagnosis,label", [f"a{n:03d},{n},{'bad' if n % 2 else 'good'},{n % 2}" for n in range(8)])
    found = ask(put(tmp_path, tree))
    assert found.task.classes == ("0", "1")
    assert "only in train.csv and not used: 'diagnosis'" in found.notes


NAMED: dict[str, tuple[Sequence[str], str, str, dict[str, str], tuple[str, ...], bool]] = {  # labels, header, cell, more, classes, sure
    "a table": ("012", "id,class", "owl", {"names.csv": "number,name\n0,owl\n1,cat\n2,dog\n"}, ("owl", "cat", "dog"), True),
    "JSON": ("012", "id,class", "owl", {"names.json": '{"0": "owl", "1": "cat", "2": "dog"}'}, ("owl", "cat", "dog"), True),
    "lines counted from 1": ("123", "id,class", "owl", {"classes.txt": "owl\ncat\ndog\n"}, ("owl", "cat", "dog"), True),
    "capitals": ("abc", "id,class", "B", {}, ("A", "B", "C"), False),
    "numbers in names": (["c 1", "c 2", "c 10"], "id,class", "2", {}, ("1", "2", "10"), False),
    "fractions of nothing": (["0.0", "1.0", "2.0"], "id,class", "2", {}, ("0", "1", "2"), True),
    "a column a class": ("012", "id,p_2,p_0,p_1", "0.3,0.3,0.4", {}, ("p_0", "p_1", "p_2"), True),
    "true and false": (["no", "yes"], "id,class", "0|1", {}, ("0", "1"), False),
    "a number that no class has": (["c 1", "c 2", "c 3"], "id,class", "0", {}, ("c 1", "c 2", "c 3"), True),
    "a table with fewer classes": ("012", "id,class", "owl", {"names.csv": "number,name\n0,owl\n1,cat\n"}, ("0", "1", "2"), True),
    "the sample has the same": ("012", "id,class", "2", {"names.csv": "number,name\n0,2\n1,0\n2,1\n"}, ("0", "1", "2"), True),
}


@pytest.mark.parametrize("case", NAMED)
def test_classes_are_called_as_the_sample_calls_them(case: str, tmp_path: Path) -> None:
    labels, header, cell, more, classes, sure = NAMED[case]
    tree = usual(list(labels) * 4, [cell] * 4)
    tree["sample_submission.csv"] = csv(header, [f"b{n:03d},{cell.split('|')[n % len(cell.split('|'))]}" for n in range(4)])
    found = ask(put(tmp_path, tree | more))
    assert found.task.classes == classes
    assert found.truth.argmax(axis=1).tolist() == [n % len(classes) for n in range(4 * len(classes))]
    told = [reason for reason in found.reasons if reason.what == "names"]
    assert bool(told) == (set(classes) != set(labels))
    assert all(reason.sure for reason in told) == sure


SEPARATED: dict[str, tuple[str, str, str]] = {
    "as in the sample": ("red big", "red|big", "|"),
    "as in training, where the sample has no list": ("red|big", "red", "|"),
    "spaces": ("red big", "red", " "),
    "spaces, where training has brackets": ("['red', 'big']", "red", " "),
}


@pytest.mark.parametrize("case", SEPARATED)
def test_lists_are_separated_as_in_the_sample(case: str, tmp_path: Path) -> None:
    several, cell, wanted = SEPARATED[case]
    alone = ["['red']", "['big']"] if several.startswith("[") else ["red", "big"]
    found = ask(put(tmp_path, usual([f'"{label}"' for label in [several, *alone] * 4], [cell] * 4)))
    assert (found.task.kind, found.task.classes, found.submission.separator) == ("multilabel", ("big", "red"), wanted)


TWO_NUMBERS: dict[str, tuple[list[str], str, str, tuple[str, str]]] = {
    "-1 and 1": (["-1", "1"], "-1", "label", ("-1", "1")),
    "1 and 2": (["2", "1"], "1", "label", ("1", "2")),
    "0 and 1": (["1", "0"], "0", "probability", ("0", "1")),
    "1 and 2, a share": (["2", "1"], "0.5", "probability", ("1", "2")),
}


@pytest.mark.parametrize("case", TWO_NUMBERS)
def test_two_classes_that_are_numbers(case: str, tmp_path: Path) -> None:
    labels, cell, answer, classes = TWO_NUMBERS[case]
    found = ask(put(tmp_path, usual(labels * 4, [cell] * 4)))
    assert (found.submission.answer, found.task.classes) == (answer, classes)


@pytest.mark.parametrize("cells", ["0000", "0101"])
@pytest.mark.parametrize(
    ("metric", "answer"), [("f1", "label"), ("accuracy", "label"), ("roc_auc", "probability"), ("log_loss", "probability")]
)
def test_a_metric_that_is_known_says_what_two_classes_are_answered_by(cells: str, metric: str, answer: str, tmp_path: Path) -> None:
    tree = usual("010101010", cells)
    assert ask(put(tmp_path / "contest", tree), metric=metric).submission.answer == answer


def test_few_training_rows_without_an_image_are_left_out(tmp_path: Path) -> None:
    tree = without(usual(CYCLE * 5, CYCLE[:4]), "train/a001", "train/a040") | pictures(["train/spare.png"])
    found = ask(put(tmp_path, tree))
    assert len(found.train) == 43
    (reason,) = [reason for reason in found.reasons if reason.what == "labels"]
    assert reason.why.endswith("; 2 of 45 rows have no image and are left out: 'a001', 'a040'")
    assert not reason.sure
    assert "1 images of the training folder are in no row of train.csv: they are left out" in found.notes


def test_the_same_names_in_each_folder_are_doubted(tmp_path: Path) -> None:
    pairs = pictures(f"train/{kind}/a{n}.png" for kind in ("hr", "lr") for n in range(4)) | pictures(f"test/{n}.png" for n in range(3))
    (reason,) = [reason for reason in ask(put(tmp_path, pairs)).reasons if reason.what == "labels"]
    assert not reason.sure
    assert reason.why.endswith("the same file names in each: are these classes?")


def test_versions_of_a_table_are_no_parts(tmp_path: Path) -> None:
    tree = usual(CYCLE, CYCLE[:4])
    tree["train_v2.csv"] = tree.pop("train.csv")
    tree["train_v1.csv"] = tree["train_v2.csv"]
    found = ask(put(tmp_path, tree))
    assert len(found.train) == 9
    assert not any("taken together" in note for note in found.notes)


def test_a_header_that_is_called_as_an_image_is_a_header(tmp_path: Path) -> None:
    found = ask(put(tmp_path, usual(CYCLE, CYCLE[:4], header="tag,label") | pictures(["train/tag.png", "train/label.png"])))
    assert (len(found.train), found.submission.id_column) == (9, "tag")


def test_patients_are_groups(tmp_path: Path) -> None:
    tree = usual("01" * 15, "0000")
    tree["train.csv"] = csv("id,patient_id,label", [f"a{n:03d},p{n // 2},{n % 2}" for n in range(30)])
    found = ask(put(tmp_path, tree))
    assert found.groups is not None
    assert found.groups.tolist() == [f"p{n // 2}" for n in range(30)]
    assert [reason.value for reason in found.reasons if reason.what == "groups" and not reason.sure] == ["patient_id"]


def test_doubtful_guesses_are_marked(tmp_path: Path) -> None:
    sure = ask(put(tmp_path / "a", LAYOUTS["class names with spaces"].tree()))
    assert all(reason.sure for reason in sure.reasons)
    doubtful = ask(put(tmp_path / "b", LAYOUTS["two classes, a sample of zeros"].tree()))
    assert [reason.what for reason in doubtful.reasons if not reason.sure] == ["answer", "metric"]
    grades = ask(put(tmp_path / "c", usual("01234" * 2, "0000")))
    assert [reason.why for reason in grades.reasons if not reason.sure] == [
        "class labels; 5 consecutive numbers may be grades, scored by a weighted kappa"
    ]


METRIC_SAYS: dict[str, tuple[str, str, str]] = {
    "grades": ("01234", "qwk", "ordinal"),
    "a severity": ("01234", "qwk", "ordinal"),
    "numbers": ("01234", "rmse", "regression"),
    "classes": ("01234", "accuracy", "multiclass"),
    "a count that is a class": ("01234", "f1_macro", "multiclass"),
}


@pytest.mark.parametrize("case", METRIC_SAYS)
def test_a_metric_that_is_known_says_what_whole_numbers_are(case: str, tmp_path: Path) -> None:
    labels, metric, kind = METRIC_SAYS[case]
    header = {"a count that is a class": "id,count", "a severity": "id,severity"}.get(case, "id,label")
    found = ask(put(tmp_path, usual(labels * 2, "0000", header=header)), metric=metric)
    assert found.task.kind == kind
    reason = next(reason for reason in found.reasons if reason.what == "task")
    assert reason.sure or kind == "multiclass"


def test_grades_need_numbers(tmp_path: Path) -> None:
    put(tmp_path, usual(["mild", "severe", "none"] * 3, ["mild"] * 4))
    with pytest.raises(CompetitionError, match=r"task 'ordinal' is impossible: column 'label' holds 'mild', 'none', 'severe', no numbers"):
        ask(tmp_path, task="ordinal")


def test_rows_without_a_label_and_repeated_rows(tmp_path: Path) -> None:
    tree = usual(["x", "y", ""] * 3, ["x"] * 4)
    tree["train.csv"] = str(tree["train.csv"]) + "a000,x\n"
    found = ask(put(tmp_path, tree))
    assert len(found.train) == 6
    assert found.notes == (
        "1 images have more than one row in train.csv: their rows are taken together",
        "3 rows of train.csv have no label: they are left out",
    )
    tree["train.csv"] = str(tree["train.csv"]) + "a001,x\n"
    with pytest.raises(CompetitionError, match=r"train.csv: 1 ids are there more than once with different labels: 'a001'"):
        ask(put(tmp_path, tree))
    several = ask(tmp_path, task="multilabel")
    assert several.truth[several.train["id"].tolist().index("a001")].tolist() == [1, 1]


OVERRIDES: dict[str, tuple[dict[str, object], Callable[[Competition], object], object]] = {
    "slug": ({"slug": "my-contest"}, lambda found: found.name, "my-contest"),
    "metric": ({"metric": "f1_macro"}, lambda found: found.metric, "f1_macro"),
    "task": ({"task": "regression", "target_columns": ["size"]}, lambda found: found.task.kind, "regression"),
    "labels": ({"labels": "other.csv"}, lambda found: found.truth.argmax(axis=1).tolist(), [2, 1, 0] * 3),
    "folders": ({"labels": "folders"}, lambda found: found.task.classes, ("even", "odd")),
    "id_column": ({"id_column": "file"}, lambda found: found.train["id"].iloc[0], "a000.png"),
    "target_columns": ({"target_columns": ["size"]}, lambda found: found.submission.answer_columns, ("label",)),
    "sample": ({"sample": "again.csv"}, lambda found: found.test["id"].tolist(), ["b003", "b002"]),
    "answer": ({"task": "multiclass", "answer": "label"}, lambda found: found.submission.answer, "label"),
}


def rich_tree() -> Tree:
    tree = usual("123" * 3, "1111")
    train = [f"train/{'even' if n % 2 == 0 else 'odd'}/a{n:03d}.png" for n in range(9)]
    return {
        **{name: data for name, data in tree.items() if not name.startswith("train/")},
        **pictures(train),
        "train.csv": csv("id,file,label,size,u,v", [f"a{n:03d},a{n:03d}.png,{1 + n % 3},{n},{n % 2},{1 - n % 2}" for n in range(9)]),
        "other.csv": csv("id,label_2", [f"a{n:03d},{3 - n % 3}" for n in range(9)]),
        "again.csv": csv("id,label", ["b003,1", "b002,1"]),
    }


@pytest.mark.parametrize("name", OVERRIDES)
def test_every_guess_can_be_overridden(name: str, tmp_path: Path) -> None:
    override, look, wanted = OVERRIDES[name]
    assert look(ask(put(tmp_path, rich_tree()), **override)) == wanted


IMPOSSIBLE: dict[str, tuple[dict[str, object], str]] = {
    "no such metric": ({"metric": "acuracy"}, "unknown metric 'acuracy': perhaps 'accuracy'"),
    "metric of another task": ({"metric": "rmse", "task": "multiclass"}, "metric 'rmse' does not fit a multiclass task"),
    "binary of three": ({"task": "binary"}, r"task 'binary' is impossible: column 'label' holds 3 classes \('1', '2', '3'\)"),
    "no such table": ({"labels": "trian.csv"}, "unknown label table 'trian.csv': perhaps 'train.csv'"),
    "a table without images": ({"labels": "colours.csv"}, "colours.csv: no column names images, its columns are 'colour', 'code'"),
    "no such id column": ({"id_column": "image"}, "train.csv: there is no column 'image', its columns are 'id', 'file', 'label'"),
    "an id column that is none": (
        {"labels": "train.csv", "id_column": "u"},
        "train.csv: images are missing for 9 of 9 rows, column 'u': '0'",
    ),
    "no such target": ({"target_columns": ["lable"]}, r"train.csv: there is no column 'lable' to predict \(perhaps 'label'"),
    "no such sample": ({"sample": "sample.csv"}, "unknown sample submission 'sample.csv'"),
    "an answer of another task": (
        {"answer": "probability"},
        "answer 'probability' is impossible for a multiclass task: it takes probabilities, label",
    ),
    "an answer for other columns": (
        {"answer": "probabilities"},
        r"sample_submission.csv: 1 columns are none of the classes \('1', '2', '3'\): 'label'",
    ),
    "targets that the sample does not ask for": (
        {"target_columns": ["u", "v"], "answer": "probabilities"},
        r"sample_submission.csv: 1 columns are none of the classes \('u', 'v'\): 'label'",
    ),
    "names that are none": ({"labels": "names"}, "no labels were found: names do not begin with a class and end with a number. Tables"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_override_is_one_error(name: str, tmp_path: Path) -> None:
    override, text = IMPOSSIBLE[name]
    tree = {**rich_tree(), "colours.csv": csv("colour,code", ["red,r", "blue,b"])}
    with pytest.raises(CompetitionError, match=text):
        ask(put(tmp_path, tree), **override)


def without(tree: Tree, *begins: str) -> Tree:
    return {name: data for name, data in tree.items() if not name.startswith(begins)}


FAULTS: dict[str, tuple[Callable[[], Tree], str]] = {
    "nothing at all": (lambda: {}, "no images and no table with pixel columns: there are no files"),
    "text only": (
        lambda: {"train.csv": "id,text\n1,hello\n", "a.txt": "hello"},
        r"no images and no table.*there are 2 files \(1 .csv, 1 .txt\)",
    ),
    "training images missing": (
        lambda: without(usual(CYCLE, CYCLE[:4]), "train/a001", "train/a002"),
        r"train.csv: images are missing for 2 of 9 rows, column 'id': 'a001' \(train/a001.png\), 'a002' \(train/a002.png\)",
    ),
    "test images missing": (
        lambda: without(usual(CYCLE, CYCLE[:4]), "test/b001"),
        r"sample_submission.csv: images are missing for 1 of 4 rows, column 'id': 'b001' \(test/b001.png\)",
    ),
    "no test images": (
        lambda: without(usual(CYCLE, CYCLE[:4]), "test/"),
        "sample_submission.csv: images are missing for 4 of 4 rows, column 'id': 'b000' .* and 1 more",
    ),
    "a sample of training images": (
        lambda: usual(CYCLE, CYCLE[:4]) | {"sample_submission.csv": csv("id,label", ["a000,x", "a001,x"])},
        "sample_submission.csv: 2 of 2 ids are images that train.csv labels, not test images: 'a000', 'a001'",
    ),
    "an empty sample": (
        lambda: usual(CYCLE, CYCLE[:4]) | {"sample_submission.csv": "id,label\n"},
        "the sample submission has no rows: the test set is empty",
    ),
    "a sample of ids only": (
        lambda: usual(CYCLE, CYCLE[:4]) | {"sample_submission.csv": "id\nb000\n"},
        "a sample submission needs an id and a column to fill in",
    ),
    "no test set": (
        lambda: pictures(f"train/{label}/{n}.png" for label in SPECIES for n in range(3)),
        "the test set is empty: no sample submission",
    ),
    "no labels": (
        lambda: pictures(f"train/{n}.png" for n in range(5)) | pictures(f"test/{n}.png" for n in range(5)),
        "no labels were found: no table has a column that names images",
    ),
    "a label table without labels": (
        lambda: usual(CYCLE, CYCLE[:4]) | {"train.csv": csv("id,width,height", [f"a{n:03d},{n % 2},{n % 3}" for n in range(9)])},
        "train.csv: no column of labels was found, the sample submission asks for 'label'; its columns are 'id', 'width', 'height'",
    ),
    "two tables that disagree": (
        lambda: usual(CYCLE, CYCLE[:4]) | {"labels.csv": csv("id,label", [f"a{n:03d},{CYCLE[n + (n == 4) - (n == 5)]}" for n in range(9)])},
        "two label tables disagree: .*'train.csv'.* for 2 of 9 ids \\('a004', 'a005'\\): choose one by --competition.labels",
    ),
    "one class": (lambda: usual(["x"] * 9, ["x"] * 4), r"one class only \('x'\): there is nothing to tell apart"),
    "empty labels": (lambda: usual([""] * 9, ["x"] * 4), "column 'label' is empty in all 9 rows: there are no labels in it"),
    "words among the numbers of several columns": (
        lambda: usual(["1.5,2.5", "many,4"] * 4, ["0,0"] * 4, header="id,x,y"),
        "train.csv: columns 'x', 'y' should hold numbers, they hold 'many' too: choose one by --competition.target-columns",
    ),
    "unsure labels in several columns": (
        lambda: usual(["1,0", "-1,1"] * 4, ["0,0"] * 4, header="id,x,y"),
        "columns 'x', 'y' should hold 0 and 1, they hold '-1', '0', '1': choose one by .*, or say --competition.task regression",
    ),
    "empty cells in several columns": (
        lambda: usual(["1,0", ",1"] * 4, ["0,0"] * 4, header="id,x,y"),
        "train.csv: 4 rows have empty cells among 'x', 'y', the first is row 2",
    ),
    "too few columns in the sample": (
        lambda: usual("xyz" * 3, ["0"] * 4) | {"sample_submission.csv": csv("id,x,y,w", [f"b{n:03d},0,0,0" for n in range(4)])},
        r"sample_submission.csv: 1 columns are none of the classes \('x', 'y', 'z'\): 'w'",
    ),
    "pixels of another number": (
        lambda: LAYOUTS["a column a pixel"].tree() | {"sample_submission.csv": csv("ImageId,Label", [f"{n},0" for n in range(1, 9)])},
        "sample_submission.csv does not fit test.csv: 8 ids .* for 4 rows of pixels",
    ),
    "pixels and no test": (
        lambda: without(LAYOUTS["a column a pixel"].tree(), "test"),
        "the test set is empty: there is no table of pixels beside train.csv",
    ),
    "a cut archive inside": (
        lambda: without(usual(CYCLE, CYCLE[:4]), "test/") | {"test.zip": archive(pictures(["b000.png"]))[:60]},
        "images are missing for 4 of 4 rows.* Could not be opened: .*test.zip: the zip is cut",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_clear_error(name: str, tmp_path: Path) -> None:
    tree, text = FAULTS[name]
    (tmp_path / "contest").mkdir()
    with pytest.raises(CompetitionError, match=text):
        ask(put(tmp_path / "contest", tree()))


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_one_clear_error(name: str, tmp_path: Path) -> None:
    tree, text = NOT_UNDERSTOOD[name]
    with pytest.raises(CompetitionError, match=text):
        ask(put(tmp_path, tree()))


def test_a_target_that_nothing_says_can_be_named(tmp_path: Path) -> None:
    found = ask(put(tmp_path, bone_age()), target_columns=["boneage"])
    assert (found.task.kind, found.task.classes, len(found.train), len(found.test)) == ("regression", ("boneage",), 12, 4)


def test_labels_of_another_table_are_joined_by_an_id(tmp_path: Path) -> None:
    tree = {
        **pictures(f"photos/{n}.jpg" for n in range(12)),
        "photos.csv": csv("file,plant", [f"{n}.jpg,p{n}" for n in range(8)]),
        "plants.csv": csv("plant,species", [f"p{n},{SPECIES[n % 3]}" for n in range(8)]),
        "sample_submission.csv": csv("file,species", [f"{n}.jpg,{SPECIES[0]}" for n in range(8, 12)]),
    }
    found = ask(put(tmp_path, tree))
    assert (found.task.classes, len(found.train)) == (SPECIES, 8)
    assert "plants.csv has the labels for photos.csv, by 'plant'" in found.notes


def test_test_rows_of_the_label_table_are_no_training_rows(tmp_path: Path) -> None:
    found = ask(put(tmp_path, MINIATURES["chest x-rays: a table of all, and lists of train and test"].tree()))
    assert any(note.startswith("6 rows of Data_Entry_2017.csv are of test images") for note in found.notes)
    assert not set(found.train["image"]) & set(found.test["image"])


def test_labels_of_test_rows_beside_a_split_column_are_their_truth(tmp_path: Path) -> None:
    found = ask(put(tmp_path, MINIATURES["cub-200"].tree()))
    assert found.test_truth is not None
    assert found.test_truth.argmax(axis=1).tolist() == [0, 1, 2]
    assert "'train_test_split' of images.txt tells 3 test rows from 12 training rows" in found.notes


def test_pixels_in_one_cell_are_those_of_the_row(tmp_path: Path) -> None:
    rows = [" ".join(str((row + place) % 256) for place in range(36)) for row in range(6)]
    tree: Tree = {
        "faces.csv": csv("emotion,pixels,Usage", [f'{n % 2},"{row}",{"Test" if n > 3 else "Training"}' for n, row in enumerate(rows)])
    }
    found = ask(put(tmp_path, tree))
    assert (len(found.train), len(found.test)) == (4, 2)
    for frame, first in ((found.train, 0), (found.test, 4)):
        for place, key in enumerate(frame["image"]):
            assert found.images.read(key).ravel().tolist() == [(first + place + pixel) % 256 for pixel in range(36)]


def test_a_letter_that_is_cut_in_a_table_of_pixels_is_named(tmp_path: Path) -> None:
    faces = csv("emotion,pixels", [f'{"猫狗"[n % 2]},"{n + 9} {"7 " * 34}0"' for n in range(6)]).encode()
    with pytest.raises(CompetitionError, match=r"faces.csv: row 6 is no UTF-8: it is damaged, or the table has to be saved as UTF-8"):
        ask(put(tmp_path, {"faces.csv": faces[: faces.rindex(b",")][:-1] + faces[faces.rindex(b",") :]}))


GROUPS: dict[str, tuple[str, list[str], str | None]] = {
    "patients": ("patient_id", [f"p{n // 2}" for n in range(40)], "patient_id"),
    "sequences in locations": ("location,seq_id", [f"{n // 4},s{n // 2}" for n in range(40)], "location"),
    "a hospital's number": ("site_id", [f"{n // 4}" for n in range(40)], "site_id"),
    "a site alone": ("site", [f"{n // 4}" for n in range(40)], "site"),
    "a family of species": ("family", [f"{n // 4}" for n in range(40)], None),
    "a site of the body": ("anatom_site", [f"{n // 4}" for n in range(40)], None),
    "the age of patients": ("patient_age", [f"{n // 4}" for n in range(40)], None),
    "frames of a sequence": ("seq_num_frames", [f"{n // 4}" for n in range(40)], None),
    "a patient an image": ("patient_id", [f"p{n}" for n in range(40)], None),
    "few values": ("camera", [f"{n % 3}" for n in range(40)], None),
}


@pytest.mark.parametrize("name", GROUPS)
def test_which_column_is_one_of_groups(name: str, tmp_path: Path) -> None:
    columns, cells, wanted = GROUPS[name]
    tree = usual("01" * 20, ["0.5"] * 4)
    tree["train.csv"] = csv(f"id,{columns},label", [f"a{n:03d},{cell},{n % 2}" for n, cell in enumerate(cells)])
    found = ask(put(tmp_path, tree))
    reasons = [reason for reason in found.reasons if reason.what == "groups"]
    assert [reason.value for reason in reasons] == ([wanted] if wanted else [])
    assert not any(reason.sure for reason in reasons)
    assert (found.groups is None) == (wanted is None)
    if "," in columns:
        assert "it might be 'seq_id (20)'" in reasons[0].why


def test_a_row_without_a_patient_is_a_group_of_its_own(tmp_path: Path) -> None:
    tree = usual("01" * 20, ["0.5"] * 4)
    tree["train.csv"] = csv("id,patient_id,label", [f"a{n:03d},{f'p{n // 2}' if n < 30 else ''},{n % 2}" for n in range(40)])
    found = ask(put(tmp_path, tree))
    assert found.groups is not None
    assert found.groups.nunique() == 15 + 10


def test_an_unknown_source_names_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(CompetitionError, match="there is no competition 'digit': perhaps 'digits'"):
        load(CompetitionConfig(source="digit"))
    put(tmp_path / "cassava", {"a.txt": "x"})
    with pytest.raises(CompetitionError, match=r"perhaps '.*cassava'"):
        load(CompetitionConfig(source=str(tmp_path / "casava")))
    with pytest.raises(CompetitionError, match="by name there are 'digits'"):
        load(CompetitionConfig(source=str(tmp_path / "qqq" / "zzz")))


def test_an_archive_of_no_use_that_is_cut_is_a_note(tmp_path: Path) -> None:
    found = ask(put(tmp_path, {**usual(CYCLE, CYCLE[:4]), "more.zip": archive(pictures(["1.png"]))[:60]}))
    assert [note for note in found.notes if note.startswith("not opened: ") and "more.zip: the zip is cut" in note]


def test_our_own_runs_inside_the_competition_are_passed_over(tmp_path: Path) -> None:
    ours = {
        "runs/ledger.csv": csv("run,score", ["a,1"]),
        "runs/x/run/folds.csv": csv("id,fold", [f"a{n:03d},0" for n in range(9)]),
        "runs/a.png": picture(),
        "cache/one/32px-3ch-0123456789abcdef.npy": b"x",
        "cache/one/symmetry-0123456789abcdef.json": b"[1]",
        "other/one/audit/duplicates.csv": csv("id,group", [f"a{n:03d},g{n % 2}" for n in range(9)]),
        "other/one/audit/duplicates-pairs.csv": csv("id_a,id_b", ["a000,a001"]),
        "other/one/audit/duplicates-pairs.png": picture(),
    }
    tree = usual(CYCLE, CYCLE[:4])
    assert same(ask(put(tmp_path / "one", tree), slug="x"), ask(put(tmp_path / "two", tree | ours), slug="x"))


def test_the_metric_of_a_known_competition_goes_by_its_name(tmp_path: Path) -> None:
    tree = LAYOUTS["two classes, an empty sample"].tree()
    (reason,) = [reason for reason in ask(put(tmp_path / "dogs-vs-cats-redux-kernels-edition", tree)).reasons if reason.what == "metric"]
    assert (reason.value, reason.sure) == ("log_loss", True)
    assert reason.why == "what dogs-vs-cats-redux-kernels-edition is known to be scored by"
    assert ask(tmp_path / "dogs-vs-cats-redux-kernels-edition", metric="accuracy").metric == "accuracy"
    assert ask(put(tmp_path / "other", tree), slug="dogs-vs-cats-redux-kernels-edition").metric == "log_loss"
    assert ask(put(tmp_path / "petfinder-pawpularity-score", tree)).metric == "roc_auc"  # rmse does not fit two classes


@pytest.mark.parametrize("name", METRIC_OF)
def test_what_a_competition_is_known_to_be_scored_by_is_a_metric(name: str) -> None:
    assert METRIC_OF[name] in METRICS
