"""Competitions whose images are rows of a table, one column a pixel."""

from competition.config import CompetitionConfig
from competition.contest import Reason
from competition.detect_labels import Rows
from competition.detect_sample import Sample
from competition.detect_test import AnswerRows
from competition.errors import CompetitionError, choose, examples
from competition.names import role_of_file
from competition.text_tables import Table, Tables


def pixel_train(tables: Tables, sample: Sample | None, ask: CompetitionConfig) -> tuple[Rows, Table, Reason]:
    """The training rows: those of the pixel table that has a column more than the others, or says so by its name.

    Raises: CompetitionError where no pixel table has a column beside the pixels.
    """
    pixels = {path: table for path, table in tables.of.items() if table.pixels}
    if ask.labels != "auto":
        path, why = choose("label table", ask.labels, pixels), "asked for"
    else:
        path = max(pixels, key=lambda path: _fitness(pixels[path], sample))
        why = "pixels, and labels beside"
    table = pixels[path]
    if not len(table.frame.columns):
        unread = f". Not read: {examples(tables.unread.values())}" if tables.unread else ""
        raise CompetitionError(f"{path}: there is no column of labels beside the pixels{unread}")
    id_column = ask.id_column if ask.id_column in table.frame.columns else _ids_beside(table)
    return _rows(table, id_column), table, Reason("labels", path, why)


def _fitness(table: Table, sample: Sample | None) -> tuple[int, int]:
    asked = {name.lower() for name in sample.answer_columns} if sample else set()
    answers = not asked.isdisjoint(name.lower() for name in table.frame.columns.tolist())
    return {"train": 2, None: 0, "val": -1, "test": -2}[role_of_file(table.path)] + answers, len(table.frame)


def pixel_test(tables: Tables, train: Table, sample: Sample | None, where: str) -> AnswerRows:
    """The rows to answer for: by id where the test table has one, else by their place, counted from 1 or 0 as the sample does.

    Raises: CompetitionError where the sample's ids do not fit the test table.
    """
    shape = train.pixels.shape if train.pixels else None
    others = [table for table in tables.of.values() if table.pixels and table.path != train.path and table.pixels.shape == shape]
    ranked = sorted(
        others,
        key=lambda table: (role_of_file(table.path) != "test", sample is None or len(table.frame) != len(set(sample.ids))),
    )
    if not ranked or not len(ranked[0].frame):
        raise CompetitionError(f"{where}: the test set is empty: there is no table of pixels beside {train.path}")
    test = ranked[0]
    column = sample.id_column if sample and sample.id_column in test.frame.columns else _ids_beside(test)
    rows = _rows(test, column)
    if sample is None:
        return AnswerRows(
            rows.ids,
            rows.images,
            Reason("test", f"{len(rows.ids):,} images", f"the rows of {test.path}"),
            rows if len(test.frame.columns) else None,
        )
    ids = list(dict.fromkeys(sample.ids))
    count = len(rows.ids)
    for spelled, why in (
        (rows.ids if column else None, f"column {column!r}"),
        (range(1, count + 1), "rows counted from 1"),
        (range(count), "rows counted from 0"),
    ):
        if spelled is None:
            continue
        image_of = dict(zip(map(str, spelled), rows.images, strict=True))
        if all(identifier in image_of for identifier in ids):
            return AnswerRows(
                ids, [image_of[identifier] for identifier in ids], Reason("test", f"{len(ids):,} images", f"{test.path}: {why}")
            )
    if len(ids) == count:
        return AnswerRows(ids, rows.images, Reason("test", f"{count:,} images", f"{test.path}: by their order", sure=False))
    raise CompetitionError(
        f"{sample.path} does not fit {test.path}: {len(ids):,} ids ({ids[0]!r} ...) for {count:,} rows of pixels; "
        "a submission should have one row an image"
    )


def _ids_beside(table: Table) -> str | None:
    return next((name for name in table.frame.columns if "id" in name.lower() and table.frame[name].is_unique), None)


def _rows(table: Table, id_column: str | None) -> Rows:
    keys = [table.pixels.key(row) for row in table.frame.index.tolist()] if table.pixels else []
    ids = table.frame[id_column].tolist() if id_column else [str(row + 1) for row in table.frame.index.tolist()]
    return Rows(table.path, id_column, table.frame, ids, keys)
