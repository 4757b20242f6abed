"""Trees that can be read in more than one way, and the reading that a person would take at once."""

from tests.layouts import Tree, csv, picture, pictures
from tests.miniatures.making import Miniature, at, sample

PETS = ("cat", "dog", "owl")
TRAIN, TEST = [f"a{place:02d}" for place in range(12)], [f"b{place:02d}" for place in range(6)]
BOTH = pictures(at(TRAIN, folder="train/")) | pictures(at(TEST, folder="test/"))
NUMBERS = pictures(f"test/{place}.jpg" for place in range(6))
LABELS = [PETS[place % 3] for place in range(12)]
OTHERS = [(5 * place + 1) % 12 for place in range(12)]  # the file of a row is not called by the row's number


def asked(cell: str, header: str = "id,label") -> Tree:
    return sample(header, map(str, range(6)), cell)


READINGS: dict[str, Miniature] = {
    "classes in the names, below train and val": Miniature(
        lambda: {
            **pictures(f"train/{kind}.{place}.jpg" for kind in PETS[:2] for place in range(8)),
            **pictures(f"val/{kind}.{place}.jpg" for kind in PETS[:2] for place in range(8, 12)),
            **NUMBERS,
            **asked("0.5"),
        },
        *("binary", "probability", 2, (24, "cat.0"), (6, "0")),
    ),
    "classes below train, and val is flat": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{kind}{place}.jpg" for kind in PETS for place in range(4)),
            **pictures(f"val/v{place}.jpg" for place in range(4)),
            **NUMBERS,
            **asked("cat"),
        },
        *("multiclass", "label", 3, (12, "cat0"), (6, "0")),
        note="4 training images lie in no folder of a class",
    ),
    "classes below train, and a cover beside them": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{kind}{place}.jpg" for kind in PETS for place in range(8)),
            **pictures(["train/overview.jpg"]),
            **NUMBERS,
            **asked("cat"),
        },
        *("multiclass", "label", 3, (24, "cat0"), (6, "0")),
        note="1 training images lie in no folder of a class: they are left out: 'train/overview.jpg'",
    ),
    "one table of all images, labels of training alone": Miniature(
        lambda: {
            **BOTH,
            "metadata.csv": csv("id,label", [*(f"{n},{label}" for n, label in zip(TRAIN, LABELS, strict=True)), *(f"{n}," for n in TEST)]),
        },
        *("multiclass", "label", 3, (12, "a00"), (6, "b00")),
        note="6 rows of metadata.csv are of test images: they are left out of training",
    ),
    "one table of all images, labels of training alone, and a sample": Miniature(
        lambda: {
            **BOTH,
            "metadata.csv": csv("id,label", [*(f"{n},{label}" for n, label in zip(TRAIN, LABELS, strict=True)), *(f"{n}," for n in TEST)]),
            **sample("id,label", TEST, "cat"),
        },
        *("multiclass", "label", 3, (12, "a00"), (6, "b00")),
        note="6 rows of metadata.csv are of test images: they are left out of training",
    ),
    "classes below train, a table of val": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{kind}{place}.jpg" for kind in PETS for place in range(4)),
            **pictures(f"val/v{place}.jpg" for place in range(6)),
            "val.csv": csv("id,label", [f"v{place},{PETS[place % 3]}" for place in range(6)]),
            **NUMBERS,
            **asked("cat"),
        },
        *("multiclass", "label", 3, (18, "cat0"), (6, "0")),
    ),
    "a folder of labelled images, and one of images that are not": Miniature(
        lambda: {
            **pictures(f"food/training/labeled/{kind:02d}/{kind}_{place}.jpg" for kind in range(3) for place in range(4)),
            **pictures(f"food/training/unlabeled/00/{place}.jpg" for place in range(6)),
            **pictures(f"food/validation/{kind:02d}/{kind}_9.jpg" for kind in range(3)),
            **pictures(f"food/testing/00/{place:04d}.jpg" for place in range(6)),
            **asked("0", "Id,Category"),
        },
        *("multiclass", "label", 3, (15, "0_0"), (6, "0")),
        note="images of the validation folder are training images here",
    ),
    "numbers of rows, and files called by other numbers": Miniature(
        lambda: {
            **pictures(f"train/{place}.jpg" for place in range(12)),
            **pictures(f"test/{place}.jpg" for place in range(100, 106)),
            "train.csv": csv("index,image,label", [f"{row},{OTHERS[row]}.jpg,{label}" for row, label in enumerate(LABELS)]),
            **sample("image,label", [f"{place}.jpg" for place in range(100, 106)], "cat"),
        },
        *("multiclass", "label", 3, (12, "1.jpg"), (6, "100.jpg")),
    ),
    "a column of masks before that of images": Miniature(
        lambda: {
            **BOTH,
            **pictures(f"masks/{name}_mask.jpg" for name in TRAIN),
            "train.csv": csv("mask,image,label", [f"{n}_mask.jpg,{n}.jpg,{label}" for n, label in zip(TRAIN, LABELS, strict=True)]),
            **sample("image,label", [f"{name}.jpg" for name in TEST], "cat"),
        },
        *("multiclass", "label", 3, (12, "a00.jpg"), (6, "b00.jpg")),
        note="not used, for their names are of pictures that belong to others",
    ),
    "a sample with numbers of rows and file names": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,filename,label", [f"{row},{name}.jpg,{row % 3}" for row, name in enumerate(TRAIN)]),
            "test.csv": csv("id,filename", [f"{100 + row},{name}.jpg" for row, name in enumerate(TEST)]),
            **{"sample_submission.csv": csv("id,filename,label", [f"{100 + row},{name}.jpg,0" for row, name in enumerate(TEST)])},
        },
        *("multiclass", "label", 3, (12, "a00.jpg"), (6, "b00.jpg")),
    ),
    "a sample with widths and heights": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,width,height,label", [f"{name},{200 + row},{300 + row},{row % 2}" for row, name in enumerate(TRAIN)]),
            **{
                "sample_submission.csv": csv(
                    "id,width,height,label", [f"{name},{210 + row},{320 + row},0" for row, name in enumerate(TEST)]
                )
            },
        },
        *("binary", "probability", 2, (12, "a00"), (6, "b00")),
    ),
    "folders of two words, each in others too": Miniature(
        lambda: {
            **pictures(
                f"train/{a} {b}/{a}{b}{n}.jpg" for a in ("red", "blue", "green") for b in ("dress", "shirt", "shoes") for n in (1, 2)
            ),
            **NUMBERS,
            **asked("red dress"),
        },
        *("multiclass", "label", 9, (18, "bluedress1"), (6, "0")),
    ),
    "names of several words with of between": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv(
                "id,label",
                [f"{name},{('ace', 'king')[row % 2]} of {('clubs', 'hearts', 'spades')[row % 3]}" for row, name in enumerate(TRAIN)],
            ),
            **sample("id,label", TEST, "ace of clubs"),
        },
        *("multiclass", "label", 6, (12, "a00"), (6, "b00")),
    ),
    "a class called as thumbnails are": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{place}.jpg" for kind in ("fist", "palm", "thumbs_up", "thumbs_down") for place in range(4)),
            **pictures(f"test/{place}.jpg" for place in range(100, 106)),
            **sample("id,gesture", map(str, range(100, 106)), "fist"),
        },
        *("multiclass", "label", 4, (16, "fist/0"), (6, "100")),
    ),
    "mask and nomask": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{place}.jpg" for kind in ("mask", "nomask") for place in range(6)),
            **pictures(f"test/{place}.jpg" for place in range(100, 106)),
            **sample("id,label", map(str, range(100, 106)), "mask"),
        },
        *("binary", "label", 2, (12, "mask/0"), (6, "100")),
    ),
    "a fold beside the number that is asked for": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("image_id,fold,chlorophyll", [f"{name},{row % 5},{row * 1.37:.2f}" for row, name in enumerate(TRAIN)]),
            **sample("image_id,Predicted", TEST, "0"),
        },
        *("regression", "number", 1, (12, "a00"), (6, "b00")),
    ),
    "two folders, and a sample of 0 and 1": Miniature(
        lambda: {
            **pictures(f"train/{kind}/{kind}{place}.jpg" for kind in PETS[:2] for place in range(6)),
            **NUMBERS,
            "sample_submission.csv": csv("id,label", [f"{place},{place % 2}" for place in range(6)]),
        },
        *("binary", "label", 2, (12, "cat0"), (6, "0")),
    ),
    "columns called prob_ and the class": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,label", [f"{name},{label}" for name, label in zip(TRAIN, LABELS, strict=True)]),
            **sample("id,prob_owl,prob_cat,prob_dog", TEST, "0.3,0.3,0.4"),
        },
        *("multiclass", "probabilities", 3, (12, "a00"), (6, "b00")),
    ),
    "classes in small letters, columns in capitals": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv(
                "image_id,dx,age", [f"{name},{('mel', 'nv', 'bcc')[row % 3]},{50 + row % 3}" for row, name in enumerate(TRAIN)]
            ),
            **sample("image_id,MEL,NV,BCC", TEST, "0,0,0"),
        },
        *("multiclass", "probabilities", 3, (12, "a00"), (6, "b00")),
    ),
    "ids that count the rows of test.csv": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("file,label", [f"{name}.jpg,{label}" for name, label in zip(TRAIN, LABELS, strict=True)]),
            "test.csv": csv("file", [f"{name}.jpg" for name in TEST]),
            **sample("Id,label", map(str, range(6)), "cat"),
        },
        *("multiclass", "label", 3, (12, "a00.jpg"), (6, "0")),
    ),
    "labels with a plus between": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv(
                "id,labels", [f"{name},{('rust', 'rust+scab', 'scab', 'mould+rust', 'mould')[row % 5]}" for row, name in enumerate(TRAIN)]
            ),
            **sample("id,mould,rust,scab", TEST, "0.5,0.5,0.5"),
        },
        *("multilabel", "probabilities", 3, (12, "a00"), (6, "b00")),
    ),
    "a sample by a name of its own": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,label", [f"{name},{label}" for name, label in zip(TRAIN, LABELS, strict=True)]),
            "upload_this.csv": csv("ImageID,label", [f"{name}.jpg,cat" for name in TEST[::-1]]),
        },
        *("multiclass", "label", 3, (12, "a00"), (6, "b05.jpg")),
    ),
    "pixels in tables, and a picture for show": Miniature(
        lambda: {
            "train.csv": csv(
                "label," + ",".join(f"pixel{place}" for place in range(16)),
                [",".join(map(str, [row % 3, *((row * 7 + place) % 256 for place in range(16))])) for row in range(12)],
            ),
            "test.csv": csv(
                ",".join(f"pixel{place}" for place in range(16)),
                [",".join(str((row + place) % 256) for place in range(16)) for row in range(6)],
            ),
            "signs.png": picture(1),
            **sample("ImageId,Label", map(str, range(1, 7)), "0"),
        },
        *("multiclass", "label", 3, (12, "1"), (6, "1")),
    ),
}
