"""How labels are written: what says that there is none, lists in brackets, and the names that the sample submission has for classes.

training: 0, 1, 2   sample: cat, dog, owl        -> by a table that has both
training: cat       sample: Cat                  -> by capitals
training: class_01  sample: 1                    -> by the number
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from competition.detect_sample import Sample
from competition.detect_values import NEGATIVE, POSITIVE, as_number, split_labels
from competition.text_tables import Tables

NO_LABEL = frozenset(["nan", "na", "n/a", "#n/a", "null", "none", "missing", "-", "?"])  # where all other labels are numbers
TRUTH = {"false": "0", "true": "1"}
BRACKETS = re.compile(r"\[.*\]")
MOST_DIGITS = 300
MOST_NAMES = 20_000  # rows of a table of names
STYLES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.capitalize, str.title)
BAR = "|"


@dataclass(frozen=True)
class Names:
    """What the sample submission calls the classes, in their order, and how that is known."""

    names: tuple[str, ...]
    why: str
    sure: bool = True


def plain_cells(cells: Sequence[str], one_of_several: bool = False) -> dict[str, str]:
    """Those cells that are to be read otherwise: words for no number are empty, a list in brackets is its parts with bars between; where
    the column is one of several, true and false are 1 and 0."""
    filled = [cell for cell in dict.fromkeys(map(str.strip, cells)) if cell]
    if one_of_several and filled and all(cell.lower() in TRUTH for cell in filled):
        return {cell: TRUTH[cell.lower()] for cell in filled}
    missing = [cell for cell in filled if cell.lower() in NO_LABEL]
    numbers = [cell for cell in filled if as_number(cell) is not None]
    if missing and numbers and len(missing) + len(numbers) == len(filled):
        return dict.fromkeys(missing, "")
    if are_in_brackets(filled):
        return {cell: BAR.join(_parts(cell)) for cell in filled}
    return {}


def _parts(cell: str) -> list[str]:
    """The labels of a list in brackets: as JSON has them, else as Python writes names without commas."""
    try:
        parts = json.loads(cell, parse_int=str, parse_float=str)
        if all(isinstance(part, str) for part in parts):
            return parts
    except (ValueError, RecursionError):
        pass
    return [part.strip(" '\"") for part in cell[1:-1].split(",")]


def are_in_brackets(cells: Sequence[str]) -> bool:
    """Whether cells are lists as Python and JSON write them."""
    filled = {cell.strip() for cell in cells} - {""}
    return bool(filled) and all(map(BRACKETS.fullmatch, filled))


def names_of_sample(classes: Sequence[str], separator: str | None, sample: Sample, tables: Tables, trained_on: str) -> Names | None:
    """The classes as the sample submission writes them; None where it writes them as the training rows do, or nothing tells.

    separator: of labels in a cell, None where a cell is one. trained_on: the path of the label table, which is no table of names.
    """
    several = len(sample.answer_columns) > 1
    cells = set(sample.answer_columns) if several else {cell.strip() for cell in sample.frame[sample.answer_columns[0]].unique()} - {""}
    parts = {part for cell in cells for part in split_labels(cell, separator or " ")}
    if (several and (set(classes) <= cells or not set(sample.frame[sample.answer_columns[0]]).isdisjoint(classes))) or (
        not several and not (cells | parts).isdisjoint(classes)
    ):
        return None
    wanted = parts if separator and not several else cells
    for found in (
        *_by_letters(classes, wanted),
        *_by_number(classes, wanted),
        *(_by_what_stands_around(classes, wanted) if several else ()),
        *_by_tables(classes, sample, tables, trained_on),
    ):
        fits = set(found.names) <= wanted if several else wanted and wanted <= set(found.names)
        if fits and len(set(found.names)) == len(classes):
            return found
    return None


def _by_letters(classes: Sequence[str], wanted: set[str]) -> Iterator[Names]:
    """By capitals, and by what stands between words: the sample's own spelling, or a style that all of its cells have."""
    spelled = {_letters(name): name for name in wanted}
    if all(_letters(name) in spelled for name in classes):
        yield Names(tuple(spelled[_letters(name)] for name in classes), "the same but for capitals and spaces")
    for style in STYLES:
        yield Names(tuple(map(style, classes)), "the same but for capitals, by the sample's style", sure=False)


def _by_number(classes: Sequence[str], wanted: set[str]) -> Iterator[Names]:
    """By the one number in each name; two classes of which one says no are 0 and 1, where the sample holds both."""
    spelled = {_number(name): name for name in wanted}
    numbers = [_number(name) for name in classes]
    if None not in numbers and None not in spelled:
        plain = all(map(str.isdigit, wanted))
        names = tuple(spelled.get(number, str(number) if plain else name) for number, name in zip(numbers, classes, strict=True))
        yield Names(names, "by the number in each name", sure=set(names) <= wanted or all(as_number(name) is not None for name in classes))
    if len(classes) == 2 and wanted == {"0", "1"} and (classes[0].lower() in NEGATIVE or classes[1].lower() in POSITIVE):
        yield Names(("0", "1"), "1 is what is there, or true", sure=False)
    elif len(classes) == 2 and wanted == {"0", "1"}:
        yield Names(("0", "1"), "the sample holds 0 and 1, taken in the order of the names", sure=False)


def _by_what_stands_around(classes: Sequence[str], wanted: set[str]) -> Iterator[Names]:
    """By the same words before and after each class: prob_cat, prob_dog."""
    for name in wanted:
        before, found, after = name.partition(classes[0])
        if found and not before[-1:].isalnum() and not after[:1].isalnum():
            yield Names(tuple(f"{before}{one}{after}" for one in classes), f"the same between {before!r} and {after!r}")


def _by_tables(classes: Sequence[str], sample: Sample, tables: Tables, trained_on: str) -> Iterator[Names]:
    """By a table in which a column has all classes, once each, and another one name for each."""
    known = {path: table.frame for path, table in tables.of.items() if path not in (sample.path, trained_on) and table.pixels is None}
    known |= tables.names
    known |= {path: _numbered(frame) for path, frame in known.items() if len(frame.columns) == 1}
    for path, frame in known.items():
        if not len(classes) <= len(frame) <= MOST_NAMES:
            continue
        for column in frame.columns:
            cells = frame[column].str.strip()
            if not set(classes) <= set(cells) or not cells[cells.isin(classes)].is_unique:
                continue
            for other in frame.columns:
                if other != column:
                    name_of = dict(zip(cells, frame[other].str.strip(), strict=True))
                    yield Names(tuple(name_of[name] for name in classes), f"{other!r} of {path}, by {column!r}")


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """A list of names without a header, numbered from 0 and from 1."""
    names = [str(frame.columns[0]), *frame.iloc[:, 0].tolist()]
    count = range(len(names))
    return pd.DataFrame({"name": names, "line from 0": map(str, count), "line from 1": [str(line + 1) for line in count]}, dtype="str")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _number(name: str) -> int | None:
    """The whole number that a name is, or the one number in it."""
    value = as_number(name)
    if value is not None:
        return int(value) if value == int(value) else None
    found = re.findall(r"\d+", name)
    return int(found[0]) if len(found) == 1 and len(found[0]) <= MOST_DIGITS else None
