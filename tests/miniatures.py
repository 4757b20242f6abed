"""Miniatures of real image competitions, as Kaggle gives them: each works as it is."""

import gzip
import io
import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from tests.layouts import SPECIES, Tree, archive, csv, picture, pictures


@dataclass(frozen=True)
class Miniature:
    """What is wanted of it; train and test: number of rows, and the id of the first."""

    tree: Callable[[], Tree]
    task: str
    answer: str
    classes: int
    train: tuple[int, str]
    test: tuple[int, str]
    groups: str = ""
    note: str = ""  # what one of the notes begins with


def faces(rows: Iterable[tuple[str, ...]], quote: str = "") -> list[str]:
    """Rows whose cell "pixels" becomes a string of 36 numbers."""
    random = np.random.default_rng(0)
    return [
        ",".join(quote + " ".join(map(str, random.integers(0, 256, 36))) + quote if cell == "pixels" else cell for cell in row)
        for row in rows
    ]


def bone_age() -> Tree:
    """Nothing says which of two columns is asked for."""
    return {
        **pictures(f"boneage-training-dataset/boneage-training-dataset/{n}.png" for n in range(1377, 1389)),
        **pictures(f"boneage-test-dataset/boneage-test-dataset/{n}.png" for n in range(4360, 4364)),
        "boneage-training-dataset.csv": csv("id,boneage,male", [f"{n},{180 - n % 100},{n % 2 == 0}" for n in range(1377, 1389)]),
        "boneage-test-dataset.csv": csv("Case ID,Sex", [f"{n},M" for n in range(4360, 4364)]),
    }


def labels(count: int, classes: Iterable[str] = SPECIES) -> list[str]:
    names = list(classes)
    return [names[place % len(names)] for place in range(count)]


def sample(header: str, ids: Iterable[str], cell: str, name: str = "sample_submission.csv") -> Tree:
    return {name: csv(header, [f"{identifier},{cell}" for identifier in ids])}


def tiff(number: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (5, 4), (number, 90, 30)).save(file, "TIFF")
    return file.getvalue()


def tiffs(paths: Iterable[str]) -> Tree:
    return {path: tiff(number) for number, path in enumerate(paths)}


def at(names: Iterable[object], ending: str = ".jpg", folder: str = "") -> list[str]:
    return [f"{folder}{name}{ending}" for name in names]


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


TRAIN = [f"a{number:02d}" for number in range(12)]
TEST = [f"b{number:02d}" for number in range(4)]
BOTH = {**pictures(f"train/{name}.jpg" for name in TRAIN), **pictures(f"test/{name}.jpg" for name in TEST)}
PLAIN = {"train.csv": csv("id,label", [f"{n},{label}" for n, label in zip(TRAIN, labels(12), strict=True)])}
ASKED = sample("id,label", TEST, SPECIES[0])


def cub() -> Tree:
    """Caltech-UCSD Birds: headerless tables joined by a number."""
    names = [f"{k + 1:03d}.Bird_{k}/Bird_{k}_{n}.jpg" for k in range(3) for n in range(5)]
    return {
        **pictures(f"images/{name}" for name in names),
        "images.txt": "".join(f"{n + 1} {name}\n" for n, name in enumerate(names)),
        "image_class_labels.txt": "".join(f"{n + 1} {int(name[:3])}\n" for n, name in enumerate(names)),
        "train_test_split.txt": "".join(f"{n + 1} {int(n % 5 < 4)}\n" for n in range(15)),
        "bounding_boxes.txt": "".join(f"{n + 1} 60.0 27.0 325.0 304.0\n" for n in range(15)),
        "classes.txt": "".join(f"{k + 1} {k + 1:03d}.Bird_{k}\n" for k in range(3)),
        "attributes/certainties.txt": "1 not visible\n2 guessing\n3 probably\n",
        "README": "CUB",
    }


MINIATURES: dict[str, Miniature] = {
    # ---- pixels in one column -------------------------------------------------------------------------------------
    "fer2013": Miniature(
        lambda: {
            "fer2013/fer2013.csv": csv(
                "emotion,pixels,Usage",
                faces([(str(n % 3), "pixels", ["Training", "PublicTest", "PrivateTest"][(n > 8) + (n > 10)]) for n in range(12)]),
            )
        },
        "multiclass",
        "label",
        3,
        (9, "1"),
        (3, "10"),
    ),
    "facial expressions, two tables": Miniature(
        lambda: {
            "train.csv": csv("emotion,pixels", faces([(str(n % 3), "pixels") for n in range(9)], '"')),
            "test.csv": csv("pixels", faces([("pixels",)] * 4, '"')),
        },
        "multiclass",
        "label",
        3,
        (9, "1"),
        (4, "1"),
    ),
    "faces with ids and a sample": Miniature(
        lambda: {
            "train.csv": csv("id,emotion,pixels", faces([(f"f{n}", str(n % 3), "pixels") for n in range(9)])),
            "test.csv": csv("id,pixels", faces([(f"g{n}", "pixels") for n in range(4)])),
            **sample("id,emotion", ["g2", "g1", "g0", "g3"], "0"),
        },
        "multiclass",
        "label",
        3,
        (9, "f0"),
        (4, "g2"),
    ),
    # ---- a column that says train or test ---------------------------------------------------------------------------
    "birds: paths, labels and a data set column": Miniature(
        lambda: {
            **pictures(
                f"{part}/{label.upper()}/{n:03d}.jpg"
                for part, count in (("train", 4), ("valid", 1), ("test", 2))
                for label in SPECIES
                for n in range(count)
            ),
            "birds.csv": csv(
                "class id,filepaths,labels,data set",
                [
                    f"{SPECIES.index(label)},{part}/{label.upper()}/{n:03d}.jpg,{label.upper()},{part}"
                    for part, count in (("train", 4), ("valid", 1), ("test", 2))
                    for label in SPECIES
                    for n in range(count)
                ],
            ),
        },
        "multiclass",
        "label",
        3,
        (15, "train/COMMON WHEAT/000.jpg"),
        (6, "test/COMMON WHEAT/000.jpg"),
    ),
    "a split column and a sample": Miniature(
        lambda: {
            **pictures(f"images/{name}.jpg" for name in [*TRAIN, *TEST]),
            "metadata.csv": csv(
                "image_id,split,label",
                [*(f"{n},train,{label}" for n, label in zip(TRAIN, labels(12), strict=True)), *(f"{n},test," for n in TEST)],
            ),
            **sample("image_id,label", reversed(TEST), SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b03"),
    ),
    "one table of all images, no label for the test": Miniature(
        lambda: {
            **pictures(f"images/{name}.jpg" for name in [*TRAIN, *TEST]),
            "labels.csv": csv(
                "image_id,label", [*(f"{n},{label}" for n, label in zip(TRAIN, labels(12), strict=True)), *(f"{n}," for n in TEST)]
            ),
            **sample("image_id,label", reversed(TEST), SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b03"),
    ),
    "chest x-rays: a table of all, and lists of train and test": Miniature(
        lambda: {
            **pictures(f"images_00{n % 3}/images/{n:08d}_000.png" for n in range(30)),
            "Data_Entry_2017.csv": csv(
                "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,OriginalImage[Width",
                [
                    f"{n:08d}_000.png,{['No Finding', 'Effusion|Nodule', 'Nodule', 'Effusion'][n % 4]},0,{n // 2},{n + 20},200"
                    for n in range(30)
                ],
            ),
            "BBox_List_2017.csv": csv("Image Index,Finding Label,Bbox [x", [f"{n:08d}_000.png,Nodule,225.0" for n in (2, 6)]),
            "train_val_list.txt": "".join(f"{n:08d}_000.png\n" for n in range(24)),
            "test_list.txt": "".join(f"{n:08d}_000.png\n" for n in range(24, 30)),
        },
        "multilabel",
        "probabilities",
        3,
        (24, "00000000_000.png"),
        (6, "00000024_000.png"),
        "Patient ID",
    ),
    # ---- text tables without a header ------------------------------------------------------------------------------
    "cub-200": Miniature(cub, "multiclass", "label", 3, (12, "001.Bird_0/Bird_0_0.jpg"), (3, "001.Bird_0/Bird_0_4.jpg")),
    "lists of paths and class numbers": Miniature(
        lambda: {
            **pictures(f"jpg/image_{n:05d}.jpg" for n in range(16)),
            "train.txt": "".join(f"jpg/image_{n:05d}.jpg {n % 3}\n" for n in range(12)),
            "test.txt": "".join(f"jpg/image_{n:05d}.jpg {n % 3}\n" for n in range(12, 16)),
            "classes.txt": "daisy\nrose\ntulip\n",
        },
        "multiclass",
        "label",
        3,
        (12, "jpg/image_00000.jpg"),
        (4, "jpg/image_00012.jpg"),
    ),
    "lists with tabs, test without labels": Miniature(
        lambda: {
            **pictures(f"images/{n}.jpg" for n in range(16)),
            "train_list.txt": "".join(f"{n}.jpg\t{SPECIES[n % 3]}\n" for n in range(12)),
            "test_list.txt": "".join(f"{n}.jpg\n" for n in range(12, 16)),
        },
        "multiclass",
        "label",
        3,
        (12, "0.jpg"),
        (4, "12.jpg"),
    ),
    "food-101: folders of classes, and lists of train and test": Miniature(
        lambda: {
            **pictures(f"food/images/{k}/{n}.jpg" for k in ("apple_pie", "waffles") for n in range(8)),
            "food/meta/train.txt": "".join(f"{k}/{n}\n" for k in ("apple_pie", "waffles") for n in range(6)),
            "food/meta/test.txt": "".join(f"{k}/{n}\n" for k in ("apple_pie", "waffles") for n in (6, 7)),
            "food/meta/classes.txt": "apple_pie\nwaffles\n",
        },
        "binary",
        "label",
        2,
        (12, "apple_pie/0"),
        (4, "apple_pie/6"),
    ),
    # ---- json, jsonl, parquet ----------------------------------------------------------------------------------------
    "json of names and labels": Miniature(
        lambda: {**BOTH, **ASKED, "labels.json": json.dumps({f"{n}.jpg": label for n, label in zip(TRAIN, labels(12), strict=True)})},
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00"),
    ),
    "json of records": Miniature(
        lambda: {**BOTH, **ASKED, "train.json": json.dumps([{"image": f"{n}.jpg", "label": k % 3} for k, n in enumerate(TRAIN)])},
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00"),
    ),
    "json of names and records, a split among them": Miniature(
        lambda: {
            **pictures(f"images/{n}.jpg" for n in [*TRAIN, *TEST]),
            "metadata.json": json.dumps(
                {
                    f"{n}.jpg": {"label": "FAKE" if k % 2 else "REAL", "split": "test" if n in TEST else "train"}
                    for k, n in enumerate([*TRAIN, *TEST])
                }
            ),
        },
        "binary",
        "label",
        2,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "json of names and lists": Miniature(
        lambda: {
            **BOTH,
            **sample("id,tags", TEST, "red"),
            "train.json": json.dumps({n: [["red", "big"], ["blue"], ["red"], ["big"]][k % 4] for k, n in enumerate(TRAIN)}),
        },
        "multilabel",
        "labels",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "jsonl": Miniature(
        lambda: {
            **BOTH,
            **ASKED,
            "train.jsonl": "".join(
                json.dumps({"file_name": f"{n}.jpg", "label": label}) + "\n" for n, label in zip(TRAIN, labels(12), strict=True)
            ),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00"),
    ),
    "parquet": Miniature(
        lambda: {**BOTH, **ASKED, "train.parquet": parquet(pd.DataFrame({"id": TRAIN, "label": labels(12)}))},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "csv.gz": Miniature(
        lambda: {**BOTH, **ASKED, "train.csv.gz": gzip.compress(PLAIN["train.csv"].encode())},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "inaturalist: COCO with two-level paths, numbers for the test": Miniature(
        lambda: {
            **pictures(f"train_val2019/Plants/{n % 3}/{n:03d}.jpg" for n in range(12)),
            **pictures(f"test2019/{n:03d}.jpg" for n in range(20, 24)),
            "train2019.json": json.dumps(
                {
                    "info": {},
                    "licenses": [],
                    "categories": [{"id": k, "name": f"n{k}"} for k in range(3)],
                    "images": [
                        {"id": n, "file_name": f"train_val2019/Plants/{n % 3}/{n:03d}.jpg", "width": 5, "height": 4} for n in range(12)
                    ],
                    "annotations": [{"id": n, "image_id": n, "category_id": n % 3} for n in range(12)],
                }
            ),
            "test2019.json": json.dumps({"images": [{"id": n, "file_name": f"test2019/{n:03d}.jpg"} for n in range(20, 24)]}),
            "kaggle_sample_submission.csv": csv("id,predicted", [f"{n},0" for n in range(20, 24)]),
        },
        "multiclass",
        "label",
        3,
        (12, "train_val2019/Plants/0/000.jpg"),
        (4, "20"),
    ),
    # ---- archives, junk and copies -----------------------------------------------------------------------------------
    "folders in a zip, another ending in the sample": Miniature(
        lambda: {
            "train.zip": archive(pictures(f"train/{label}/{label[0]}{n}.png" for label in SPECIES for n in range(4))),
            "test.zip": archive(pictures(f"test/{n}.png" for n in range(4))),
            **sample("file,species", [f"{n}.jpg" for n in range(4)], SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "C0"),
        (4, "0.jpg"),
    ),
    "zips in a zip, and what systems leave behind": Miniature(
        lambda: {
            "all.zip": archive(
                {
                    "train.zip": archive(
                        {
                            **pictures(f"train/{n}.jpg" for n in TRAIN),
                            "__MACOSX/train/._a00.jpg": b"x",
                            "train/.DS_Store": b"x",
                            "train/._a00.jpg": b"x",
                        }
                    ),
                    "test.zip": archive({**pictures(f"test/{n}.jpg" for n in TEST), "test/Thumbs.db": b"x"}),
                    "train.csv": PLAIN["train.csv"],
                }
            ),
            ".ipynb_checkpoints/train-checkpoint.csv": "id,label\na00,other\n",
            "train/.ipynb_checkpoints/a00.jpg": b"x",
            **ASKED,
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "train in several zips": Miniature(
        lambda: {
            **{f"train_{k}.zip": archive(pictures(f"{n}.jpg" for n in TRAIN[k * 3 : k * 3 + 3])) for k in range(4)},
            "test_1.zip": archive(pictures(f"{n}.jpg" for n in TEST[:2])),
            "test_2.zip": archive(pictures(f"{n}.jpg" for n in TEST[2:])),
            **PLAIN,
            **ASKED,
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "the class in the file's name, in several folders": Miniature(
        lambda: {
            **pictures(f"train_part{k}/{kind}.{k * 3 + n}.jpg" for k in range(2) for kind in ("cat", "dog") for n in range(3)),
            **pictures(f"test_part{n % 2}/{n + 1}.jpg" for n in range(4)),
            **sample("id,label", "1234", "0.5"),
        },
        "binary",
        "probability",
        2,
        (12, "cat.0"),
        (4, "1"),
    ),
    "classes in several zips": Miniature(
        lambda: {
            **{
                f"train_{k}.zip": archive(pictures(f"{label}/{label[0]}{k}{n}.jpg" for label in SPECIES for n in range(2)))
                for k in range(2)
            },
            **pictures(f"test/{n}.jpg" for n in range(4)),
            **sample("file,species", "0123", SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "C00"),
        (4, "0"),
    ),
    "planet: the same pictures as jpg and as tif": Miniature(
        lambda: {
            **pictures(f"train-jpg/train_{n}.jpg" for n in range(12)),
            **tiffs(f"train-tif-v2/train_{n}.tif" for n in range(12)),
            **pictures(f"test-jpg-v2/test_{n}.jpg" for n in range(4)),
            **tiffs(f"test-tif-v2/test_{n}.tif" for n in range(4)),
            "train_v2.csv": csv(
                "image_name,tags", [f"train_{n},{['haze primary', 'clear', 'primary', 'clear primary'][n % 4]}" for n in range(12)]
            ),
            **sample("image_name,tags", [f"test_{n}" for n in range(4)], "primary clear", "sample_submission_v2.csv"),
        },
        "multilabel",
        "labels",
        3,
        (12, "train_0"),
        (4, "test_0"),
        note="train-jpg/ was taken",
    ),
    # ---- masks and other pictures beside -----------------------------------------------------------------------------
    "masks of the same names below train": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{n}.png" for kind in ("images", "masks") for n in TRAIN),
            **pictures(f"test/images/{n}.png" for n in TEST),
            **PLAIN,
            **ASKED,
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "masks beside folders of classes": Miniature(
        lambda: {
            **pictures(f"{kind}/{label}/{n}.png" for kind in ("train", "train_masks") for label in SPECIES for n in range(4)),
            **pictures(f"test/{n}.png" for n in TEST),
        },
        "multiclass",
        "label",
        3,
        (12, "Common wheat/0"),
        (4, "b00"),
    ),
    "faces with and without masks": Miniature(
        lambda: {
            **pictures(
                f"{part}/{kind}/{kind}_{part}{n}.png"
                for part in ("Train", "Test")
                for kind in ("with_mask", "without_mask")
                for n in range(4)
            )
        },
        "binary",
        "label",
        2,
        (8, "with_mask_Train0"),
        (8, "with_mask_Test0"),
    ),
    # ---- folders and tables of train and test ------------------------------------------------------------------------------
    "train and test below a folder called training data": Miniature(
        lambda: {
            **pictures(at(TRAIN, folder="Training data/train/")),
            **pictures(at(TEST, folder="Training data/test/")),
            "Training data/labels.csv": PLAIN["train.csv"],
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "a table of columns of 0 and 1 in each folder": Miniature(
        lambda: {
            **BOTH,
            "train/_classes.csv": csv("filename, cat, dog", [f"{name}.jpg, {k % 2}, {1 - k % 2}" for k, name in enumerate(TRAIN)]),
            "test/_classes.csv": csv("filename, cat, dog", [f"{name}.jpg, {k % 2}, {1 - k % 2}" for k, name in enumerate(TEST)]),
        },
        "binary",
        "label",
        2,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    # ---- spellings of ids ----------------------------------------------------------------------------------------------
    "numbers, and files with leading zeros": Miniature(
        lambda: {
            **pictures(f"images/{n:05d}.jpg" for n in range(16)),
            "train.csv": csv("id,label", [f"{n},{SPECIES[n % 3]}" for n in range(12)]),
            **sample("id,label", map(str, range(12, 16)), SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "0"),
        (4, "12"),
    ),
    "leading zeros, and files of plain numbers": Miniature(
        lambda: {
            **pictures(f"images/{n}.jpg" for n in range(16)),
            "train.csv": csv("id,label", [f"{n:05d},{SPECIES[n % 3]}" for n in range(12)]),
            **sample("id,label", [f"{n:05d}" for n in range(12, 16)], SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "00000"),
        (4, "00012"),
    ),
    "numbers that were fractions for a while": Miniature(
        lambda: {
            **pictures(at(range(16), folder="images/")),
            "train.csv": csv("id,label", [f"{n}.0,{SPECIES[n % 3]}" for n in range(12)]),
            **sample("id,label", [f"{n}.0" for n in range(12, 16)], SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "0.0"),
        (4, "12.0"),
    ),
    "capital endings": Miniature(
        lambda: {
            **pictures(f"train/{n}.{'JPG' if k % 3 else 'jpg'}" for k, n in enumerate(TRAIN)),
            **pictures(f"test/{n.upper()}.JPG" for n in TEST),
            "train.csv": csv("id,label", [f"{n}.jpg,{SPECIES[k % 3]}" for k, n in enumerate(TRAIN)]),
            **sample("id,label", [f"{n}.jpg" for n in TEST], SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "addresses": Miniature(
        lambda: {
            **BOTH,
            **ASKED,
            "train.csv": csv(
                "url,label", [f"https://pictures.example/x/y/{n}.jpg?size=large,{SPECIES[k % 3]}" for k, n in enumerate(TRAIN)]
            ),
        },
        "multiclass",
        "label",
        3,
        (12, "https://pictures.example/x/y/a00.jpg?size=large"),
        (4, "b00"),
    ),
    "backslashes": Miniature(
        lambda: {**BOTH, **ASKED, "train.csv": csv("path,label", [f".\\train\\{n}.jpg,{SPECIES[k % 3]}" for k, n in enumerate(TRAIN)])},
        "multiclass",
        "label",
        3,
        (12, ".\\train\\a00.jpg"),
        (4, "b00"),
    ),
    "paths of another machine, names that repeat in each folder": Miniature(
        lambda: {
            **pictures(f"train/{k}/{n}.jpg" for k in "xyz" for n in range(4)),
            **pictures(f"test/{n}.jpg" for n in TEST),
            **ASKED,
            "train.csv": csv("image_path,label", [f"/kaggle/input/some-contest/train/{k}/{n}.jpg,{k}" for k in "xyz" for n in range(4)]),
        },
        "multiclass",
        "label",
        3,
        (12, "/kaggle/input/some-contest/train/x/0.jpg"),
        (4, "b00"),
    ),
    "a folder an id, with one picture in it": Miniature(
        lambda: {**pictures(f"train/{n}/picture.png" for n in TRAIN), **pictures(f"test/{n}/picture.png" for n in TEST), **PLAIN, **ASKED},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    # ---- classes that the sample calls otherwise ------------------------------------------------------------------------
    "numbers in training, names in the sample, a table of both": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,label", [f"{n},{k % 3}" for k, n in enumerate(TRAIN)]),
            "classes.csv": csv("class_id,class_name", [f"{k},{label}" for k, label in enumerate(SPECIES)]),
            **sample("id,class", TEST, SPECIES[1]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "numbers in training, columns of names in another order, a list of names": Miniature(
        lambda: {
            **BOTH,
            "train.txt": "".join(f"train/{n}.jpg {k % 3}\n" for k, n in enumerate(TRAIN)),
            "classes.txt": "cat\ndog\nowl\n",
            **sample("id,owl,cat,dog", TEST, "0.3,0.3,0.4"),
        },
        "multiclass",
        "probabilities",
        3,
        (12, "train/a00.jpg"),
        (4, "b00"),
    ),
    "COCO with names in the sample": Miniature(
        lambda: {
            **BOTH,
            "train.json": json.dumps(
                {
                    "images": [{"id": k, "file_name": f"{n}.jpg"} for k, n in enumerate(TRAIN)],
                    "annotations": [{"image_id": k, "category_id": 5 + k % 3} for k in range(12)],
                    "categories": [{"id": 5 + k, "name": name} for k, name in enumerate(("cat", "dog", "owl"))],
                }
            ),
            **sample("id,category", TEST, "dog"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00"),
    ),
    "folders called class_01, numbers in the sample": Miniature(
        lambda: {
            **pictures(f"train/class_{1 + k % 3:02d}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(at(TEST, folder="test/")),
            "sample_submission.csv": csv("id,class", [f"{n},{1 + k % 3}" for k, n in enumerate(TEST)]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "columns of classes with capitals": Miniature(
        lambda: {**BOTH, **PLAIN, **sample("id,Common Wheat,Fat_Hen,SUGAR BEET", TEST, "0.3,0.3,0.4")},
        "multiclass",
        "probabilities",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "columns of 0 and 1 in training, a name in the sample": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,cat,dog,owl", [f"{n},{int(k % 3 == 0)},{int(k % 3 == 1)},{int(k % 3 == 2)}" for k, n in enumerate(TRAIN)]),
            **sample("id,label", TEST, "dog"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    # ---- tables in parts, without a header, with odd cells ---------------------------------------------------------------
    "a table in parts": Miniature(
        lambda: {
            **BOTH,
            **ASKED,
            **{f"train_part{k}.csv": csv("id,label", PLAIN["train.csv"].splitlines()[1 + 4 * k : 5 + 4 * k]) for k in range(3)},
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
        note="'train_part0.csv', 'train_part1.csv', 'train_part2.csv' are taken together: parts of one table, of 12 rows",
    ),
    "tables of training and validation": Miniature(
        lambda: {
            **pictures(f"{'val' if k > 8 else 'train'}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(at(TEST, folder="test/")),
            **ASKED,
            "train.csv": csv("id,label", PLAIN["train.csv"].splitlines()[1:10]),
            "val.csv": csv("id,label", PLAIN["train.csv"].splitlines()[10:]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
        note="'train.csv', 'val.csv' are taken together",
    ),
    "no header, and ids without an ending": Miniature(
        lambda: {**BOTH, **ASKED, "train_labels.csv": "".join(f"{n},{label}\n" for n, label in zip(TRAIN, labels(12), strict=True))},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "a sample without a header": Miniature(
        lambda: {**BOTH, **PLAIN, "sample_submission.csv": "".join(f"{n},{SPECIES[0]}\n" for n in TEST)},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "semicolons and decimal commas": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id;moisture", [f"{n};{k},{k % 4}" for k, n in enumerate(TRAIN)]),
            "sample_submission.csv": csv("id;moisture", [f"{n};0,0" for n in TEST]),
        },
        "regression",
        "number",
        1,
        (12, "a00"),
        (4, "b00"),
    ),
    "numbers, some of them missing": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,moisture", [f"{n},{'NaN' if k % 4 == 3 else k / 8}" for k, n in enumerate(TRAIN)]),
            **sample("id,moisture", TEST, "0"),
        },
        "regression",
        "number",
        1,
        (9, "a00"),
        (4, "b00"),
        note="3 rows of train.csv have no label",
    ),
    "lists in brackets": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv(
                "id,tags", [f'{n},"{[["red", "big"], ["blue"], ["red"], ["blue", "red"]][k % 4]}"' for k, n in enumerate(TRAIN)]
            ),
            **sample("id,tags", TEST, "red"),
        },
        "multilabel",
        "labels",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "JSON of columns": Miniature(
        lambda: {**BOTH, **ASKED, "train.json": json.dumps({"id": TRAIN, "label": labels(12)})},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "JSON of columns, as pandas writes it": Miniature(
        lambda: {**BOTH, **ASKED, "train.json": pd.DataFrame({"id": TRAIN, "label": labels(12)}).to_json()},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "JSON of files by class": Miniature(
        lambda: {**BOTH, **ASKED, "train.json": json.dumps({label: [f"{n}.jpg" for n in TRAIN[k::3]] for k, label in enumerate(SPECIES)})},
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00"),
    ),
    "a column is_test of words": Miniature(
        lambda: {
            **pictures(at([*TRAIN, *TEST], folder="images/")),
            "meta.csv": csv(
                "id,is_test,label",
                [*(f"{n},False,{label}" for n, label in zip(TRAIN, labels(12), strict=True)), *(f"{n},True," for n in TEST)],
            ),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "accents apart in file names": Miniature(
        lambda: {
            **pictures(unicodedata.normalize("NFD", f"{part}/ü {n}.jpg") for part, ns in (("train", TRAIN), ("test", TEST)) for n in ns),
            "train.csv": csv("id,label", [f"ü {n},{label}" for n, label in zip(TRAIN, labels(12), strict=True)]),
            **sample("id,label", [f"ü {n}" for n in TEST], SPECIES[0]),
        },
        "multiclass",
        "label",
        3,
        (12, "ü a00"),
        (4, "ü b00"),
    ),
    "a text beside each image": Miniature(
        lambda: {**BOTH, **PLAIN, **ASKED, **{f"train/{n}.txt": "a text\n" for n in TRAIN}},
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
        note="not read: 12 .txt files of one image each, such as train/a00.txt",
    ),
    # ---- what the sample asks for ------------------------------------------------------------------------------------------
    "five columns of names": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,location,turtle", [f"{n},{'lr'[k % 2]},t_{k % 6}" for k, n in enumerate(TRAIN)]),
            **sample("id,prediction1,prediction2,prediction3", TEST, "t_1,new_turtle,t_2"),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00"),
        (4, "b00"),
    ),
    "samples of two stages": Miniature(
        lambda: {
            **BOTH,
            **PLAIN,
            **sample("id,label", TEST[:2], SPECIES[0], "sample_submission_stage1.csv"),
            **sample("id,label", TEST, SPECIES[0], "sample_submission_stage2.csv"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "a sample with a column Usage": Miniature(
        lambda: {
            **BOTH,
            **PLAIN,
            "sample.csv": csv("id,label,Usage", [f"{n},{SPECIES[0]},{'Public' if n < 'b02' else 'Private'}" for n in TEST]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "plant traits: the sample asks for X4, the label table has its mean and spread": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,rain,X4_mean,X11_mean,X4_sd", [f"{n},{k},{k / 7:.2f},{k / 3:.2f},0.{k}" for k, n in enumerate(TRAIN)]),
            "test.csv": csv("id,rain", [f"{n},3" for n in TEST]),
            **sample("id,X4,X11", TEST, "1,1"),
        },
        "regression",
        "number",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "a probability by another name": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,inc_angle,is_iceberg", [f"{n},{30 + k / 8},{k % 2}" for k, n in enumerate(TRAIN)]),
            **sample("id,Probability", TEST, "0.5"),
        },
        "binary",
        "probability",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "ages by folder": Miniature(
        lambda: {
            **pictures(f"train/{20 + k % 4}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(at(TEST, folder="test/")),
            **sample("id,age", TEST, "30"),
        },
        "regression",
        "number",
        1,
        (12, "a00"),
        (4, "b00"),
    ),
    "opinion scores of photographs, told apart by a column": Miniature(
        lambda: {
            **pictures(at([*TRAIN, *TEST], folder="512x384/")),
            "scores.csv": csv(
                "image_name,c1,MOS,SD,set",
                [f"{n}.jpg,{k % 5},{1 + k / 8},{k % 3},{'test' if n in TEST else 'training'}" for k, n in enumerate([*TRAIN, *TEST])],
            ),
        },
        "regression",
        "number",
        1,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "camera traps: sites in a table beside the labels": Miniature(
        lambda: {
            **{
                f"{part}_features/{n}.jpg": picture(k)
                for part, ns in (("train", range(40)), ("test", range(50, 54)))
                for k, n in enumerate(ns)
            },
            "train_features.csv": csv("id,filepath,site", [f"{n},train_features/{n}.jpg,S{n // 3}" for n in range(40)]),
            "test_features.csv": csv("id,filepath,site", [f"{n},test_features/{n}.jpg,S99" for n in range(50, 54)]),
            "train_labels.csv": csv("id,bird,hog,blank", [f"{n}," + ",".join(str(float(n % 3 == k)) for k in range(3)) for n in range(40)]),
            "submission_format.csv": csv("id,bird,hog,blank", [f"{n},0.3,0.3,0.4" for n in range(50, 54)]),
        },
        "multiclass",
        "probabilities",
        3,
        (40, "0"),
        (4, "50"),
        "site",
        "train_features.csv tells more about the images of train_labels.csv: 'filepath', 'site'",
    ),
    # ---- competitions by name ---------------------------------------------------------------------------------------------
    "state-farm-distracted-driver-detection": Miniature(
        lambda: {
            **pictures(f"imgs/train/c{n % 3}/img_{n}.jpg" for n in range(36)),
            **pictures(f"imgs/test/img_{n}.jpg" for n in range(100, 104)),
            "driver_imgs_list.csv": csv("subject,classname,img", [f"p{n // 3:03d},c{n % 3},img_{n}.jpg" for n in range(36)]),
            **sample("img,c0,c1,c2", [f"img_{n}.jpg" for n in range(100, 104)], "0.3,0.3,0.4"),
        },
        "multiclass",
        "probabilities",
        3,
        (36, "img_0.jpg"),
        (4, "img_100.jpg"),
        "subject",
    ),
    "histopathologic-cancer-detection": Miniature(
        lambda: {
            **tiffs(f"train/{n}.tif" for n in TRAIN),
            **tiffs(f"test/{n}.tif" for n in TEST),
            "train_labels.csv": csv("id,label", [f"{n},{k % 2}" for k, n in enumerate(TRAIN)]),
            **sample("id,label", TEST, "0"),
        },
        "binary",
        "probability",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "diabetic-retinopathy-detection": Miniature(
        lambda: {
            **pictures(f"train/{n}_{eye}.jpeg" for n in range(10, 22) for eye in ("left", "right")),
            **pictures(f"test/{n}_{eye}.jpeg" for n in (1, 2) for eye in ("left", "right")),
            "trainLabels.csv.zip": archive(
                {"trainLabels.csv": csv("image,level", [f"{n}_{eye},{n % 5}" for n in range(10, 22) for eye in ("left", "right")])}
            ),
            "sampleSubmission.csv.zip": archive(
                sample("image,level", ["1_left", "1_right", "2_left", "2_right"], "0", "sampleSubmission.csv")
            ),
        },
        "ordinal",
        "label",
        5,
        (24, "10_left"),
        (4, "1_left"),
    ),
    "iwildcam-2020": Miniature(
        lambda: {
            **pictures(f"train/{n}.jpg" for n in range(60)),
            **pictures(f"test/{n}.jpg" for n in range(90, 94)),
            "train.csv": csv(
                "category_id,date_captured,file_name,frame_num,id,location,seq_id,seq_num_frames,width,height",
                [f"{n // 2 % 3},2011-05-13 {n:02d}:43,{n}.jpg,{n % 2},{n},{n // 5},s{n // 2},2,5,4" for n in range(60)],
            ),
            "test.csv": csv(
                "date_captured,file_name,frame_num,id,location,seq_id,seq_num_frames,width,height",
                [f"2011-05-13 {n}:43,{n}.jpg,0,{n},77,t{n},1,5,4" for n in range(90, 94)],
            ),
            **sample("Id,Predicted", map(str, range(90, 94)), "0"),
        },
        "multiclass",
        "label",
        3,
        (60, "0.jpg"),
        (4, "90"),
        "location",
    ),
    "happy-whale-and-dolphin": Miniature(
        lambda: {
            **pictures(f"train_images/{n}.jpg" for n in TRAIN),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image,species,individual_id", [f"{n}.jpg,{['melon_headed', 'humpback'][k % 2]},{k % 6:012x}" for k, n in enumerate(TRAIN)]
            ),
            **sample("image,predictions", [f"{n}.jpg" for n in TEST], " ".join(f"{k:012x}" for k in range(5))),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "paddy-disease-classification": Miniature(
        lambda: {
            **pictures(f"train_images/{SPECIES[k % 3].lower().replace(' ', '_')}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image_id,label,variety,age",
                [f"{n}.jpg,{SPECIES[k % 3].lower().replace(' ', '_')},ADT45,{40 + k % 5}" for k, n in enumerate(TRAIN)],
            ),
            **sample("image_id,label", [f"{n}.jpg" for n in TEST], ""),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "landmark: folders by the first letters": Miniature(
        lambda: {
            **pictures(f"train/{n[0]}/{n[1]}/{n[2]}/{n}.jpg" for n in TRAIN),
            **pictures(f"test/{n[0]}/{n[1]}/{n[2]}/{n}.jpg" for n in TEST),
            "train.csv": csv("id,landmark_id", [f"{n},{7000 + k % 3}" for k, n in enumerate(TRAIN)]),
            **sample("id,landmark_id", TEST, "7001"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "UBC-OCEAN: thumbnails beside": Miniature(
        lambda: {
            **pictures(f"{part}_images/{n}.png" for part, names in (("train", range(12)), ("test", range(20, 24))) for n in names),
            **pictures(
                f"{part}_thumbnails/{n}_thumbnail.png" for part, names in (("train", range(12)), ("test", range(20, 24))) for n in names
            ),
            "train.csv": csv(
                "image_id,label,image_width,image_height,is_tma",
                [f"{n},{['HGSC', 'LGSC', 'EC'][n % 3]},5,4,{n % 4 == 0}" for n in range(12)],
            ),
            "test.csv": csv("image_id,image_width,image_height", [f"{n},5,4" for n in range(20, 24)]),
            **sample("image_id,label", map(str, range(20, 24)), "HGSC"),
        },
        "multiclass",
        "label",
        3,
        (12, "0"),
        (4, "20"),
        note="only in train.csv and not used: 'is_tma'",
    ),
    "hotel-id-2021-fgvc8": Miniature(
        lambda: {
            **pictures(f"train_images/{k % 2}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image,chain,hotel_id,timestamp", [f"{n}.jpg,{k % 2},{36000 + k % 6},2018-04-{k:02d}" for k, n in enumerate(TRAIN)]
            ),
            **sample("image,hotel_id", [f"{n}.jpg" for n in TEST], "36000 36001 36002 36003 36004"),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "sorghum-id-fgvc-9": Miniature(
        lambda: {
            **pictures(f"train_images/{n}.png" for n in TRAIN),
            **pictures(f"test/{n}.png" for n in TEST),
            "train_cultivar_mapping.csv": csv("image,cultivar", [".DS_Store,", *(f"{n}.png,PI_{k % 3}" for k, n in enumerate(TRAIN))]),
            **sample("filename,cultivar", [f"{n}.png" for n in TEST], "PI_1"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.png"),
        (4, "b00.png"),
        note="1 rows of train_cultivar_mapping.csv",
    ),
    "intel-mobileodt-cervical-cancer-screening": Miniature(
        lambda: {
            **pictures(f"train/Type_{k}/{k * 10 + n}.jpg" for k in (1, 2, 3) for n in range(4)),
            **pictures(f"additional_Type_{k}_v2/Type_{k}/{k * 100 + n}.jpg" for k in (1, 2, 3) for n in range(3)),
            **pictures(f"test/{n}.jpg" for n in range(4)),
            "sample_submission.csv": csv("image_name,Type_1,Type_2,Type_3", [f"{n}.jpg,0.17,0.53,0.3" for n in range(4)]),
        },
        "multiclass",
        "probabilities",
        3,
        (12, "10"),
        (4, "0.jpg"),
    ),
    "the-nature-conservancy-fisheries-monitoring": Miniature(
        lambda: {
            **pictures(f"train/{k}/img_{ord(k[0])}{n}.jpg" for k in ("ALB", "BET", "NoF") for n in range(4)),
            **pictures(f"test_stg1/img_{n}.jpg" for n in range(4)),
            "sample_submission_stg1.csv": csv("image,ALB,BET,NoF", [f"img_{n}.jpg,0.45,0.05,0.5" for n in range(4)]),
        },
        "multiclass",
        "probabilities",
        3,
        (12, "img_650"),
        (4, "img_0.jpg"),
    ),
    "galaxy-zoo: a sample by another name": Miniature(
        lambda: {
            **pictures(f"images_training_rev1/{n}.jpg" for n in range(100, 112)),
            **pictures(f"images_test_rev1/{n}.jpg" for n in range(200, 204)),
            "training_solutions_rev1.csv": csv("GalaxyID,Class1.1", [f"{n},{n % 7 / 7:.3f}" for n in range(100, 112)]),
            "all_zeros_benchmark.csv": csv("GalaxyID,Class1.1", [f"{n},0" for n in range(200, 204)]),
            "all_ones_benchmark.csv": csv("GalaxyID,Class1.1", [f"{n},1" for n in range(200, 204)]),
        },
        "regression",
        "number",
        1,
        (12, "100"),
        (4, "200"),
    ),
    "right whales: most with few pictures": Miniature(
        lambda: {
            "imgs.zip": archive(pictures(f"imgs/w_{n}.jpg" for n in range(16))),
            "train.csv": csv("Image,whaleID", [f"w_{n}.jpg,whale_{n % 4:05d}" for n in range(12)]),
            "sample_submission.csv": csv(
                "Image," + ",".join(f"whale_{k:05d}" for k in range(4)), [f"w_{n}.jpg,0.25,0.25,0.25,0.25" for n in range(12, 16)]
            ),
        },
        "multiclass",
        "probabilities",
        4,
        (12, "w_0.jpg"),
        (4, "w_12.jpg"),
    ),
    "street view: capitals in endings": Miniature(
        lambda: {
            **{f"{part}/{n}.Bmp": picture(n, "BMP") for part, ns in (("train", range(1, 13)), ("test", range(13, 17))) for n in ns},
            "trainLabels.csv": csv("ID,Class", [f"{n},{'n8TI'[n % 4]}" for n in range(1, 13)]),
            **sample("ID,Class", map(str, range(13, 17)), "A", "sampleSubmission.csv"),
        },
        "multiclass",
        "label",
        4,
        (12, "1"),
        (4, "13"),
    ),
    "intel images: folders in folders of the same name": Miniature(
        lambda: (
            pictures(
                f"seg_{part}/seg_{part}/{kind}/{ord(kind[0])}{n}.jpg"
                for part, count in (("train", 4), ("test", 2))
                for kind in ("sea", "forest")
                for n in range(count)
            )
            | pictures(f"seg_pred/seg_pred/{n}.jpg" for n in range(5))
        ),
        "binary",
        "label",
        2,
        (8, "1020"),
        (4, "1020"),
    ),
    "numbers of images, whose names say more": Miniature(
        lambda: {
            **pictures(f"train/image_{n:03d}.jpg" for n in range(12)),
            **pictures(f"test/image_{n:03d}.jpg" for n in range(4)),
            "train.csv": csv("id,label", [f"{n},{label}" for n, label in enumerate(labels(12))]),
            "classes.csv": csv("id,name", [f"{n},{name}" for n, name in enumerate(SPECIES)]),
            **sample("id,label", map(str, range(4)), SPECIES[0]),
        },
        *("multiclass", "label", 3, (12, "0"), (4, "0")),
        note="train.csv: 'id' numbers the images: '0' is train/image_000.jpg",
    ),
    "numbers of rows, whose images a table names": Miniature(
        lambda: {
            **pictures(f"train/image ({n}).jpg" for n in range(12)),
            **pictures(f"test/image ({n}).jpg" for n in range(4)),
            "train.csv": csv("id,file,label", [f"{n},image ({11 - n}).jpg,{label}" for n, label in enumerate(labels(12))]),
            "test.csv": csv("id,file", [f"{n},image ({3 - n}).jpg" for n in range(4)]),
            **sample("id,label", map(str, range(4)), SPECIES[0]),
        },
        *("multiclass", "label", 3, (12, "image (11).jpg"), (4, "0")),
    ),
}


def segmentation(column: str, cell: str = "1 2 3 4") -> Tree:
    rows = [f"{name},{cell}" for name in TRAIN]
    masks = pictures(at(TRAIN, "_mask.jpg", "train_masks/"))
    return {**BOTH, **masks, "train.csv": csv(f"id,{column}", rows), **sample(f"id,{column}", TEST, cell)}


NOT_UNDERSTOOD: dict[str, tuple[Callable[[], Tree], str]] = {
    "text": (
        lambda: {"train.csv": "id,text\n1,a\n"},
        r"no images and no table with pixel columns: there are 1 files \(1 .csv\); image files",
    ),
    "cdiscount: pictures in BSON": (
        lambda: {"train.bson": b"x", "category_names.csv": "category_id,name\n1,b\n", **sample("_id,category_id", "12", "3")},
        "images have to be taken out of these files and written as JPEG or PNG first",
    ),
    "statoil: bands in JSON": (
        lambda: {"train.json": json.dumps([{"id": f"x{n}", "band_1": [1.0, 2.0], "is_iceberg": n % 2} for n in range(9)])},
        "no images and no table with pixel columns",
    ),
    "tpu: TFRecords": (lambda: {"train/00.tfrec": b"x", **sample("id,label", "12", "0")}, "images have to be taken out of these files"),
    "bengali: pixels in parquet": (
        lambda: {
            "train.csv": "image_id,grapheme_root\nTrain_0,1\nTrain_1,2\n",
            "train_image_data_0.parquet": parquet(pd.DataFrame({"image_id": ["Train_0"], **{str(place): [1] for place in range(64)}})),
        },
        "images have to be taken out of these files",
    ),
    "diabetic retinopathy: an archive in parts": (
        lambda: {**{f"train.zip.00{part}": b"x" for part in range(1, 4)}, "trainLabels.csv": "image,level\n10_left,0\n"},
        r"no images.*Could not be opened: .*train.zip.001: is a part of an archive: join the parts by `cat train.zip.\* > joined.zip`$",
    ),
    "a rar": (lambda: {"train.rar": b"x", **PLAIN}, "train.rar: rar archives are not read: unpack it beside"),
    "tgs-salt: masks": (
        lambda: segmentation("rle_mask"),
        r"sample_submission.csv: 'rle_mask' asks for places in images \(masks or boxes\)",
    ),
    "severstal: masks": (lambda: segmentation("EncodedPixels"), "'EncodedPixels' asks for places in images"),
    "global wheat: boxes": (lambda: segmentation("PredictionString", "1.0 0 0 5 5"), "'PredictionString' asks for places"),
    "dstl: shapes": (lambda: segmentation("MultipolygonWKT", "MULTIPOLYGON EMPTY"), "'MultipolygonWKT' asks for places"),
    "boxes and no sample": (
        lambda: {**BOTH, "train.csv": csv("id,bbox", [f'{name},"[1, 2, 3, {number}]"' for number, name in enumerate(TRAIN)])},
        "train.csv: 'bbox' asks for places in images",
    ),
    "masks and no table": (
        lambda: {**pictures([*at(TRAIN, folder="train/images/"), *at(TRAIN, folder="train/masks/")]), **pictures(at(TEST, folder="test/"))},
        "no labels were found.*'train/masks/' hold pictures that belong to others: competitions about masks are not what this is made for",
    ),
    "COCO boxes of several classes": (
        lambda: {
            **BOTH,
            "train.json": json.dumps(
                {
                    "images": [{"id": place, "file_name": f"{name}.jpg"} for place, name in enumerate(TRAIN)],
                    "annotations": [{"image_id": place, "category_id": k, "bbox": [1, 2, 3, 4]} for place in range(12) for k in (0, 1)],
                }
            ),
        },
        "train.json: 12 ids are there more than once with different labels.*--competition.task multilabel",
    ),
    "HPA: four files an id": (
        lambda: {
            **pictures(
                f"{part}/{name}_{colour}.png" for part, names in (("train", TRAIN), ("test", TEST)) for name in names for colour in "rg"
            ),
            "train.csv": csv("Id,Target", [f"{name},{place % 3}" for place, name in enumerate(TRAIN)]),
        },
        r"'a00' is 2 images \('train/a00_g.png', 'train/a00_r.png'\): an id that means several images is not understood",
    ),
    "a folder of pictures an id": (
        lambda: {
            **pictures(f"{part}/{name}/{k}.png" for part, names in (("train", TRAIN), ("test", TEST)) for name in names for k in range(3)),
            **PLAIN,
            **ASKED,
        },
        r"images are missing for 4 of 4 rows.* 'b00' is 3 images \('test/b00/0.png', 'test/b00/1.png', 'test/b00/2.png'\)",
    ),
    "yelp: many photographs a business": (
        lambda: {
            **pictures(at(range(24), folder="train_photos/")),
            **pictures(at(range(50, 58), folder="test_photos/")),
            "train.csv": csv("business_id,labels", [f"{1000 + n},{['1 2', '3'][n % 2]}" for n in range(8)]),
            "train_photo_to_biz_ids.csv": csv("photo_id,business_id", [f"{n},{1000 + n // 3}" for n in range(24)]),
            "test_photo_to_biz.csv": csv("photo_id,business_id", [f"{n},b{n % 4}" for n in range(50, 58)]),
            **sample("business_id,labels", ["b0", "b1", "b2", "b3"], "1 2 3"),
        },
        "its ids mean several images each: 'b2' is '50', '54' in test_photo_to_biz.csv. Make a copy with one image an id",
    ),
    "facial keypoints: a row a number": (
        lambda: {
            "training.csv": csv("eye_x,Image", faces([(f"{n}.5", "pixels") for n in range(9)])),
            "test.csv": csv("ImageId,Image", faces([(f"{n}", "pixels") for n in range(1, 5)])),
            **sample("RowId,Location", map(str, range(1, 9)), "0"),
        },
        "sample_submission.csv does not fit test.csv: 8 ids .* for 4 rows of pixels; a submission should have one row an image",
    ),
    "google landmarks: a label and how sure it is": (
        lambda: {**BOTH, "train.csv": csv("id,landmark_id", at(TRAIN, ",7001")), **sample("id,landmarks", TEST, "7001 0.5")},
        "sample_submission.csv: cells such as '7001 0.5' are a label and how sure it is.*--competition.answer label writes",
    ),
    "painter by numbers: pairs": (
        lambda: {
            **BOTH,
            "train_info.csv": csv("filename,artist,style", [f"{name}.jpg,{'xyz'[k % 3]},{k % 2}" for k, name in enumerate(TRAIN)]),
            **sample("index,sameArtist", "01", "0.5"),
        },
        "images are missing for 2 of 2 rows, column 'index': '0'",
    ),
    "rsna bone age: two columns that only train has": (bone_age, "no column of labels was found; .*'id', 'boneage', 'male': name one by"),
    "images without labels": (lambda: BOTH, "no labels were found: .* A table should have a column of ids or file names"),
    "folders and no test": (
        lambda: pictures(f"flowers/{label}/{n}.jpg" for label in SPECIES for n in range(3)),
        "the test set is empty: no sample submission, no test table, and no folder of test images. Put images .* into a folder called test",
    ),
    "a sample of other ids": (lambda: {**BOTH, **PLAIN, **sample("id,label", ["q1", "q2"], "x")}, "images are missing for 2 of 2 rows"),
    "pixels in one cell, some beyond 255": (
        lambda: {"train.csv": csv("emotion,pixels", [f"{n % 2},{' '.join(['999'] * 36)}" for n in range(9)])},
        "no images and no table with pixel columns",
    ),
    "YOLO boxes": (
        lambda: {**pictures(at(TRAIN, folder="train/images/")), **{f"train/labels/{n}.txt": "0 0.5 0.5 0.2 0.2\n" for n in TRAIN}},
        "no labels were found.* 12 .txt files are of one image each, such as train/labels/a00.txt: boxes, masks and captions are not",
    ),
    "boxes of several classes": (
        lambda: {**BOTH, "train.csv": csv("id,xmin,xmax,class", [f"{n},{k},{k + 5},{'xy'[k]}" for n in TRAIN for k in (0, 1)])},
        "12 ids are there more than once with different labels.* 'xmin', 'xmax' are of boxes: places in images are not",
    ),
    "masks called labels": (
        lambda: {
            **pictures([*at(TRAIN, folder="train/images/"), *at(TRAIN, folder="train/labels/")]),
            **pictures(at(TEST, folder="test/")),
        },
        "no labels were found.*'train/labels/' hold pictures that belong to others",
    ),
    "captions": (
        lambda: {**BOTH, "train.csv": csv("image,caption", [f"{n}.jpg,{n} sits on the mat alone" for n in TRAIN])},
        "train.csv: 'caption' holds 12 different sentences in 12 rows, such as 'a00 sits on the mat alone': captions and answers in words",
    ),
    "hemorrhage: a row for each class": (
        lambda: {
            **BOTH,
            "train.csv": csv("ID,Label", [f"{n}_{kind},0" for n in TRAIN for kind in ("any", "epidural")]),
            **sample("ID,Label", [f"{n}_any" for n in TEST], "0.5"),
        },
        "'b00_any' is the image 'b00' and 'any': a row for each class, or for two images, is not understood",
    ),
    "a spreadsheet": (
        lambda: {**BOTH, **ASKED, "train.xlsx": b"PK"},
        "no labels were found.*not read: 'train.xlsx: spreadsheets are not read: save it as csv'",
    ),
    "a page instead of a table": (
        lambda: {**BOTH, **ASKED, "train.csv": "<!DOCTYPE html>\n<html>Sign in</html>\n"},
        "no labels were found.*'train.csv: is a web page, no table: download it again, signed in'",
    ),
    "no training images": (
        lambda: {**pictures(at(TEST, folder="test/")), **PLAIN, **ASKED},
        "No image is called as 'a00', 'a01' of train.csv are, column 'id': are the training images there",
    ),
    "sounds": (lambda: {"train/a.wav": b"RIFF", **PLAIN}, "no images.*sounds are not read: write their spectrograms as PNG first"),
}
