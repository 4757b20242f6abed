"""Cells of labels: lists, names of two words, empty ones, rows of one image; read as their writer meant them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.detect_labels import Rows
from competition.detect_target import encode
from competition.errors import CompetitionError
from competition.load import load
from competition.task import Task
from tests.layouts import Tree, csv, pictures, put, usual
from tests.miniatures.making import BOTH, TRAIN, parquet


def ask(source: Path, **override: object) -> Competition:
    return load(CompetitionConfig.model_validate({"source": str(source), **override}))


def said(found: Competition, row: int) -> set[str]:
    """The classes of a training row."""
    return {name for name, truth in zip(found.task.classes, found.truth[row], strict=True) if truth}


LISTS: dict[str, list[list[str] | list[int]]] = {
    "numbers": [[1, 7], [2], [7]],
    "numbers, some none": [[1], [], [2, 1]],
    "words, some none": [["owl"], [], ["fox", "owl"]],
    "names with commas and spaces": [["tench, Tinca", "owl"], ["owl"], ["o'brien", "red fox"]],
    "each of its own": [[f"w{3 * row}", f"w{3 * row + 1}", f"w{3 * row + 2}"] for row in range(12)],
}


@pytest.mark.parametrize("ending", ["json", "parquet"])
@pytest.mark.parametrize("case", LISTS)
def test_a_list_is_a_list_of_labels(case: str, ending: str, tmp_path: Path) -> None:
    cells = [LISTS[case][row % len(LISTS[case])] for row in range(12)]
    records = [{"id": name, "labels": cell, "camera": "ab"[row % 2]} for row, (name, cell) in enumerate(zip(TRAIN, cells, strict=True))]
    table = {"train.json": json.dumps(records)} if ending == "json" else {"train.parquet": parquet(pd.DataFrame(records))}
    found = ask(put(tmp_path, BOTH | table))
    assert (found.task.kind, len(found.train)) == ("multilabel", 12)
    assert [said(found, row) for row in range(12)] == [set(map(str, cell)) for cell in cells]


def test_lists_that_are_no_labels(tmp_path: Path) -> None:
    tree: Tree = {
        **BOTH,
        "train.json": json.dumps(
            [{"id": n, "kind": "xy"[row % 2], "bbox": [1, 2, 3, row], "curve": [1, 1, 2], "at": [0.5]} for row, n in enumerate(TRAIN)]
        ),
    }
    found = ask(put(tmp_path, tree))
    assert found.task.classes == ("x", "y")
    assert list(found.train.columns) == ["id", "image", "kind"]


def test_lists_of_one_label_each_are_one_label(tmp_path: Path) -> None:
    found = ask(
        put(tmp_path, {**BOTH, "train.json": json.dumps([{"id": n, "labels": [["x", "y", "z"][row % 3]]} for row, n in enumerate(TRAIN)])})
    )
    assert (found.task.kind, found.task.classes) == ("multiclass", ("x", "y", "z"))


def pixel_table(labels: list[str], first: bool) -> Tree:
    pixels = [",".join(str((7 * row + 3 * place) % 256) for place in range(16)) for row in range(len(labels))]
    header = ",".join(f"pixel{place}" for place in range(16))
    rows = [f"{label},{row}" if first else f"{row},{label}" for label, row in zip(labels, pixels, strict=True)]
    return {
        "train.csv": "\n".join([f"label,{header}" if first else f"{header},label", *rows, ""]),
        "test.csv": "\n".join([header, *pixels[:4], ""]),
    }


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("odd", ["cat, big", 'the "big" cat', '5" cat'])
def test_labels_beside_pixels_may_need_quotes(odd: str, first: bool, tmp_path: Path) -> None:
    written = odd if odd.startswith("5") else '"' + odd.replace('"', '""') + '"'
    labels = [written if row > 11 and row % 3 == 2 else "dog" if row % 2 else "owl" for row in range(30)]
    found = ask(put(tmp_path, pixel_table(labels, first)))
    assert found.task.classes == tuple(sorted([odd, "dog", "owl"]))
    assert [said(found, row) for row in range(30)] == [{odd if label == written else label} for label in labels]


def test_a_quote_beside_pixels_that_is_never_closed(tmp_path: Path) -> None:
    with pytest.raises(CompetitionError, match=r"train.csv: cannot be read from row 13 on: is a quote opened there and never closed"):
        ask(put(tmp_path, pixel_table(['"cat' if row == 12 else "dog" if row % 2 else "owl" for row in range(30)], first=True)))


def long_table(labels: list[list[str]], header: str = "id,label") -> Tree:
    return {**BOTH, "train.csv": csv(header, [f"{name},{label}" for name, own in zip(TRAIN, labels, strict=True) for label in own])}


@pytest.mark.parametrize("rows", [1, 2, 3, 8])
def test_an_image_may_have_a_row_for_each_of_its_labels(rows: int, tmp_path: Path) -> None:
    names = ["red fox", "grey wolf", "brown bear", "red deer", "owl"]
    labels = [[names[(row + place) % 5] for place in range(1 + row % 3)] * rows for row in range(12)]
    put(tmp_path, long_table(labels))
    with pytest.raises(CompetitionError, match=r"8 ids are there more than once with different labels: .* --competition.task multilabel$"):
        ask(tmp_path)
    found = ask(tmp_path, task="multilabel")
    assert found.task.classes == tuple(sorted(names))
    assert [said(found, row) for row in range(12)] == [set(own) for own in labels]
    assert len(ask(put(tmp_path, long_table([[names[row % 5]] * rows for row in range(12)]))).train) == 12


@pytest.mark.parametrize(
    ("header", "labels", "remedy"),
    [
        ("id,score", [["0.5", f"1.{row}"] for row in range(12)], "Make a copy with one row an image, with their mean, say"),
        (
            "id,class,present",
            [[f"{kind},{row % 2}" for kind in "xyz"] for row in range(12)],
            "A row for each class, marked by 'present', is not",
        ),
    ],
)
def test_rows_of_one_image_that_disagree(header: str, labels: list[list[str]], remedy: str, tmp_path: Path) -> None:
    with pytest.raises(CompetitionError, match=f"train.csv: 12 ids are there more than once with different labels: .*{remedy}"):
        ask(put(tmp_path, long_table(labels, header)))


def test_validation_rows_of_the_same_ids_are_told(tmp_path: Path) -> None:
    parts = {"train": range(12), "val": range(6)}
    tree: Tree = {
        **pictures(f"{part}/{number}.png" for part, numbers in {**parts, "test": range(3)}.items() for number in numbers),
        **{f"{part}.csv": csv("id,label", [f"{number}.png,{'ab'[number % 2]}" for number in numbers]) for part, numbers in parts.items()},
    }
    found = ask(put(tmp_path, tree))
    assert len(found.train) == 12
    assert any(note.startswith("6 images of val.csv are left out, its ids stand in train.csv too: ") for note in found.notes)
    together = csv("id,label", [f"{part}/{number}.png,{'ab'[number % 2]}" for part, numbers in parts.items() for number in numbers])
    (tmp_path / "val.csv").unlink()
    assert len(ask(put(tmp_path, {"train.csv": together})).train) == 18


COLOURS, THINGS = ("black", "blue", "red", "white"), ("dress", "hat", "shoes", "shirt")
WORDS: dict[str, tuple[list[str], str, bool]] = {  # cells, task, sure
    "a colour and a thing": ([f"{colour} {thing}" for colour in COLOURS for thing in THINGS], "multiclass", True),
    "the same with a comma": ([f'"{colour}, {thing}"' for colour in COLOURS for thing in THINGS], "multiclass", True),
    "the same with bars": ([f"{colour}|{thing}" for colour in COLOURS for thing in THINGS], "multilabel", True),
    "words at any place": ([f"{one} {other}" for one in COLOURS for other in COLOURS if one != other], "multilabel", False),
    "some words alone": ([*COLOURS, "black red", "blue red"], "multilabel", True),
    "numbers": ([f"{one} {other}" for one in "123" for other in "456"], "multilabel", True),
}


@pytest.mark.parametrize("case", WORDS)
def test_names_of_two_words_are_no_lists(case: str, tmp_path: Path) -> None:
    cells, task, sure = WORDS[case]
    found = ask(put(tmp_path, usual(cells * 2, cells[:4])))
    assert found.task.kind == task
    assert [reason.sure for reason in found.reasons if reason.what == "task"] == [sure]


@pytest.mark.parametrize("cell", ['" "', "\t", "\u00a0", ""])
def test_a_blank_cell_among_columns_of_classes_is_named(cell: str, tmp_path: Path) -> None:
    tree = usual("0" * 8, ["0.5,0.5,0.5"] * 4)
    tree["sample_submission.csv"] = csv("id,x,y,z", [f"b{number:03d},0.5,0.5,0.5" for number in range(4)])
    tree["train.csv"] = csv("id,x,y,z", [f"a{number:03d},{number % 2},{cell if number == 3 else 1},0" for number in range(8)])
    with pytest.raises(CompetitionError, match=r"train.csv: 1 rows have empty cells among 'x', 'y', 'z', the first is row 4"):
        ask(put(tmp_path, tree))


@pytest.mark.parametrize("empty", [0, 5])
def test_a_row_without_a_label_may_be_the_first(empty: int, tmp_path: Path) -> None:
    tree = usual("0" * 9, ["0"] * 4)
    tree["sample_submission.csv"] = csv("id,cat,dog,owl", [f"b{number:03d},0.3,0.3,0.4" for number in range(4)])
    rows = [f"a{row:03d},{'xyz'[row % 3]}{row},{'' if row == empty else ('cat', 'dog', 'owl')[row % 3]}" for row in range(9)]
    tree["train.csv"] = csv("id,source,kind", rows)
    found = ask(put(tmp_path, tree))
    assert (len(found.train), found.task.classes) == (8, ("cat", "dog", "owl"))
    assert all(reason.sure for reason in found.reasons if reason.what == "target")


def test_labelled_rows_of_the_test_folder_are_no_test_rows(tmp_path: Path) -> None:
    """Images that the training folder lacks, and the test folder happens to have."""
    rows = [f"{name},{'xyz'[row % 3]}" for row, name in enumerate([*TRAIN, "b00", "b01"])]
    with pytest.raises(CompetitionError, match=r"train.csv: images are missing for 2 of 14 rows, column 'id': 'b00'"):
        ask(put(tmp_path, {**BOTH, "train.csv": csv("id,label", rows)}))


def test_answers_that_do_not_fit_into_memory_are_told() -> None:
    rows = Rows("train.csv", "id", pd.DataFrame({"label": []}, dtype="str"), ["a"] * 2_000_000, [])
    told = r"train.csv: the answers of 2,000,000 rows x 200,000 classes take 1,490.1 GiB of memory, and [\d,.]+ GiB are free: a table of"
    with pytest.raises(CompetitionError, match=told):
        encode(rows, Task("multiclass", tuple(map(str, range(200_000)))), ["label"], " ")
