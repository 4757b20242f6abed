"""A directory or archive -> Competition, with the reason for each guess.

    files -> tables, images -> sample submission -> training rows -> target -> test rows -> submission format -> metric

What CompetitionConfig sets is taken as said; what is impossible is one CompetitionError.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from competition.config import CompetitionConfig
from competition.contest import Competition, Reason
from competition.detect_beside import columns_beside
from competition.detect_columns import find_columns
from competition.detect_groups import find_groups
from competition.detect_labels import (
    FOLDERS,
    NAMES,
    Candidate,
    Rows,
    column_of_classes,
    folder_rows,
    image_tables,
    is_unlabelled,
    label_table,
    name_rows,
    same_in_each_folder,
    table_rows,
    together,
)
from competition.detect_other import many_an_id, more_than_an_image, no_images, refuse_confidences, refuse_places, refuse_sentences
from competition.detect_pixels import pixel_test, pixel_train
from competition.detect_repeats import one_row_an_image
from competition.detect_sample import Sample, called_a_sample, find_sample
from competition.detect_submission import find_metric, find_submission, known_metric
from competition.detect_target import Target, encode, find_target, frame_of, plain_rows, with_line_end
from competition.detect_test import AnswerRows, found_test, sample_test
from competition.detect_values import as_number
from competition.errors import CompetitionError, examples
from competition.files import Files
from competition.headers import IMAGE
from competition.image_index import LEAST_SHARE, ImageIndex
from competition.images import FileImages, ImageSource
from competition.names import role_of_file
from competition.pixels import PixelColumns
from competition.stacks import add_stacks, find_stacks
from competition.text_tables import Table, Tables, read_tables

SHOWN_TABLES = 6
MOST_ID_COLUMNS, MOST_TRIED = 3, 12  # of a table, and of all: where no column names images, these are asked what they may mean
TO_NAME = " A table should have a column of ids or file names and a column of labels: name them by --competition.labels and .id-column"
NOT_FOUND = {
    "auto": "no table has a column that names images",
    FOLDERS: "images do not lie in folders of classes",
    NAMES: "names do not begin with a class and end with a number",
}


def detect(files: Files, name: str, ask: CompetitionConfig) -> Competition:
    """The competition in the files.

    Raises: CompetitionError with what is missing, does not fit, or cannot be told.
    """
    try:
        return _detect(files, name, ask)
    except CompetitionError as error:
        if files.unopened:
            unopened = list(files.unopened.values())
            more = f"; and {len(unopened) - 3} more" if len(unopened) > 3 else ""
            raise CompetitionError(f"{str(error).rstrip('.')}. Could not be opened: {'; '.join(unopened[:3])}{more}") from None
        if files.left_out:
            told = f"Not opened, for a folder of the same name stands beside (half unpacked?): {examples(files.left_out)}"
            raise CompetitionError(f"{str(error).rstrip('.')}. {told}") from None
        raise


def _detect(files: Files, name: str, ask: CompetitionConfig) -> Competition:
    where = str(files.root)
    no_files_of_images, stacks = find_stacks(files)
    index = ImageIndex(path for path in files.paths if path not in no_files_of_images)
    tables = read_tables(files, index)
    add_stacks(stacks, files, tables)
    pixel_tables = [table.pixels for table in tables.of.values() if table.pixels]
    if not len(index) and not pixel_tables:
        raise no_images(files.paths, where, tables.unread.values())
    sample = find_sample(tables, index, ask)
    if sample is not None:
        refuse_places(sample.path, sample.answer_columns, ask)
        refuse_confidences(sample.path, sample.frame[sample.answer_columns[0]].unique() if len(sample.answer_columns) == 1 else (), ask)
    images: ImageSource
    if len(index) > LEAST_SHARE * sum(len(table.frame) for table in tables.of.values() if table.pixels):
        images = FileImages(files)
        train, test, reasons, notes, beside = _from_files(tables, index, sample, ask, where)
        test_columns = _columns_of_test(tables, train, sample)
    else:
        images = PixelColumns(files, pixel_tables)
        train, table, reason = pixel_train(tables, sample, ask)
        test = pixel_test(tables, table, sample, where)
        used = {key.rpartition("#")[0] for key in (train.images[0], test.images[0])}
        unused = [table.path for table in pixel_tables if table.path not in used]
        notes = [f"rows of images that are not used: {examples(unused)}"] if unused else []
        reasons, test_columns, beside = [reason], [], pd.DataFrame(index=range(len(train.ids)))
    scored_by = known_metric(name, ask)
    target = find_target(train, sample, tables, test_columns, ask, scored_by)
    refuse_places(train.where, target.columns, ask)
    if target.task.kind == "multiclass" and not ask.target_columns:
        refuse_sentences(train.where, target.columns[0], target.told.classes, len(train.ids))
    left = int((~target.kept).sum())
    train, target, merged = one_row_an_image(train, target)
    frame = pd.concat([frame_of(train, target.kept), beside[target.kept].reset_index(drop=True)], axis=1)
    for what, names in (("class", target.task.classes), ("training id", frame["id"]), ("test id", test.ids)):
        if broken := with_line_end(names):
            raise CompetitionError(
                f"{where}: the {what} {broken!r} holds the end of a line, and a submission's rows are lines: rename it "
                "(or is a quote opened in a table and never closed?)"
            )
    test_truth = _test_truth(test, target)
    submission, answer_reason = find_submission(target, sample, test.ids, ask, scored_by)
    metric = find_metric(name, target, sample, submission, ask)
    groups, group_reason = find_groups(frame, target.columns)
    tabular, column_reasons, left_out = find_columns(train, target.kept, test.images, target.columns, tables, index, sample)
    notes += [*merged, *test.notes, *([f"{left:,} rows of {train.where} have no label: they are left out"] if left else [])]
    notes += tables.notes
    notes += [f"{path} was not opened: the folder of its name stands beside it" for path in files.left_out]
    notes += [f"not opened: {reason}" for reason in files.unopened.values()]
    notes += [f"not read: {reason}" for reason in tables.unread.values()]
    notes += [f"not read: {len(paths):,} {kind} files of one image each, such as {paths[0]}" for kind, paths in tables.side_files.items()]
    if apart := [f"{group.folder} ({len(group.paths):,})" for group in index.groups.values() if group.beside]:
        notes.append(f"not used, for their names are of pictures that belong to others: {examples(apart)}")
    if only_in_train := _only_in_train(train, target, test_columns, group_reason):
        notes.append(f"only in {train.where} and not used: {examples(only_in_train)}")
    notes += left_out
    found = [
        _what_is_there(index, tables),
        *reasons,
        *target.reasons,
        test.reason,
        *([sample.reason] if sample else []),
        answer_reason,
        metric,
        *([group_reason] if group_reason else []),
        *column_reasons,
    ]
    return Competition(
        name=name,
        source=where,
        train=frame,
        truth=target.truth,
        test=pd.DataFrame({"id": test.ids, "image": test.images}, dtype="str"),
        images=images,
        task=target.task,
        metric=metric.value,
        submission=submission,
        reasons=tuple(found),
        groups=groups,
        test_truth=test_truth,
        tabular=tabular,
        notes=tuple(notes),
        settled=ask.model_copy(
            update={
                "slug": name,
                "metric": metric.value,
                "task": target.task.kind,
                "labels": train.where,
                "id_column": train.column or "auto",
                "target_columns": target.columns if train.column or train.where in tables.of else (),
                "sample": sample.path if sample else "auto",
                "answer": submission.answer,
            }
        ),
    )


def _what_is_there(index: ImageIndex, tables: Tables) -> Reason:
    sizes = [f"{path} ({len(table.frame):,} rows)" for path, table in tables.of.items()]
    more = f" and {len(sizes) - SHOWN_TABLES} more" if len(sizes) > SHOWN_TABLES else ""
    images = f"{len(index):,} image files" if len(index) else "images in columns"
    return Reason("files", f"{images}, {len(sizes)} tables", ", ".join(sizes[:SHOWN_TABLES]) + more or "images only")


def _from_files(
    tables: Tables, index: ImageIndex, sample: Sample | None, ask: CompetitionConfig, where: str
) -> tuple[Rows, AnswerRows, list[Reason], list[str], pd.DataFrame]:
    """Training rows, test rows, reasons, notes, and what other tables tell about the training rows."""
    candidates = image_tables(tables, index, sample, ask.id_column)
    train, reason, notes = _training_rows(candidates, tables, index, sample, ask, where)
    test = sample_test(sample, tables, index, train, where) if sample else found_test(candidates, index, train, where)
    in_test = set(test.images)
    if overlap := sum(image in in_test for image in train.images):
        if overlap == len(train.images):
            raise CompetitionError(f"{where}: all images that {train.where} labels are test images: {examples(train.images)}")
        notes.append(f"{overlap:,} rows of {train.where} are of test images: they are left out of training")
        train = train.only([image not in in_test for image in train.images])
    if train.where != FOLDERS and (spare := _without_a_label(index, {*train.images, *in_test})):
        notes.append(f"{spare:,} images of the training folder are in no row of {train.where}: they are left out")
    notes += _validation_left_out(candidates, train, index)
    beside, more = columns_beside(train, candidates)
    return train, test, [reason], [*notes, *more], beside


def _validation_left_out(candidates: Sequence[Candidate], train: Rows, index: ImageIndex) -> list[str]:
    """A note on each table of validation images of their own, whose columns are those of the label table, and whose ids are too."""
    used, notes = set(train.images), []
    for candidate in candidates:
        if candidate.role == "val" and candidate.path != train.where and set(candidate.frame.columns) == set(train.frame.columns):
            images = set(index.match(candidate.frame[candidate.column].str.strip().tolist(), "val").images) - {None}
            if left := len(images - used):
                why = f"its ids stand in {train.where} too: to train on them, put one table of both in their place, with folders in the ids"
                notes.append(f"{left:,} images of {candidate.path} are left out, {why}")
    return notes


def _without_a_label(index: ImageIndex, used: set[str]) -> int:
    """How many images lie among the training images without being any."""
    groups = [group for group in index.groups.values() if group.role == "train" and not group.beside]
    return sum(path not in used for group in groups if not used.isdisjoint(group.paths) for path in group.paths)


def _training_rows(
    candidates: Sequence[Candidate], tables: Tables, index: ImageIndex, sample: Sample | None, ask: CompetitionConfig, where: str
) -> tuple[Rows, Reason, list[str]]:
    if ask.labels not in (FOLDERS, NAMES):
        found = label_table(candidates, tables, sample, ask)
        if found is not None:
            candidate, reason = found
            if ask.id_column not in ("auto", *candidate.frame.columns):
                raise CompetitionError(
                    f"{candidate.path}: there is no column {ask.id_column!r}, its columns are {examples(candidate.frame.columns, 12)}"
                )
            rows, notes, lacking = table_rows(candidate, index, sample)
            if joined := _with_train_folders(rows, index):
                why = f"{reason.why}; it is of the validation images alone, and names the folders of the training images"
                return joined, Reason("labels", f"{rows.where} and folders", why), notes
            return rows, replace(reason, why=f"{reason.why}; {lacking}", sure=False) if lacking else reason, notes
    in_test = set(index.match(sample.ids, "test").images) if sample else set()
    paths = index.of_role("train", "val") or index.of_role(None)
    unlabelled = [path for path in paths if is_unlabelled(path)]
    paths = [path for path in paths if path not in in_test and not is_unlabelled(path)]
    notes = ["images of the validation folder are training images here"] if index.of_role("val") and index.of_role("train") else []
    notes += [f"{len(unlabelled):,} images of a folder that is called unlabelled are left out: {unlabelled[0]}"] if unlabelled else []
    if ask.labels in ("auto", FOLDERS):
        names = _words_of(sample)
        rows = _folders_of_roles(index, set(paths), names) or folder_rows(paths, names)
        if rows is not None and ask.labels == "auto":
            _refuse_passing_over(tables, sample, rows, index)
        if rows is not None:
            flat = sorted(set(paths) - set(rows.images))
            notes += [f"{len(flat):,} training images lie in no folder of a class: they are left out: {examples(flat)}"] if flat else []
            same = "; the same file names in each: are these classes?" if same_in_each_folder(rows) else ""
            return (
                rows,
                Reason(
                    "labels",
                    FOLDERS,
                    f"{rows.frame['label'].nunique()} folders, {examples(dict.fromkeys(rows.frame['label']))}{same}",
                    not same,
                ),
                notes,
            )
    if ask.labels in ("auto", NAMES) and (rows := name_rows(paths)) is not None:
        return (
            rows,
            Reason("labels", NAMES, f"files are called {examples(dict.fromkeys(rows.frame['label']))} and a number", sure=False),
            notes,
        )
    if tables.unread and not tables.of:
        raise CompetitionError(f"{where}: no table could be read: {examples(tables.unread.values())}")
    why = [text for kind, text in NOT_FOUND.items() if ask.labels in ("auto", kind)]
    unread = f"; not read: {examples(tables.unread.values())}" if tables.unread else ""
    raise CompetitionError(
        f"{where}: no labels were found: {', '.join(why)}. Tables: {examples(tables.of, 8) or 'none'}; "
        f"{len(index):,} images, such as {examples(paths[:1] or index.of_role('test')[:1])}{unread}."
        + (_many_an_id(tables, index) or _what_to_do(tables, index))
    )


def _many_an_id(tables: Tables, index: ImageIndex) -> str:
    columns = (table.frame[name].head(2).tolist() for table in tables.of.values() for name in table.frame.columns[:MOST_ID_COLUMNS] if name)
    return next(
        (
            found
            for values in itertools.islice(columns, MOST_TRIED)
            if min(map(len, values), default=0) > 1 and (found := many_an_id(values, index) or more_than_an_image(values, index))
        ),
        "",
    )


def _what_to_do(tables: Tables, index: ImageIndex) -> str:
    for kind, paths in tables.side_files.items():
        return (
            f" {len(paths):,} {kind} files are of one image each, such as {paths[0]}: boxes, masks and captions are not what this is made "
            "for; labels should stand in one table"
        )
    if named := next((table for path, table in tables.of.items() if role_of_file(path) == "train" and len(table.frame.columns) > 1), None):
        few = _few_images(named, index) or _no_image_is_called_so(named)
        return _rows_of_one_image(named, index) or f" {few}: are the training images all there?" + TO_NAME
    masks = [group.folder for group in index.groups.values() if group.beside]
    if masks:
        return f" {examples(masks)} hold pictures that belong to others: competitions about masks are not what this is made for"
    return TO_NAME


def _rows_of_one_image(table: Table, index: ImageIndex) -> str:
    """A sentence about a table whose rows are fewer images; empty where it is none."""
    for name in table.frame.columns[:MOST_ID_COLUMNS]:
        images = table.frame[name].drop_duplicates().tolist()
        if 1 < len(images) < len(table.frame) and index.share(images) > LEAST_SHARE:
            rows = f"{table.path} has {len(table.frame):,} rows for {len(images):,} images, by column {name!r}"
            return f" {rows}: a row for each class or object is not understood; write one row an image, with a column for each class"
    return ""


def _few_images(table: Table, index: ImageIndex) -> str:
    """How many values of a column of ids are images, where too few are; empty where no column has any."""
    for name in table.frame.columns[:MOST_ID_COLUMNS]:
        ids = table.frame[name].drop_duplicates().str.strip().tolist()
        found = len(ids) - len(index.match(ids, "train").missing)
        if found and len(ids) > LEAST_SHARE * len(table.frame):
            return f"{found:,} of {len(ids):,} values of {name!r} of {table.path} are images"
    return ""


def _no_image_is_called_so(table: Table) -> str:
    column = next((name for name in table.frame.columns if name), "")
    return f"No image is called as {examples(table.frame[column].head(2).tolist())} of {table.path} are, column {column!r}"


def _words_of(sample: Sample | None) -> set[str]:
    """The classes that a sample names, in its cells or as its columns; none where they are numbers, which may stand for anything."""
    if sample is None:
        return set()
    first, *others = sample.answer_columns
    names = {first, *others} if others else {cell.strip() for cell in sample.frame[first]}
    return set() if any(not name or as_number(name) is not None for name in names) else names


def _folders_of_roles(index: ImageIndex, wanted: set[str], names: Collection[str]) -> Rows | None:
    """Training and validation folders that have classes below, as one. wanted: the images that may be of one; names: of classes."""
    groups = [group for group in index.groups.values() if group.role in ("train", "val") and not group.beside]
    rows = [part for group in groups if (part := folder_rows([path for path in group.paths if path in wanted], names)) is not None]
    return together(rows) if rows else None


def _with_train_folders(rows: Rows, index: ImageIndex) -> Rows | None:
    """Rows of a table that has validation images alone, together with the training images, whose folders are called as its classes."""
    of_val, trained = set(index.of_role("val")), index.of_role("train")
    folders = folder_rows(trained) if trained and of_val.issuperset(rows.images) else None
    named = column_of_classes(rows.frame, tuple(set(folders.frame["label"])), rows.column) if folders is not None else None
    if folders is None or named is None:
        return None
    label = rows.frame[named].str.strip().reset_index(drop=True)
    of_table = Rows(rows.where, None, pd.DataFrame({"label": label}, dtype="str"), rows.ids, rows.images)
    return replace(together([folders, of_table]), where=rows.where)


def _refuse_passing_over(tables: Tables, sample: Sample | None, rows: Rows, index: ImageIndex) -> None:
    """Raises CompetitionError where folders would be the classes although a table of as many rows has the column that is asked for, but
    names no image."""
    for path, table in tables.of.items():
        if sample is None or path == sample.path or called_a_sample(path) or role_of_file(path) == "test":
            continue
        asked = table.frame[[name for name in sample.answer_columns if name in table.frame.columns]]
        says_more = not set(asked.to_numpy().ravel()) <= set(rows.frame["label"])
        if len(asked.columns) == len(sample.answer_columns) and len(asked) >= LEAST_SHARE * len(rows.images) and says_more:
            raise CompetitionError(
                f"{path} has {examples(sample.answer_columns)}, which is asked for. {_no_image_is_called_so(table)}."
                + (_many_an_id(tables, index) or " Where the folders are the classes, say --competition.labels folders")
            )


def _columns_of_test(tables: Tables, train: Rows, sample: Sample | None) -> list[str]:
    """The columns that the test rows have too, from the table beside the label table that has them."""
    asked = set(sample.answer_columns) if sample else set()
    for path, table in tables.of.items():
        if path == train.where or (sample is not None and path == sample.path) or list(table.frame.columns) == [IMAGE]:
            continue
        if role_of_file(path) == "test":
            if set(train.frame.columns) <= set(table.frame.columns):
                continue  # it has the labels too, and tells nothing about them
            return [column for column in table.frame.columns if column not in asked]
    return []


def _only_in_train(train: Rows, target: Target, test_columns: Sequence[str], groups: Reason | None) -> list[str]:
    if not test_columns:
        return []
    known = (train.column, *target.columns, *test_columns, *([groups.value] if groups else []))
    return [name for name in train.frame.columns if name and name not in known]


def _test_truth(test: AnswerRows, target: Target) -> np.ndarray | None:
    """The test rows' truth, where what names them labels them too."""
    rows = test.labelled
    if rows is None or not set(target.columns) <= set(rows.frame.columns) or len(rows.frame) != len(test.ids):
        return None
    if rows.where != FOLDERS and len(rows.frame[list(target.columns)].drop_duplicates()) == 1:
        return None  # one answer in all rows holds a place
    try:
        truth, kept = encode(plain_rows(rows, target.columns), target.told, target.columns, target.separator)
    except CompetitionError:
        return None  # a test table's column of that name holds something else; it is only shown, never needed
    return truth if kept.all() else None
