"""Tables as they come out of spreadsheets, scripts and other systems, and what must be understood of each, or said."""

import gzip
import json

from tests.corpus.door import CLASSES, LABELS, PLAIN, SAMPLE, Case, Right, made, rows_of, table
from tests.layouts import Tree, archive

LINES = PLAIN.splitlines()


def changed(old: str, new: str, text: str = PLAIN) -> str:
    """The plain table, one piece of it otherwise."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is {text.count(old)} times in it")
    return text.replace(old, new)


def named(*names: str, files: tuple[str, ...] | None = None, labels: tuple[str, ...] = CLASSES) -> Tree:
    """Training ids spelled so; the nth has the nth class in turn."""
    cells = [f'"{name}"' if "," in name else name for name in names]
    rows = [f"{cell},{labels[place % len(labels)]}" for place, cell in enumerate(cells)]
    return made(table("id,label", rows), images=files or names)


def called(*names: str) -> Right:
    return Right({name: CLASSES[place % 3] for place, name in enumerate(names)})


def labelled(*labels: str, sample: str = SAMPLE, header: str = "id,label") -> Tree:
    """Nine rows with these labels, as they are to be written."""
    return made(table(header, [f"a{place},{labels[place % len(labels)]}" for place in range(9)]), sample)


def with_labels(*labels: str) -> dict[str, str]:
    return {f"a{place}": labels[place % len(labels)] for place in range(9)}


def grown(count: int, more: list[str], labels: tuple[str, ...] = CLASSES) -> Tree:
    """So many rows and some more lines behind them: one missing image among many is left out, not an error."""
    names = [f"a{place}" for place in range(count)]
    rows = [f"{name},{labels[place % len(labels)]}" for place, name in enumerate(names)]
    return made(table("id,label", [*rows[:5], *more, *rows[5:]]), images=names)


def in_json(text: str) -> Tree:
    return made(None, SAMPLE, more={"train.json": text})


PARTS = [f"a{place}" for place in range(24)]
MANY = Right({name: CLASSES[place % 3] for place, name in enumerate(PARTS)})
NOT_FOUND = r"train.csv: images are missing for \d+ of 9 rows, column 'id': "
LIKE_NAN = ("NA", "null", "None", "nan", "N_A", "1e5", "inf", "True", "False")

TABLES: dict[str, Case] = {
    # how a csv is written
    "as it should be": (made, Right()),
    "a byte order mark": (lambda: made(PLAIN.encode("utf-8-sig"), SAMPLE.encode("utf-8-sig")), Right()),
    "semicolons": (lambda: made(PLAIN.replace(",", ";"), SAMPLE.replace(",", ";")), Right()),
    "tabs in one table, commas in the other": (lambda: made(PLAIN.replace(",", "\t")), Right()),
    "bars": (lambda: made(PLAIN.replace(",", "|")), Right()),
    "UTF-16 with a mark": (lambda: made(PLAIN.encode("utf-16")), Right()),
    "UTF-16, big end first, without a mark": (lambda: made(PLAIN.encode("utf-16-be")), Right()),
    "latin-1": (
        lambda: made(PLAIN.replace("bee", "bée").encode("latin-1")),
        Right(
            {name: label.replace("bee", "bée") for name, label in LABELS.items()},
            classes=("ant", "bée", "cat"),
            said="note: train.csv: line 3 is no UTF-8 and was read as cp1252: where letters came out wrong, save it as UTF-8",
        ),
    ),
    "latin-1 with a letter that cp1252 has not": (
        lambda: made(PLAIN.replace("bee", "b\x81e").encode("latin-1")),
        Right(
            {name: label.replace("bee", "b\x81e") for name, label in LABELS.items()},
            classes=("ant", "b\x81e", "cat"),
            said="train.csv: line 3 is no UTF-8 and was read as latin-1",
        ),
    ),
    "one letter of UTF-8 cut": (
        lambda: made(PLAIN.replace("cat", "猫").encode().replace("a5,猫".encode(), b"a5,\xe7\x8c")),
        r"not read: 'train.csv: line 7 is no UTF-8, as the rest is: the file is cut or damaged. Download it again, or mend",
    ),
    "one letter of UTF-8 cut, behind a mark": (
        lambda: made(b"\xef\xbb\xbf" + changed("a4,bee", "a4,b\xe9e").encode("latin-1")),
        r"train.csv: line 6 is no UTF-8, as the rest is: the file is cut or damaged",
    ),
    "one letter of UTF-8 cut in the sample": (
        lambda: made(sample=SAMPLE.replace("ant", "猫").encode()[:-2] + b"\n"),
        r"the sample submission cannot be read: sample_submission.csv: line 4 is no UTF-8, as the rest is",
    ),
    "UTF-16 with half a letter at its end": (
        lambda: made(PLAIN.encode("utf-16")[:-1]),
        r"train.csv: line 10 is no UTF-16, as the rest is: the file is cut or damaged. Download it again",
    ),
    "UTF-16 without a mark and half a letter at its end": (
        lambda: made(PLAIN.encode("utf-16-le")[:-1]),
        r"train.csv: line 10 is no UTF-16, as the rest is: the file is cut or damaged. Download it again",
    ),
    "a csv.gz called csv": (lambda: made(gzip.compress(PLAIN.encode())), Right()),
    "a zip called csv": (lambda: made(archive({"train.csv": PLAIN})), r"train.csv: is a zip, no table: call it .zip or unpack it"),
    "mixed line ends": (lambda: made("\r\n".join(LINES[:3]) + "\n" + "\r".join(LINES[3:6]) + "\r\n" + "\n".join(LINES[6:])), Right()),
    "no line end at the end": (lambda: made(PLAIN.rstrip("\n")), Right()),
    "blank lines within": (lambda: made(PLAIN.replace("\n", "\n\n")), Right()),
    "blank lines before the header": (lambda: made("\n\n" + PLAIN), Right()),
    "lines of spaces": (lambda: made(changed("a4,", "   \na4,")), Right()),
    "rows of empty cells": (lambda: made(changed("a4,", ",\na4,") + ",\n,\n"), Right()),
    "a sample with rows of empty cells": (lambda: made(sample=SAMPLE + ",\n"), Right()),
    "all cells in quotes": (lambda: made("\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES)), Right()),
    "spaces behind commas": (lambda: made(PLAIN.replace(",", ", ")), Right()),
    "spaces around everything": (lambda: made(PLAIN.replace(",", " , ").replace("\n", " \n")), Right()),
    "a comma behind each row": (lambda: made(PLAIN.replace("\n", ",\n")), Right()),
    "a comma behind each row but the header": (lambda: made("\n".join([LINES[0], *(line + "," for line in LINES[1:])])), Right()),
    "a comma behind one row": (lambda: made(changed("a4,bee", "a4,bee,,")), Right()),
    "a comma in a label without quotes": (
        lambda: made(changed("a4,bee", "a4,bee, wild")),
        r"train.csv: line 6 has 3 cells, and the header 2: a cell that holds ',' needs quotes",
    ),
    "a comma in the first label without quotes": (
        lambda: made(changed("a0,ant", "a0,ant, wild")),
        r"train.csv: line 2 has 3 cells, and the header 2: a cell that holds ',' needs quotes",
    ),
    "a comma in a label in quotes": (
        lambda: made(PLAIN.replace("ant", '"ant, wild"')),
        Right({name: label.replace("ant", "ant, wild") for name, label in LABELS.items()}),
    ),
    "words above the header": (
        lambda: made("# made by a script\n" + PLAIN),
        r"train.csv: line 2 has 2 cells, and the header 1: .* the header has to be the first line",
    ),
    "a quote that is never closed": (
        lambda: made(changed("a4,bee", 'a4,"bee')),
        r"train.csv: cannot be read from line 6 on: is a quote opened there and never closed\?",
    ),
    "a quote that is closed rows later": (
        lambda: made(PLAIN.replace("a4,bee", 'a4,"bee').replace("a6,ant", 'a6,ant"')),
        r"column 'label': row 5 holds a label of several lines, 'bee\\na5.*is a quote opened there and never closed",
    ),
    "an end of a line of old in a label in quotes": (
        lambda: made(PLAIN.replace("bee", '"be\re"')),
        r"column 'label': row 2 holds a label of several lines, 'be\\re'",
    ),
    "an end of a line of old in an id in quotes": (
        lambda: named(*(f"a{n}" for n in range(8)), '"a\r8"', files=(*(f"a{n}" for n in range(8)), "a\r8")),
        r"the training id 'a\\r8' holds the end of a line, .*: rename it",
    ),
    "an end of a line in a test id": (
        lambda: made(sample=SAMPLE.replace("b1", '"b\n1"'), tests=("b0", "b\n1", "b2")),
        r"the test id 'b\\n1' holds the end of a line, .*: rename it",
    ),
    "an end of a line of old in a column of a class": (
        lambda: labelled("1,0", "0,1", header='id,x,"y\rz"', sample='id,x,"y\rz"\nb0,0,0\nb1,0,0\nb2,0,0\n'),
        r"the class 'y\\rz' holds the end of a line, .*: rename it",
    ),
    "a cell as long as a book": (
        lambda: made(changed("a4,bee", "a4," + "b" * 140_000)),
        r"train.csv: a cell has more than 131,072 letters",
    ),
    "a zero byte": (
        lambda: made(changed("a4,bee", "a4,be\0e")),
        Right(LABELS | {"a4": "be\0e"}, classes=("ant", "be\0e", "bee", "cat")),
    ),
    "the header again in the middle": (
        lambda: made(changed("a4,", "id,label\na4,")),
        Right(said=r"the header of train.csv stands again in 1 of its rows, the first is row 5: they are left out"),
    ),
    "two samples, one behind the other": (
        lambda: made(sample="id,label\nb0,ant\nid,label\nb1,ant\nb2,ant\n"),
        Right(said="the header of sample_submission.csv stands again in 1 of its rows, the first is row 2"),
    ),
    "two columns called the same": (
        lambda: made(table("id,label,label", rows_of({f"{name},{label}": "x" for name, label in LABELS.items()}))),
        r"train.csv: columns are called the same: 'label'. Rename or delete all but one",
    ),
    "two columns called the same but for spaces": (
        lambda: made(table("id,label,label ", rows_of({f"{name},{label}": "x" for name, label in LABELS.items()}))),
        r"columns are called the same: 'label'",
    ),
    "a nameless column of row numbers": (
        lambda: made("\n".join([",id,label", *(f"{place},{line}" for place, line in enumerate(LINES[1:]))])),
        Right(),
    ),
    "two columns without a name": (
        lambda: made("\n".join(["id,label,,", *(line + ",," for line in LINES[1:])])),
        Right(),
    ),
    "two columns without a name, and no labels": (lambda: made("x,,\n1,2,3\n"), r"no labels were found"),
    "a header in capitals": (lambda: made(changed("id,label", "ID,LABEL")), Right()),
    "one column": (lambda: made("id\n" + "\n".join(LABELS)), r"no labels were found|there are no labels|no column of labels"),
    "an empty table": (lambda: made(""), r"no labels were found.*'sample_submission.csv'"),
    "a table of a header": (lambda: made("id,label\n"), r"no labels were found.*'train.csv'"),
    "a table of random bytes": (lambda: made(bytes(range(128, 256)) * 5), r"no labels were found"),
    "a picture called csv": (lambda: made(made()["train/a0.png"]), r"no labels were found"),
    "a page instead of the sample": (
        lambda: made(sample="<!DOCTYPE html><html>sign in</html>"),
        r"the sample submission cannot be read: sample_submission.csv: is a web page",
    ),
    "an empty sample": (lambda: made(sample=""), r"the sample submission cannot be read: sample_submission.csv: is empty"),
    "spaces between cells": (lambda: made(PLAIN.replace(",", " ")), r"'a0 ant' is the image 'a0' and 'ant'"),
    # ids
    "leading zeros": (lambda: named(*(f"{n:03d}" for n in range(9))), called(*(f"{n:03d}" for n in range(9)))),
    "leading zeros lost in the table": (
        lambda: named(*map(str, range(9)), files=tuple(f"{n:03d}" for n in range(9))),
        called(*map(str, range(9))),
    ),
    "leading zeros that tell files apart": (
        lambda: named("1", "01", "001", "2", "02", "002", "3", "03", "003"),
        called("1", "01", "001", "2", "02", "002", "3", "03", "003"),
    ),
    "leading zeros lost where they tell files apart": (
        lambda: named(*"123456789", files=("01", "001", "2", "3", "4", "5", "6", "7", "8", "9")),
        r"train.csv: '1' of column 'id' may be any of 2 images: 'train/001.png', 'train/01.png'",
    ),
    "numbers that became fractions": (
        lambda: named(*(f"{n}.0" for n in range(1, 10)), files=tuple(f"{n}.png" for n in range(1, 10))),
        called(*(f"{n}.0" for n in range(1, 10))),
    ),
    "numbers in exponent form": (
        lambda: named(*(f"{n}e5" for n in range(1, 10)), files=tuple(f"{n}00000" for n in range(1, 10))),
        r"No image is called as '1e5', '2e5' of train.csv are, column 'id'",
    ),
    "what pandas takes for nothing": (lambda: named(*LIKE_NAN), called(*LIKE_NAN)),
    "endings": (lambda: named(*(f"a{n}.png" for n in range(9))), called(*(f"a{n}.png" for n in range(9)))),
    "endings in the sample alone": (
        lambda: made(sample=table("id,label", [f"b{n}.png,ant" for n in range(3)])),
        Right(tests=("b0.png", "b1.png", "b2.png")),
    ),
    "endings in some rows": (
        lambda: made(changed("a4,", "a4.png,")),
        Right({("a4.png" if name == "a4" else name): label for name, label in LABELS.items()}),
    ),
    "another ending": (lambda: named(*(f"a{n}.jpg" for n in range(9)), files=tuple(LABELS)), called(*(f"a{n}.jpg" for n in range(9)))),
    "capitals in the files": (lambda: named(*LABELS, files=tuple(f"A{n}.PNG" for n in range(9))), called(*LABELS)),
    "paths of Windows": (
        lambda: named(*(f"train\\a{n}.png" for n in range(9)), files=tuple(LABELS)),
        called(*(f"train\\a{n}.png" for n in range(9))),
    ),
    "whole paths of Windows": (
        lambda: named(*(f"C:\\data\\train\\a{n}.png" for n in range(9)), files=tuple(LABELS)),
        called(*(f"C:\\data\\train\\a{n}.png" for n in range(9))),
    ),
    "spaces in names": (lambda: named(*(f"my photo {n}" for n in range(9))), called(*(f"my photo {n}" for n in range(9)))),
    "commas in names": (lambda: named(*(f"a,{n}" for n in range(9))), called(*(f"a,{n}" for n in range(9)))),
    "dots in names": (
        lambda: named(*(f"1.2.{n}" for n in range(9)), files=tuple(f"1.2.{n}.png" for n in range(9))),
        called(*(f"1.2.{n}" for n in range(9))),
    ),
    "letters of all kinds": (lambda: named(*(f"猫-é-{n}" for n in range(9))), called(*(f"猫-é-{n}" for n in range(9)))),
    "accents apart": (
        lambda: named(*(f"e\u0301{n}" for n in range(9)), files=tuple(f"é{n}" for n in range(9))),
        called(*(f"e\u0301{n}" for n in range(9))),
    ),
    "long names": (lambda: named(*(f"{n}" * 200 for n in range(1, 10))), called(*(f"{n}" * 200 for n in range(1, 10)))),
    "two files that differ in their ending": (
        lambda: made(images=[*LABELS, "a4.jpg"]),
        r"train.csv: 'a4' of column 'id' may be any of 2 images: 'train/a4.jpg', 'train/a4.png'. Write the ids with folders and endings",
    ),
    "two files that differ in their ending, named with it": (
        lambda: made(changed("a4,", "a4.png,"), images=[*LABELS, "a4.jpg"]),
        Right({("a4.png" if name == "a4" else name): label for name, label in LABELS.items()}),
    ),
    "two files that differ in capitals": (lambda: made(images=[*LABELS, "A4"]), Right()),
    "two ids that differ in capitals": (
        lambda: made(changed("a4,bee", "A3,bee"), images=[*list(LABELS)[:4], "A3", *list(LABELS)[5:]]),
        Right({("A3" if name == "a4" else name): label for name, label in LABELS.items()}),
    ),
    "an id twice, alike": (lambda: made(PLAIN + "a4,bee\n"), Right(said="1 images have more than one row in train.csv")),
    "an id twice, with two labels": (
        lambda: made(PLAIN + "a4,cat\n"),
        r"train.csv: 1 ids are there more than once with different labels: 'a4'",
    ),
    "an image by two ids, with two labels": (
        lambda: made(PLAIN + "a4.png,cat\n"),
        r"1 ids are there more than once with different labels: 'a4",
    ),
    "an id without an image": (
        lambda: made(PLAIN + "zz,cat\n"),
        r"images are missing for 1 of 10 rows, column 'id': 'zz' \(train/zz.png\)",
    ),
    "an id without an image among many": (
        lambda: grown(24, ["zz,cat"]),
        Right(MANY.rows, said=r"1 of 25 rows have no image and are left out: 'zz'"),
    ),
    "an id that is empty": (lambda: made(changed("a4,", ",")), NOT_FOUND + r"''"),
    "an image without a row": (
        lambda: made(images=[*LABELS, "spare"]),
        Right(said=r"1 images of the training folder are in no row of train.csv"),
    ),
    "a test id twice": (lambda: made(sample=SAMPLE + "b1,ant\n"), Right(said=r"submission: 4 rows of id, label; 1 rows repeat an id")),
    "a test id without an image": (
        lambda: made(sample=SAMPLE + "b9,ant\n"),
        r"sample_submission.csv: images are missing for 1 of 4 rows, column 'id': 'b9' \(test/b9.png\)",
    ),
    "a sample of no rows": (
        lambda: made(sample="id,label\n"),
        "sample_submission.csv: the sample submission has no rows: the test set is empty",
    ),
    "no test images": (lambda: made(tests=()), r"sample_submission.csv: images are missing for 3 of 3 rows"),
    # labels
    "spaces around classes": (lambda: labelled(" ant", "bee ", "\u00a0cat"), Right()),
    "capitals in some rows": (
        lambda: labelled("ant", "bee", "Bee"),
        Right(with_labels("ant", "bee", "Bee"), classes=("Bee", "ant", "bee"), said=r"'Bee' and 'bee' they differ in capitals, spaces"),
    ),
    "accents apart in some rows": (
        lambda: labelled("ant", "café", "cafe\u0301"),
        Right(
            with_labels("ant", "café", "cafe\u0301"), classes=("ant", "cafe\u0301", "café"), said="they differ in capitals, spaces, accents"
        ),
    ),
    "a number written in two ways": (
        lambda: labelled("0", "1", "1.0", "2"),
        Right(with_labels("0", "1", "1.0", "2"), classes=("0", "1", "1.0", "2"), said=r"'1' and '1.0' they differ"),
    ),
    "integers as fractions": (lambda: labelled("0.0", "1.0", "2.0", sample=SAMPLE.replace("ant", "0")), Right(with_labels("0", "1", "2"))),
    "NaN among numbers": (
        lambda: labelled("0", "1", "NaN"),
        Right(
            {f"a{n}": str(n % 3) for n in range(9) if n % 3 < 2},
            reds={f"a{n}": 10 * n for n in range(9)},
            said="3 rows of train.csv have no label",
        ),
    ),
    "nan among names": (
        lambda: labelled("ant", "bee", "nan"),
        Right(
            with_labels("ant", "bee", "nan"), said=r"'nan' taken for names of classes: if these rows have no label, leave the cells empty"
        ),
    ),
    "empty labels": (
        lambda: labelled("ant", "bee", ""),
        Right(
            {f"a{n}": CLASSES[n % 3] for n in range(9) if n % 3 < 2},
            reds={f"a{n}": 10 * n for n in range(9)},
            said="3 rows of train.csv have no label",
        ),
    ),
    "no labels at all": (lambda: labelled(""), r"column 'label' is empty in all 9 rows: there are no labels in it"),
    "one class": (lambda: labelled("ant"), r"one class only \('ant'\)"),
    "a class of one image": (
        lambda: made(changed("a8,cat", "a8,dog")),
        Right(LABELS | {"a8": "dog"}, classes=("ant", "bee", "cat", "dog")),
    ),
    "a class that the sample alone has": (
        lambda: made(sample=table("id,ant,bee,cat,dog", [f"b{n},.2,.3,.4,.1" for n in range(3)])),
        Right(classes=("ant", "bee", "cat", "dog"), answers="probabilities"),
    ),
    "a class that the sample lacks": (
        lambda: made(sample=table("id,ant,bee", [f"b{n},.5,.5" for n in range(3)])),
        r"sample_submission.csv.*'ant', 'bee'|'cat'",
    ),
    "true and false": (lambda: labelled("True", "False"), Right(with_labels("True", "False"), classes=("False", "True"))),
    "true and false in several columns": (
        lambda: labelled("True,False", "FALSE,True", "true,true", header="id,x,y", sample="id,x,y\nb0,0,0\nb1,0,0\nb2,0,0\n"),
        Right(with_labels("x", "y", "x|y"), classes=("x", "y")),
    ),
    "words among several columns": (
        lambda: labelled("1,0", "0,many", header="id,x,y", sample="id,x,y\nb0,0,0\nb1,0,0\nb2,0,0\n"),
        r"train.csv: columns 'x', 'y' should hold numbers, they hold 'many' too",
    ),
    "an infinite number": (
        lambda: labelled("0.5", "1.5", "2.5", "3.5", "inf"),
        r"column 'label' holds numbers, but for 'inf' \(row 5\): mend or empty these cells",
    ),
    "a word among numbers": (lambda: labelled("0.5", "1.5", "2.5", "3.5", "about 4"), r"holds numbers, but for 'about 4' \(row 5\)"),
    "numbers in exponent form as labels": (
        lambda: labelled("1e-1", "2.5E0", "3.5", "4e1", sample=SAMPLE.replace("ant", "0.5")),
        Right(with_labels("0.1", "2.5", "3.5", "40")),
    ),
    "decimal commas in quotes": (
        lambda: labelled('"0,5"', '"1,5"', '"2,5"', '"3,5"'),
        r"column 'label' holds '0,5' and the like: numbers need a point and no comma",
    ),
    "decimal commas between semicolons": (
        lambda: made("id;label\n" + "\n".join(f"a{n};{n},5" for n in range(9)), SAMPLE.replace("ant", "0.5")),
        Right({f"a{n}": f"{n}.5" for n in range(9)}),
    ),
    "commas between thousands": (
        lambda: labelled('"1,250"', "980", '"12,000"', '"2,500"'),
        r"column 'label' holds '[\d,]+' and the like: numbers need a point and no comma",
    ),
    "numbers beyond any size": (lambda: labelled("1.5", "1e999", "2.5", "3.5"), r"holds numbers, but for '1e999' \(row 2\)"),
    # other tables
    "two tables that disagree": (
        lambda: made(more={"labels.csv": changed("a4,bee", "a4,cat")}),
        r"two label tables disagree: 'train.csv' and 'labels.csv' for 1 of 9 ids \('a4'\): choose one by --competition.labels",
    ),
    "a table that cannot be read beside": (
        lambda: made(more={"notes.csv": "a,a\n1,2\n"}),
        Right(said="note: not read: notes.csv: columns are called the same: 'a'"),
    ),
    "JSON": (lambda: in_json(json.dumps(LABELS)), Right()),
    "JSON with a label that is null": (
        lambda: in_json(json.dumps({**LABELS, "a8": None})),
        Right({name: label for name, label in LABELS.items() if name != "a8"}, said="1 rows of train.json have no label"),
    ),
    "JSON that is cut": (lambda: in_json(json.dumps(LABELS)[:-9]), r"train.json: cannot be read as JSON"),
    "JSON in brackets without an end": (lambda: in_json("[" * 100_000), r"train.json: cannot be read as JSON: too many brackets"),
    "JSON with a number of thousands of digits": (lambda: in_json('{"a0": ' + "1" * 5000 + "}"), r"train.json: cannot be read as JSON"),
    "parquet that is cut": (
        lambda: made(None, more={"train.parquet": b"PAR1" + bytes(40) + b"PAR1"}),
        r"train.parquet: cannot be read as parquet",
    ),
    "csv.gz that is cut": (
        lambda: made(None, more={"train.csv.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\0\x4b"}),
        r"train.csv.gz: is cut or damaged",
    ),
    "a spreadsheet": (lambda: made(None, more={"train.xlsx": b"PK"}), r"train.xlsx: spreadsheets are not read: save it as csv"),
}
