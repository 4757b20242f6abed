"""JSON as a table: a list of records, COCO's images with their annotations, names with a value or a record each, columns."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from competition.detect_other import BOXES, PLACES
from competition.errors import CompetitionError
from competition.files import Files
from competition.image_index import ImageIndex

Records = list[dict[str, Any]]
LOOKED_AT_CELLS = 5


def read_json(files: Files, path: str, index: ImageIndex) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The file's table, None where it holds none; and what its numbers stand for, where it has COCO's categories.

    Raises: CompetitionError where it is no JSON.
    """
    content = files.read(path)
    try:
        tree = _lines(content) if path.lower().endswith((".jsonl", ".ndjson")) else json.loads(content)
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, a number of thousands of digits
        raise CompetitionError(f"{path}: cannot be read as JSON: {error}") from None
    except RecursionError:
        raise CompetitionError(f"{path}: cannot be read as JSON: too many brackets in each other") from None
    names = tree.get("categories") if isinstance(tree, dict) else None
    try:
        return _frame(_records(tree, index)), _frame(names if _are_records(names) else None)
    except UnicodeEncodeError as error:  # half of a letter, as JSON can write one
        raise CompetitionError(f"{path}: cannot be read as a table: {error}") from None


def coco_records(tree: dict[str, Any]) -> Records:
    """An annotation a record, with its image's fields; an image a record where there are no annotations."""
    images, annotations = tree["images"], tree.get("annotations")
    if not _are_records(annotations):
        return images
    key = "image_id" if "image_id" in images[0] else "id"
    image_of = {text_of(image.get(key)): image for image in images}
    joined = []
    for annotation in annotations or []:
        image = image_of.get(text_of(annotation.get("image_id")), {})
        extra = {name: value for name, value in annotation.items() if name not in ("id", "image_id")}
        joined.append({**image, **extra})
    return joined


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def text_frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """The columns as text: lists of labels as JSON writes them, an empty one too; records, bytes and other lists are left out."""
    texts: dict[str, list[str]] = {}
    for name, values in columns.items():
        if _are_lists_of_labels(name, values):
            texts[name] = [_list_text(value) for value in values]
        elif not all(isinstance(value, dict | list | bytes) for value in values if value is not None) or all(v is None for v in values):
            texts[name] = ["" if isinstance(value, dict | list | bytes) else text_of(value) for value in values]
    return pd.DataFrame(texts, index=range(len(next(iter(columns.values()), ()))), dtype="str")


def _are_lists_of_labels(name: str, values: Sequence[Any]) -> bool:
    """Whether some cells are lists, all of them of words or of different whole numbers: those of boxes, curves and pixels are not."""
    lists = [value for value in values if isinstance(value, list)]
    if not any(lists) or re.sub(r"[^a-z]", "", name.lower()) in PLACES | BOXES:
        return False
    return all(map(_are_labels, lists))


def _list_text(value: Any) -> str:
    if value is None or value != value:  # NaN, as pandas writes what is not there
        return ""
    return json.dumps([text_of(part) for part in value] if isinstance(value, list) else [text_of(value)], ensure_ascii=False)


def _frame(records: Records | None) -> pd.DataFrame | None:
    if records is None:
        return None
    names = dict.fromkeys(name for record in records for name in record)
    return text_frame({name: [record.get(name) for record in records] for name in names})


def _records(tree: Any, index: ImageIndex) -> Records | None:
    if _are_records(tree):
        return tree
    if not isinstance(tree, dict) or not tree:
        return None
    if _are_records(tree.get("images")):
        return coco_records(tree)
    if (columns := _columns(tree, index)) is not None:
        return columns
    if all(value is None or isinstance(value, str | int | float) or _are_labels(value) for value in tree.values()):
        if all(_are_words(value) and _name_images(value, index) for value in tree.values()):  # files by their class
            return [{"image": name, "label": label} for label, names in tree.items() for name in names]
        return [{"key": key, "value": value} for key, value in tree.items()]
    if all(isinstance(value, dict) for value in tree.values()):
        return [{"key": key, **value} for key, value in tree.items()]
    tables = [value for value in tree.values() if _are_records(value)]
    return max(tables, key=len) if tables else None


def _columns(tree: dict[str, Any], index: ImageIndex) -> Records | None:
    """A record a row, where values are columns of one length, of which some but not all name images: lists, or as pandas writes them."""
    columns = list(tree.values())
    if all(isinstance(column, dict) and list(column) == list(columns[0]) for column in columns):
        columns = [list(column.values()) for column in columns]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return None
    if len({_name_images(column, index) for column in columns}) < 2:
        return None
    return [dict(zip(tree, row, strict=True)) for row in zip(*columns, strict=True)]


def _name_images(cells: Sequence[Any], index: ImageIndex) -> bool:
    looked_at = cells[:LOOKED_AT_CELLS]
    return bool(looked_at) and all(isinstance(cell, str | int) and index.share([str(cell)]) for cell in looked_at)


def _lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def _are_records(tree: Any) -> bool:
    return isinstance(tree, list) and bool(tree) and all(isinstance(record, dict) for record in tree)


def _are_labels(value: Any) -> bool:
    return _are_words(value) or (isinstance(value, list) and all(type(part) is int for part in value) and len(set(value)) == len(value))


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
