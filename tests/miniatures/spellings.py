"""Ids and classes that are written otherwise in one place than in another."""

import json
import unicodedata

import pandas as pd

from tests.layouts import SPECIES, csv, pictures
from tests.miniatures.making import ASKED, BOTH, PLAIN, TEST, TRAIN, Miniature, at, labels, sample

SPELLINGS: dict[str, Miniature] = {
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
}
