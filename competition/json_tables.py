"""JSON as a table: a list of records, COCO's images with their annotations, names with a value or a record each."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from competition.errors import CompetitionError
from competition.files import Files

Records = list[dict[str, Any]]


def read_json(files: Files, path: str) -> pd.DataFrame | None:
    """The file's table, None where it holds none.

    Raises: CompetitionError where it is no JSON.
    """
    content = files.read(path)
    try:
        tree = _lines(content) if path.lower().endswith((".jsonl", ".ndjson")) else json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CompetitionError(f"{path}: cannot be read as JSON: {error}") from None
    records = _records(tree)
    if records is None:
        return None
    frame = pd.DataFrame([dict(_cells(record)) for record in records])
    return frame.fillna("").astype("str")


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


def _records(tree: Any) -> Records | None:
    if _are_records(tree):
        return tree
    if not isinstance(tree, dict) or not tree:
        return None
    if _are_records(tree.get("images")):
        return coco_records(tree)
    if all(isinstance(value, str | int | float) or _are_words(value) for value in tree.values()):
        return [{"key": key, "value": value} for key, value in tree.items()]
    if all(isinstance(value, dict) for value in tree.values()):
        return [{"key": key, **value} for key, value in tree.items()]
    tables = [value for value in tree.values() if _are_records(value)]
    return tables[0] if len(tables) == 1 else None


def _cells(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The record's fields as text; a list of words is written with bars between, other lists and records are left out."""
    for key, value in record.items():
        if _are_words(value):
            yield key, "|".join(map(text_of, value))
        elif not isinstance(value, dict | list):
            yield key, text_of(value)


def _lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def _are_records(tree: Any) -> bool:
    return isinstance(tree, list) and bool(tree) and all(isinstance(record, dict) for record in tree)


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
