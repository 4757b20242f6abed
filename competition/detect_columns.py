"""Columns beside the images that training and test rows both have, and what each holds.

    train.csv  image_name, patient_id, sex, age, diagnosis, target
    test.csv   image_name, patient_id, sex, age                       ->  sex: yes/no, age: number

What only training has gives the answer away, and what says whose picture it is does not carry over: neither is taken.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.contest import Reason
from competition.detect_groups import ALONE_WORDS, FEWEST_GROUPS, called_as_a_group
from competition.detect_labels import Rows
from competition.detect_sample import Sample
from competition.detect_values import as_number
from competition.errors import examples
from competition.image_index import ImageIndex
from competition.names import Role, role_of_file, words
from competition.tabular import ColumnKind, Tabular
from competition.text_tables import Table, Tables

MISSING = frozenset(["", "na", "n/a", "nan", "null", "none", "?", "-"])
ID_WORDS = frozenset(["id", "ids", "uid", "uuid", "idx", "index", "key", "hash", "file", "filename", "path", "url"])
MOST_CATEGORIES = 100
ROWS_A_CATEGORY = 5  # on average, at the least: else it is free text
SHOWN = 6
SAID: dict[ColumnKind, str] = {"number": "of numbers", "yes/no": "of yes or no", "category": "of categories"}
KNOWN_IN_TEST = 0.5  # of a category's test cells, at the least, are values that training shows


@dataclass(frozen=True)
class Side:
    """A table that has all training images, or all test images. place_of: the place in it of each image."""

    path: str
    frame: pd.DataFrame
    place_of: dict[str, int]

    def column(self, name: str, images: Sequence[str]) -> pd.Series:
        cells = self.frame[name].iloc[[self.place_of[image] for image in images]].reset_index(drop=True)
        stripped = {cell: cell.strip() for cell in set(cells)}
        return cells.map({cell: "" if text.lower() in MISSING else text for cell, text in stripped.items()}).astype("str")


def find_columns(
    train: Rows, kept: np.ndarray, test: Sequence[str], targets: Sequence[str], tables: Tables, index: ImageIndex, sample: Sample | None
) -> tuple[Tabular | None, list[Reason], list[str]]:
    """The columns, the reason for them, and notes on what was left out. kept: which rows are trained on; test: the test images."""
    images = [image for image, keep in zip(train.images, kept, strict=True) if keep]
    own = Side(train.where, train.frame, dict(zip(images, kept.nonzero()[0].tolist(), strict=True)))
    of_train, of_test = _sides(
        own, set(test), targets, {path: t for path, t in tables.of.items() if not sample or path != sample.path}, index
    )
    found: dict[str, tuple[pd.Series, pd.Series, ColumnKind]] = {}
    left: dict[str, str] = {}
    used: dict[str, None] = {}
    for one in of_train:
        for name in one.frame.columns:
            other = next((side for side in of_test if name in side.frame.columns), None)
            if other is None or name in ("", train.column, *targets, *found, *left):
                continue
            ours, theirs = one.column(name, images), other.column(name, test)
            kind, why = _kind(name, ours, theirs)
            if kind:
                found[name] = (ours, theirs, kind)
                used |= {one.path: None, other.path: None}
            else:
                left[name] = why
    shown = [f"{name!r} ({why})" for name, why in left.items()][:SHOWN]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    notes = [f"columns beside the images that are left out: {', '.join(shown)}{more}"] if left else []
    if not found:
        return None, [], notes
    kinds: dict[str, ColumnKind] = {name: kind for name, (_, _, kind) in found.items()}
    both = [pd.DataFrame({name: parts[side] for name, parts in found.items()}, dtype="str") for side in (0, 1)]
    counts = ", ".join(f"{count} {SAID[kind]}" for kind, count in Counter(kinds.values()).items())
    why = f"training and test rows have them ({', '.join(used)}): {counts}"
    return Tabular(both[0], both[1], kinds), [Reason("columns beside", examples(kinds), why)], notes


def _sides(
    own: Side, test: set[str], targets: Sequence[str], tables: Mapping[str, Table], index: ImageIndex
) -> tuple[list[Side], list[Side]]:
    """The tables with all training images, `own` (the label table) first, and those with all test images that do not answer for them."""
    of_train, of_test = [own], []
    tables_with = Counter(name for table in tables.values() for name in table.frame.columns if name)
    for path, table in tables.items():
        frame = table.frame
        if path == own.path:  # it may have the test rows too, without an answer
            wanted = any((frame[name] == "").any() for name in targets if name in frame.columns)
        else:  # a table of all images serves both sides alone
            wanted = role_of_file(path) is None or sum(tables_with[name] > 1 for name in frame.columns) > 1
        if not wanted or len(frame) < min(len(own.place_of), len(test)):
            continue
        parts: list[tuple[Role, set[str], list[Side]]] = [("train", set(own.place_of), of_train), ("test", test, of_test)]
        for role, images, sides in parts:
            if role_of_file(path) not in (role, None) or (path == own.path and role == "train"):
                continue
            named = _images_of(table, index, role)
            place_of = {image: place for place, image in enumerate(named) if image in images}
            if len(place_of) < len(images) or sum(image in images for image in named) > len(images):
                continue
            # where the answer stands beside, another column may say it in other words
            answers = [frame[name].iloc[list(place_of.values())].str.strip() for name in targets if name in frame.columns]
            if role == "train" or not any((cells != "").any() for cells in answers):
                sides.append(Side(path, frame, place_of))
    return of_train, of_test


def _images_of(table: Table, index: ImageIndex, role: Role) -> list[str | None]:
    """The image of each row of a table; empty where no column names images."""
    if table.pixels:
        return [table.pixels.key(row) for row in table.frame.index.tolist()]
    best = index.column_of_ids(table.frame, table.frame.columns) if len(index) else None
    return index.match(table.frame[best[0]].str.strip().tolist(), role).images if best else []


def _kind(name: str, train: pd.Series, test: pd.Series) -> tuple[ColumnKind | None, str]:
    """What a column holds; None, and why it is left out, where it is of no use."""
    filled = train[train != ""]
    values = set(filled)
    called_id = not ID_WORDS.isdisjoint(words(name))
    if train.nunique() < 2:
        return None, "the same in all training rows"
    if (test == "").all():
        return None, "empty in all test rows"
    few_sites = len(values) < FEWEST_GROUPS and set(words(name)) <= ALONE_WORDS  # of a body, or of hospitals that all rows share
    if len(values) > 2 and called_as_a_group(name) and not few_sites:
        return None, "says whose picture it is"
    if len(values) > 2 and not called_id and all(as_number(value) is not None for value in values | set(test) - {""}):
        counted = len(values) == len(filled) and _one_after_another(values)
        return (None, "row numbers") if counted else ("number", "")
    if len(values) > max(2, min(MOST_CATEGORIES, len(train) // ROWS_A_CATEGORY)):
        return None, "an id" if called_id else f"text, {len(values):,} different"
    if (known := test[test != ""].isin(values).mean()) < KNOWN_IN_TEST:
        return None, f"{1 - known:.0%} of the test rows have values that training does not show"
    return ("yes/no" if len(values) <= 2 else "category"), ""


def _one_after_another(values: set[str]) -> bool:
    numbers = sorted(map(float, values))
    return numbers == [numbers[0] + place for place in range(len(numbers))]
