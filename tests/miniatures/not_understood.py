"""What ends in words: what was found, and what is missing."""

import json
from collections.abc import Callable

import pandas as pd

from tests.layouts import SPECIES, Tree, archive, csv, pictures
from tests.miniatures.making import ASKED, BOTH, PLAIN, TEST, TRAIN, at, faces, parquet, sample


def bone_age() -> Tree:
    """Nothing says which of two columns is asked for."""
    return {
        **pictures(f"boneage-training-dataset/boneage-training-dataset/{n}.png" for n in range(1377, 1389)),
        **pictures(f"boneage-test-dataset/boneage-test-dataset/{n}.png" for n in range(4360, 4364)),
        "boneage-training-dataset.csv": csv("id,boneage,male", [f"{n},{180 - n % 100},{n % 2 == 0}" for n in range(1377, 1389)]),
        "boneage-test-dataset.csv": csv("Case ID,Sex", [f"{n},M" for n in range(4360, 4364)]),
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
    "a row for each image and class": (
        lambda: {
            **BOTH,
            "train.csv": csv("id,class,present", [f"{name},{kind},0" for name in TRAIN for kind in SPECIES]),
            "sample_submission.csv": csv("id,class,present", [f"{name},{kind},0" for name in TEST for kind in SPECIES]),
        },
        r"train.csv has 36 rows for 12 images, by column 'id': a row for each class or object is not understood; write one row an image",
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
        "No image is called as 'a00', 'a01' of train.csv are, column 'id': are the training images all there",
    ),
    "a folder that is half unpacked": (
        lambda: {
            **pictures(at(TRAIN[:4], folder="train/")),
            **pictures(at(TEST, folder="test/")),
            **PLAIN,
            **ASKED,
            "train.zip": archive(pictures(at(TRAIN))),
        },
        r"4 of 12 values of 'id' of train.csv are images: are the .*Not opened, .* stands beside \(half unpacked\?\): 'train.zip'$",
    ),
    "sounds": (lambda: {"train/a.wav": b"RIFF", **PLAIN}, "no images.*sounds are not read: write their spectrograms as PNG first"),
}
