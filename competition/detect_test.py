"""Which images are to be answered for, and in which order."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from competition.contest import Reason
from competition.detect_labels import Candidate, Rows, folder_rows, missing_images, short_ids
from competition.detect_sample import Sample
from competition.errors import CompetitionError, examples
from competition.image_index import ImageIndex
from competition.names import is_image, role_of_file
from competition.text_tables import Tables


@dataclass(frozen=True)
class AnswerRows:
    """Ids (unique) and their images; labelled: the same images with what table or folders say about them, where they do."""

    ids: list[str]
    images: list[str]
    reason: Reason
    labelled: Rows | None = None
    notes: tuple[str, ...] = ()


def sample_test(sample: Sample, tables: Tables, index: ImageIndex, train: Rows, where: str) -> AnswerRows:
    """The images that the sample submission's ids mean: directly, or by way of a table that has both ids and file names.

    Raises: CompetitionError where ids have no image.
    """
    ids = list(dict.fromkeys(sample.ids))
    match = index.match(ids, "test")
    known = set(train.images)
    taken = [path is not None and path in known for path in match.images]
    if all(taken) and len(ids) < len(known) and not index.of_role("test"):
        taken = [False] * len(ids)  # one table of all images: what the sample asks for is no training row
    images = [None if is_train else path for path, is_train in zip(match.images, taken, strict=True)]
    why, sure = f"the ids of {sample.path}", True
    why += f", which number the images: {ids[0]!r} is {images[0]}" if match.by_number else ""
    numbers = all(map(str.isdigit, ids))  # which may be rows of a table with the names, and names of other images
    if (None in images or match.by_number or numbers) and (
        translated := _translated(ids, sample, tables, index, train, with_endings=None not in images)
    ):
        images, table = translated
        why = f"the ids of {sample.path}, whose images {table} names"
    if not any(images) and (placed := _by_place(ids, sample, tables, index, train)):
        images, table = placed
        why, sure = f"the ids of {sample.path} count the rows of {table}", False
    missing = [identifier for identifier, path in zip(ids, images, strict=True) if path is None]
    if missing and sum(taken):
        raise CompetitionError(
            f"{sample.path}: {sum(taken):,} of {len(ids):,} ids are images that {train.where} labels, not test images: "
            f"{examples(itertools.compress(ids, taken))}"
        )
    if missing:
        raise missing_images(sample.path, sample.id_column, missing, len(ids), index, "test")
    found = [path for path in images if path is not None]
    test_folder = index.of_role("test")
    spare = len(set(test_folder) - set(found))
    notes = (f"{spare:,} images of the test folder are not in {sample.path}: they are left out",) if spare else ()
    labelled = _test_folders(found, train)
    return AnswerRows(ids, found, Reason("test", f"{len(ids):,} images", why, sure), labelled, notes)


def _by_place(ids: Sequence[str], sample: Sample, tables: Tables, index: ImageIndex, train: Rows) -> tuple[list[str | None], str] | None:
    """Images of ids that count the rows of a table, from 0 or from 1: the only other one that has as many rows, each of an image."""
    counts = [list(map(str, range(first, first + len(ids)))) for first in (0, 1)]
    fitting = []
    for path, table in tables.of.items() if list(ids) in counts else ():
        if path in (sample.path, train.where) or len(table.frame) != len(ids):
            continue
        if column := index.column_of_ids(table.frame, table.frame.columns):
            match = index.match(table.frame[column[0]].str.strip().tolist(), "test")
            fitting += [(match.images, path)] if not match.missing else []
    return fitting[0] if len(fitting) == 1 else None


def found_test(candidates: Sequence[Candidate], index: ImageIndex, train: Rows, where: str) -> AnswerRows:
    """The test images where there is no sample submission: those of a test table, else of a test folder, else those without a label.

    Raises: CompetitionError where there are none.
    """
    for candidate in candidates:
        if candidate.path != train.where and role_of_file(candidate.path) == "test":
            ids = list(dict.fromkeys(candidate.frame[candidate.column].str.strip()))
            match = index.match(ids, "test")
            if match.missing:
                raise missing_images(candidate.path, candidate.column, [ids[place] for place in match.missing], len(ids), index, "test")
            images = [image for image in match.images if image is not None]
            labelled = Rows(
                candidate.path, candidate.column, candidate.frame, candidate.frame[candidate.column].str.strip().tolist(), images
            )
            return AnswerRows(
                ids,
                images,
                Reason("test", f"{len(ids):,} images", f"the rows of {candidate.path}"),
                labelled if len(images) == len(candidate.frame) else None,
            )
    known = set(train.images)
    paths = [path for path in index.of_role("test") if path not in known]
    why, sure = "the test folder", True
    if not paths:
        paths = [path for path in index.of_role(None) if path not in known]
        why, sure = "images without a label", False
    if not paths:
        raise CompetitionError(
            f"{where}: the test set is empty: no sample submission, no test table, and no folder of test images. "
            "Put images to be answered for into a folder called test, or a column called split into the label table (train, test)"
        )
    labelled = _test_folders(paths, train)
    ids = labelled.ids if labelled else short_ids(paths, "")
    return AnswerRows(ids, paths, Reason("test", f"{len(ids):,} images", why, sure), labelled)


def _test_folders(paths: Sequence[str], train: Rows) -> Rows | None:
    """The test images with their folders as labels, where these are classes that training has too."""
    rows = folder_rows(paths)
    if (
        rows is None
        or len(rows.images) < len(paths)
        or train.column is not None
        or not set(rows.frame["label"]) <= set(train.frame["label"])
    ):
        return None
    return rows


def _translated(
    ids: Sequence[str], sample: Sample, tables: Tables, index: ImageIndex, train: Rows, with_endings: bool
) -> tuple[list[str | None], str] | None:
    """Images of ids that are no file names, from a table that holds these ids in one column and file names in another. with_endings: as
    only file names are written.

    Raises: CompetitionError where the only such table has several files for an id.
    """
    wanted, several = set(ids), ""
    for path, table in tables.of.items():
        if path == sample.path:
            continue
        frame: pd.DataFrame = table.frame
        for id_column in frame.columns:
            named = frame[id_column].str.strip()
            if not wanted <= set(named):
                continue
            for name in frame.columns:
                if name == id_column or (with_endings and not all(map(is_image, frame[name]))) or index.share(frame[name].tolist()) <= 0.9:
                    continue
                repeats = named[named.isin(wanted) & named.duplicated()]
                if len(repeats):
                    if path != train.where:  # there it is a column of classes that happen to be called as the ids are
                        files = frame[name][named == repeats.iloc[0]]
                        several = several or f"{repeats.iloc[0]!r} is {examples(files)} in {path}"
                    continue
                file_of = dict(zip(named, frame[name].str.strip(), strict=True))
                match = index.match([file_of[identifier] for identifier in ids], "test")
                if not match.missing:
                    return match.images, path
    if several:
        raise CompetitionError(f"{sample.path}: its ids mean several images each: {several}. Make a copy with one image an id")
    return None
