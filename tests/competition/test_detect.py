"""Detection: the ideas that layouts are mixed from, one small tree each; laws that hold for all of them; overrides; errors."""

import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from competition.catalogue.metrics import METRIC_OF
from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.load import load
from competition.metrics import METRICS, check_metric
from competition.show import toml_text

Tree = dict[str, bytes | str]
SPECIES = ("Common wheat", "Fat Hen", "Sugar beet")


def picture(number: int = 0, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (5, 4), (number % 256, 90, 30)).save(file, kind)
    return file.getvalue()


def pictures(paths: Iterable[str]) -> Tree:
    return {path: picture(number, "JPEG" if path.lower().endswith(("jpg", "jpeg")) else "PNG") for number, path in enumerate(paths)}


def csv(header: str, rows: Iterable[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def archive(content: Tree) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, data in content.items():
            written.writestr(name, data)
    return file.getvalue()


def put(root: Path, tree: Tree) -> Path:
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def ask(source: Path, **override: object) -> Competition:
    return load(CompetitionConfig.model_validate({"source": str(source), **override}))


def usual(labels: Iterable[str], sample: Iterable[str], test: int = 4, name: str = "{}.png", header: str = "id,label") -> Tree:
    """train/, test/, train.csv and sample_submission.csv; labels and sample are what stands behind the id."""
    labels = list(labels)
    train = [f"a{number:03d}" for number in range(len(labels))]
    ids = [f"b{number:03d}" for number in range(test)]
    return {
        **pictures(f"train/{name.format(value)}" for value in train),
        **pictures(f"test/{name.format(value)}" for value in ids),
        "train.csv": csv(header, [f"{value},{label}" for value, label in zip(train, labels, strict=True)]),
        "sample_submission.csv": csv(header, [f"{value},{cell}" for value, cell in zip(ids, sample, strict=True)]),
    }


@dataclass(frozen=True)
class Layout:
    tree: Callable[[], Tree]
    task: str
    metric: str
    answer: str
    classes: tuple[str, ...]
    rows: tuple[int, int]
    first: tuple[str, str] = ("a000", "b000")  # id of the first training and test row


def renamed(tree: Tree, **names: str) -> Tree:
    return {names.get(name.replace(".", "_").replace("/", "_"), name): data for name, data in tree.items()}


def pixel_rows(count: int, label: bool) -> list[str]:
    cells = np.random.default_rng(count).integers(0, 256, (count, 16))
    return [",".join([*([str(row % 3)] if label else []), *map(str, cells[row])]) for row in range(count)]


PIXELS = ",".join(f"pixel{place}" for place in range(16))
CYCLE = [SPECIES[place % 3] for place in range(9)]
LAYOUTS: dict[str, Layout] = {
    "two classes, probabilities": Layout(lambda: usual("01" * 4, ["0.5"] * 4), "binary", "roc_auc", "probability", ("0", "1"), (8, 4)),
    "two classes, a sample of zeros": Layout(lambda: usual("01" * 4, "0000"), "binary", "roc_auc", "probability", ("0", "1"), (8, 4)),
    "two classes by name": Layout(
        lambda: usual(["malignant", "benign"] * 4, ["benign"] * 4), "binary", "accuracy", "label", ("benign", "malignant"), (8, 4)
    ),
    "two classes by name, one of them the column": Layout(
        lambda: usual(["dog", "ant"] * 4, ["0.5"] * 4, header="id,ant"), "binary", "roc_auc", "probability", ("dog", "ant"), (8, 4)
    ),
    "class names with spaces": Layout(lambda: usual(CYCLE, [SPECIES[2]] * 4), "multiclass", "accuracy", "label", SPECIES, (9, 4)),
    "class numbers beyond nine": Layout(
        lambda: usual([str(n % 12) for n in range(36)], ["0"] * 4), "multiclass", "accuracy", "label", tuple(map(str, range(12))), (36, 4)
    ),
    "a class called NA": Layout(
        lambda: usual(["NA", "nan", "None"] * 3, ["NA"] * 4), "multiclass", "accuracy", "label", ("NA", "None", "nan"), (9, 4)
    ),
    "numbers with a fraction": Layout(
        lambda: usual([f"{n}.5" for n in range(9)], ["0"] * 4, header="id,size"), "regression", "rmse", "number", ("size",), (9, 4)
    ),
    "whole numbers, a sample with fractions": Layout(
        lambda: usual(map(str, range(9)), ["3.5"] * 4, header="id,size"), "regression", "rmse", "number", ("size",), (9, 4)
    ),
    "whole numbers called age": Layout(
        lambda: usual(["30", "40", "50"] * 3, ["0"] * 4, header="id,age"), "regression", "rmse", "number", ("age",), (9, 4)
    ),
    "lists of numbers": Layout(
        lambda: usual(["3 1", "2", "1 2 3", "10"] * 3, ["1 2"] * 4), "multilabel", "f1_micro", "labels", ("1", "2", "3", "10"), (12, 4)
    ),
    "lists of words": Layout(
        lambda: usual(["rust", "scab rust", "scab", "rust scab mould", "mould"] * 2, ["rust"] * 4),
        "multilabel",
        "f1_micro",
        "labels",
        ("mould", "rust", "scab"),
        (10, 4),
    ),
    "lists with bars": Layout(
        lambda: usual(["rust", "scab|rust", "scab", "rust|scab|mould"] * 2, ["rust"] * 4),
        "multilabel",
        "f1_micro",
        "labels",
        ("mould", "rust", "scab"),
        (8, 4),
    ),
    "a column a class, from one column of labels": Layout(
        lambda: (
            usual("xyz" * 3, ["0.2,0.3,0.4,0.1"] * 4)
            | {"sample_submission.csv": csv("id,z,y,x,w", [f"b{n:03d},.2,.3,.4,.1" for n in range(4)])}
        ),
        "multiclass",
        "log_loss",
        "probabilities",
        ("z", "y", "x", "w"),
        (9, 4),
    ),
    "one-hot columns": Layout(
        lambda: usual(["1,0,0", "0,1,0", "0,0,1"] * 3, ["0.3,0.3,0.4"] * 4, header="id,x,y,z"),
        "multiclass",
        "roc_auc",
        "probabilities",
        ("x", "y", "z"),
        (9, 4),
    ),
    "several columns of 0 and 1": Layout(
        lambda: usual(["1,0,1", "0,1,0", "0,0,0"] * 3, ["0,0,0"] * 4, header="id,x,y,z"),
        "multilabel",
        "roc_auc",
        "probabilities",
        ("x", "y", "z"),
        (9, 4),
    ),
    "fewer columns asked for than labelled": Layout(
        lambda: (
            usual(["1,0,1", "0,1,0", "0,0,0"] * 3, ["0,0,0"] * 4, header="id,x,y,z")
            | {"sample_submission.csv": csv("id,z,x", [f"b{n:03d},0,0" for n in range(4)])}
        ),
        "multilabel",
        "roc_auc",
        "probabilities",
        ("z", "x"),
        (9, 4),
    ),
    "ids with endings": Layout(
        lambda: {
            **pictures(f"train_images/{n}.jpg" for n in range(9)),
            **pictures(f"test_images/{n}.jpg" for n in range(4)),
            "train.csv": csv("image_id,label", [f"{n}.jpg,{label}" for n, label in enumerate(CYCLE)]),
            "sampleSubmission.csv": csv("image_id,label", [f"{n}.jpg,{SPECIES[0]}" for n in range(4)]),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
        ("0.jpg", "0.jpg"),
    ),
    "ids that are paths, and of another ending": Layout(
        lambda: {
            **pictures(f"data/train/x/{n}.png" for n in range(9)),
            **pictures(f"data/test/{n}.png" for n in range(4)),
            "labels.csv": csv("path,label", [f"./train/x/{n}.jpg,{label}" for n, label in enumerate(CYCLE)]),
            "SampleSubmission.csv": csv("path,label", [f"test/{n}.jpg,{SPECIES[0]}" for n in range(4)]),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
        ("./train/x/0.jpg", "test/0.jpg"),
    ),
    "ids with leading zeros, train and test in one folder": Layout(
        lambda: {
            **pictures(f"images/{n:05d}.png" for n in range(13)),
            "train.csv": csv("id,label", [f"{n:05d},{label}" for n, label in enumerate(CYCLE)]),
            "sample_submission.csv": csv("id,label", [f"{n:05d},{SPECIES[0]}" for n in range(9, 13)]),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
        ("00000", "00009"),
    ),
    "the same numbers in train and test, labels that are numbers too": Layout(
        lambda: {
            **pictures(f"{part}/{n}.png" for part in ("train", "test") for n in range(12)),
            "labels.csv": csv("id,digit", [f"{n},{n % 4}" for n in range(12)]),
            "submission.csv": csv("id,digit", [f"{n},0" for n in range(12)]),
        },
        "multiclass",
        "accuracy",
        "label",
        tuple("0123"),
        (12, 12),
        ("0", "0"),
    ),
    "archives at the root, and a sample in a zip": Layout(
        lambda: {
            "train.zip": archive(pictures(f"{n}.png" for n in range(9))),
            "test.zip": archive(pictures(f"test/{n}.png" for n in range(4))),
            "train.csv": csv("id,label", [f"{n},{label}" for n, label in enumerate(CYCLE)]),
            "sample_submission.csv.zip": archive({"sample_submission.csv": csv("id,label", [f"{n},{SPECIES[0]}" for n in range(4)])}),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
        ("0", "0"),
    ),
    "images over several folders": Layout(
        lambda: {
            **pictures(f"images_{n % 3:03d}/{n}.png" for n in range(13)),
            "train.csv": csv("id,label", [f"{n},{label}" for n, label in enumerate(CYCLE)]),
            "sample_submission.csv": csv("id,label", [f"{n},{SPECIES[0]}" for n in range(9, 13)]),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
        ("0", "9"),
    ),
    "masks beside the images": Layout(
        lambda: usual(CYCLE, [SPECIES[2]] * 4) | pictures(f"a_masks/train/a{n:03d}.png" for n in range(9)),
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
    ),
    "a folder a class, test too": Layout(
        lambda: pictures(
            f"{part}/{label}/{label[0]}{n}.png"
            for part, n_images in (("Training", 4), ("Testing", 2))
            for label in SPECIES
            for n in range(n_images)
        ),
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (12, 6),
        ("C0", "C0"),
    ),
    "a folder a class with the same names in each": Layout(
        lambda: pictures(
            f"{part}/{label}/{n}.png" for part, n_images in (("train", 4), ("test", 2)) for label in SPECIES for n in range(n_images)
        ),
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (12, 6),
        ("Common wheat/0", "Common wheat/0"),
    ),
    "a folder a class, in train, val and test": Layout(
        lambda: pictures(
            f"x/{part}/{label}/{n}.png"
            for part, n_images in (("train", 4), ("val", 1), ("test", 2))
            for label in SPECIES
            for n in range(n_images)
        ),
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (15, 6),
        ("x/train/Common wheat/0.png", "Common wheat/0"),
    ),
    "a folder a class, a flat test folder and a sample": Layout(
        lambda: {
            **pictures(f"train/{label}/{label[0]}{n}.png" for label in SPECIES for n in range(4)),
            **pictures(f"test/{n}.png" for n in range(4)),
            "sample_submission.csv": csv("file,species", [f"{n}.png,Sugar beet" for n in range(4)]),
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (12, 4),
        ("C0", "0.png"),
    ),
    "a folder a class, and a column a class": Layout(
        lambda: {
            **pictures(f"train/c{k}/{k}_{n}.png" for k in range(3) for n in range(4)),
            **pictures(f"test/{n}.png" for n in range(4)),
            "sample_submission.csv": csv("img,c0,c1,c2", [f"{n}.png,0.3,0.3,0.4" for n in range(4)]),
        },
        "multiclass",
        "log_loss",
        "probabilities",
        ("c0", "c1", "c2"),
        (12, 4),
        ("0_0", "0.png"),
    ),
    "the class in the file's name": Layout(
        lambda: {
            **pictures(f"train/{label}.{n}.jpg" for label in ("cat", "dog") for n in range(4)),
            **pictures(f"test/{n}.jpg" for n in range(1, 5)),
            "sample_submission.csv": csv("id,label", [f"{n},0.5" for n in range(1, 5)]),
        },
        "binary",
        "roc_auc",
        "probability",
        ("cat", "dog"),
        (8, 4),
        ("cat.0", "1"),
    ),
    "a column a pixel": Layout(
        lambda: {
            "train.csv": csv("label," + PIXELS, pixel_rows(9, True)),
            "test.csv": csv(PIXELS, pixel_rows(4, False)),
            "sample_submission.csv": csv("ImageId,Label", [f"{n},0" for n in range(1, 5)]),
        },
        "multiclass",
        "accuracy",
        "label",
        tuple("012"),
        (9, 4),
        ("1", "1"),
    ),
    "a column a pixel, ids in the test table, the label last": Layout(
        lambda: {
            "train.csv": csv(PIXELS + ",label", [",".join([*row.split(",")[1:], row[0]]) for row in pixel_rows(9, True)]),
            "test.csv": csv("id," + PIXELS, [f"{n + 70},{row}" for n, row in enumerate(pixel_rows(4, False))]),
            "sample_submission.csv": csv("id,label", [f"{n},0" for n in (73, 70, 71, 72)]),
        },
        "multiclass",
        "accuracy",
        "label",
        tuple("012"),
        (9, 4),
        ("1", "73"),
    ),
    "a column a pixel, test labels and no sample": Layout(
        lambda: {
            "sign_train.csv": csv("label," + PIXELS, pixel_rows(9, True)),
            "sign_test.csv": csv("label," + PIXELS, pixel_rows(4, True)),
        },
        "multiclass",
        "accuracy",
        "label",
        tuple("012"),
        (9, 4),
        ("1", "1"),
    ),
    "COCO annotations, and a list for the test": Layout(
        lambda: {
            **pictures(f"train_images/{n % 2}/t{n}.png" for n in range(9)),
            **pictures(f"test_images/0/test-{n:03d}.png" for n in range(4)),
            "train_metadata.json": json.dumps(
                {
                    "images": [{"file_name": f"{n % 2}/t{n}.png", "image_id": f"t{n}"} for n in range(9)],
                    "annotations": [{"image_id": f"t{n}", "category_id": 10 + n % 3, "genus_id": n % 2} for n in range(9)],
                    "categories": [{"category_id": 10 + k, "name": f"species {k}"} for k in range(3)],
                }
            ),
            "test_metadata.json": json.dumps([{"file_name": f"0/test-{n:03d}.png", "image_id": str(n)} for n in range(4)]),
            "sample_submission.csv": csv("Id,Predicted", [f"{n},10" for n in range(4)]),
        },
        "multiclass",
        "accuracy",
        "label",
        ("10", "11", "12"),
        (9, 4),
        ("0/t0.png", "0"),
    ),
    "an unnamed first column": Layout(
        lambda: (
            usual(CYCLE, [SPECIES[0]] * 4)
            | {
                "train.csv": csv(",id,label", [f"{n},a{n:03d},{label}" for n, label in enumerate(CYCLE)]),
                "sample_submission.csv": csv(",id,label", [f"{n},b{n:03d},{SPECIES[0]}" for n in range(4)]),
            }
        ),
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
    ),
    "three answers a row": Layout(
        lambda: usual(["w_1", "w_2", "new_whale"] * 3, ["new_whale w_1 w_2"] * 4, header="Image,Id"),
        "multiclass",
        "map3",
        "ranked",
        ("new_whale", "w_1", "w_2"),
        (9, 4),
    ),
    "a class of several words that training lacks": Layout(
        lambda: usual(CYCLE, ["Wild wheat"] * 4), "multiclass", "accuracy", "label", SPECIES, (9, 4)
    ),
    "five answers a row": Layout(
        lambda: usual(["w_1", "w_2", "new_whale"] * 3, ["new_whale w_1 w_2 w_3 w_4"] * 4, header="Image,Id"),
        "multiclass",
        "map5",
        "ranked",
        ("new_whale", "w_1", "w_2"),
        (9, 4),
    ),
    "a test table and no sample": Layout(
        lambda: {
            name: data
            for name, data in (usual(CYCLE, CYCLE[:4]) | {"test.csv": csv("id", [f"b{n:03d}" for n in range(4)])}).items()
            if "sample" not in name
        },
        "multiclass",
        "accuracy",
        "label",
        SPECIES,
        (9, 4),
    ),
    "two classes, an empty sample": Layout(lambda: usual("01" * 4, [""] * 4), "binary", "roc_auc", "probability", ("0", "1"), (8, 4)),
    "two classes, a sample of both": Layout(lambda: usual("01" * 4, "0110"), "binary", "accuracy", "label", ("0", "1"), (8, 4)),
}


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


def test_laws_of_every_competition(layout: Layout, tmp_path: Path) -> None:
    found = ask(put(tmp_path / "contest", layout.tree()))
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


def test_a_zip_is_the_same_competition(layout: Layout, tmp_path: Path) -> None:
    tree = layout.tree()
    (tmp_path / "contest.zip").write_bytes(archive(tree))
    assert same(ask(put(tmp_path / "contest", tree)), ask(tmp_path / "contest.zip"))


def test_every_guess_written_out_gives_the_same(layout: Layout, tmp_path: Path) -> None:
    found = ask(put(tmp_path / "contest", layout.tree()))
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
    "metric of another task": ({"metric": "rmse"}, "metric 'rmse' does not fit a multiclass task"),
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
    "DICOM only": (lambda: {"train/1.dcm": b"DICM"}, "DICOM images have to be converted to PNG first"),
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
    "numbers in several columns": (
        lambda: usual(["1.5,2.5", "3,4"] * 4, ["0,0"] * 4, header="id,x,y"),
        "train.csv: columns 'x', 'y' should hold 0 and 1, they hold '1.5', '2.5', '3' and 1 more",
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
