"""Labels in tables, lists, folders, names and archives of every form, and pictures that belong to others."""

import gzip
import json

import pandas as pd

from tests.layouts import SPECIES, Tree, archive, csv, pictures
from tests.miniatures.making import ASKED, BOTH, PLAIN, TEST, TRAIN, Miniature, at, faces, labels, parquet, sample, tiffs


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


KINDS_NAMES_NUMBERS = [
    (kind, name, number)
    for kind, names in {"animal": ("cat", "dog"), "plant": ("oak", "ash")}.items()
    for name in names
    for number in range(5)
]
FORMS: dict[str, Miniature] = {
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
    "labels by numbers of another table, which has the files of both sides": Miniature(
        lambda: {
            **BOTH,
            "files.csv": csv("number,file", [f"{place * 37 % 101 + 500},{name}.jpg" for place, name in enumerate([*TRAIN, *TEST])]),
            "train.csv": csv("number,label", [f"{place * 37 % 101 + 500},{label}" for place, label in enumerate(labels(12))]),
            **sample("number,label", [str((12 + place) * 37 % 101 + 500) for place in range(4)], SPECIES[0]),
        },
        *("multiclass", "label", 3, (12, "a00.jpg"), (4, "540")),
        note="train.csv has the labels for files.csv (12 of its 16 rows), by 'number'",
    ),
    "folders of classes in folders of kinds, by the sample's cells": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{name}/{number}.jpg" for kind, name, number in KINDS_NAMES_NUMBERS),
            **pictures(at(TEST, folder="test/")),
            **sample("id,label", TEST, "oak"),
        },
        *("multiclass", "label", 4, (20, "animal/cat/0"), (4, "b00")),
    ),
    "folders of classes in folders of kinds, by the sample's columns": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{name}/{number}.jpg" for kind, name, number in KINDS_NAMES_NUMBERS),
            **pictures(at(TEST, folder="test/")),
            **sample("id,cat,dog,oak,ash", TEST, "0.25,0.25,0.25,0.25"),
        },
        *("multiclass", "probabilities", 4, (20, "animal/cat/0"), (4, "b00")),
    ),
    "folders of patients in folders of classes": Miniature(
        lambda: {
            **pictures(
                f"train/{kind}/{patient}/{number}.jpg" for kind in ("benign", "malignant") for patient in (0, 1) for number in range(3)
            ),
            **pictures(at(TEST, folder="test/")),
            **sample("id,label", TEST, "0"),
        },
        *("binary", "probability", 2, (12, "benign/0/0"), (4, "b00")),
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
}
