"""The ideas that the layouts of competitions are mixed from, one small tree each."""

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

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
    "grades by the column's name": Layout(
        lambda: usual("01234" * 2, "0000", header="id,severity"), "ordinal", "qwk", "label", ("0", "1", "2", "3", "4"), (10, 4)
    ),
    "several numbers": Layout(
        lambda: usual(["1.5,2.5", "3,4"] * 4, ["0,0"] * 4, header="id,x,y"), "regression", "rmse", "number", ("x", "y"), (8, 4)
    ),
    "several numbers, some of them missing": Layout(
        lambda: usual(["1.5,2.5", ",4"] * 4, ["0,0"] * 4, header="id,x,y"), "regression", "rmse", "number", ("x", "y"), (4, 4)
    ),
    "several numbers, the sample asks for one": Layout(
        lambda: usual(["1.5,2.5", "3,4", "5,6"] * 3, ["0,0"] * 4, header="id,x,y") | {"sample_submission.csv": "id,y\nb000,1\nb001,1\n"},
        "regression",
        "rmse",
        "number",
        ("y",),
        (9, 2),
    ),
    "columns of another case": Layout(
        lambda: (
            usual(["1,0", "0,1", "1,1"] * 3, ["0,0"] * 4, header="id,rust,scab") | {"sample_submission.csv": "id,Rust,Scab\nb000,0,0\n"}
        ),
        "multilabel",
        "roc_auc",
        "probabilities",
        ("Rust", "Scab"),
        (9, 1),
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
