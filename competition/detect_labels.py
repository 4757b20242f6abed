"""Where the labels are: a table whose ids are images, else folders whose names are classes, else the files' own names."""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from competition.config import CompetitionConfig
from competition.contest import Reason
from competition.detect_other import many_an_id, more_than_an_image
from competition.detect_sample import Sample, called_a_sample
from competition.errors import CompetitionError, choose, examples
from competition.image_index import LEAST_SHARE, ImageIndex
from competition.names import ROLE_WORDS, Role, role_of_file, without_suffix, words
from competition.text_tables import Tables

FOLDERS, NAMES = "folders", "names"
LABEL_WORDS = frozenset(["label", "labels", "labeled", "labelled", "target", "targets", "truth", "solution", "annotations", "classes"])
UNLABELLED_WORDS = frozenset(["unlabeled", "unlabelled"])
NUMBERED_NAME = re.compile(r"^(.*?[^\d\W_].*?)[\W_]*\(?\d+\)?$")
MOST_CLASSES_BY_NAME = 1000
LOOKED_AT_MISSING = 20  # ids without an image, for one that has several
MOST_STRAY = 0.05  # of the images beside the folders of classes: a cover, an overview
MOST_MISSING = 0.05  # of the training rows without an image: what is published lacks a few, a download that broke off lacks many


@dataclass(frozen=True)
class Rows:
    """Rows of images with text columns beside: a label table, or what folders and file names say.

    where: the table's path, "folders" or "names". column: the one that names the image; None where no column does.
    ids: as spelled there, one a row. images: their keys.
    """

    where: str
    column: str | None
    frame: pd.DataFrame
    ids: list[str]
    images: list[str]

    def only(self, kept: Sequence[bool]) -> "Rows":
        """Those rows that are kept."""
        ids, images = itertools.compress(self.ids, kept), itertools.compress(self.images, kept)
        return Rows(self.where, self.column, self.frame[np.asarray(kept, bool)], list(ids), list(images))


@dataclass(frozen=True)
class Candidate:
    """A table whose rows are images."""

    path: str
    column: str
    frame: pd.DataFrame
    share: float
    role: Role | None


def image_tables(tables: Tables, index: ImageIndex, sample: Sample | None, id_column: str = "auto") -> list[Candidate]:
    """The tables in which a column names images, the sample submission left out; where none does, those in which one numbers them."""
    found = []
    rows_of_classes = sample is not None and len(set(sample.ids)) * 2 <= len(sample.ids)  # which are answered one by one
    others = {
        path: table
        for path, table in tables.of.items()
        if len(table.frame) and (sample is None or not (path == sample.path or called_a_sample(path)))
    }
    for path, table in others.items():
        if id_column != "auto" and id_column in table.frame.columns:
            found.append(Candidate(path, id_column, table.frame, index.share(table.frame[id_column].tolist()), role_of_file(path)))
            continue
        best = index.column_of_ids(table.frame, table.frame.columns)
        if best is None and role_of_file(path) != "test" and not rows_of_classes:
            best = index.column_of_repeated_ids(table.frame, table.frame.columns)
        if best:
            found.append(Candidate(path, best[0], table.frame, best[1], role_of_file(path)))
    if not found:
        for path, table in others.items():
            if column := index.column_of_numbers(table.frame, table.frame.columns):
                found.append(Candidate(path, column, table.frame, 1.0, role_of_file(path)))
    if sample is None or any(set(sample.answer_columns) <= set(candidate.frame.columns) for candidate in found):
        return found
    return [_with_labels(candidate, tables, sample) for candidate in found]


def _with_labels(candidate: Candidate, tables: Tables, sample: Sample) -> Candidate:
    """The candidate; where it lacks what the sample asks for, with the columns of a table that has it and shares an id column: its rows
    that this table has."""
    frame, asked = candidate.frame, set(sample.answer_columns)
    if candidate.role == "test":
        return candidate
    for path, table in tables.of.items():
        if path in (sample.path, candidate.path) or role_of_file(path) == "test" or not asked <= set(table.frame.columns):
            continue
        for name in frame.columns:
            if not name or name in asked or name not in table.frame.columns or not table.frame[name].is_unique:
                continue
            ours, theirs = set(frame[name]), set(table.frame[name])
            if ours <= theirs or (theirs <= ours and not called_a_sample(path)):  # the rest may be test rows
                rest = "" if ours <= theirs else f" ({len(theirs):,} of its {len(ours):,} rows)"
                tables.notes.append(f"{path} has the labels for {candidate.path}{rest}, by {name!r}")
                return replace(candidate, frame=frame.merge(table.frame, on=name, how="inner", suffixes=("", f" of {path}")))
    return candidate


def label_table(
    candidates: Sequence[Candidate], tables: Tables, sample: Sample | None, ask: CompetitionConfig
) -> tuple[Candidate, Reason] | None:
    """The table with the training labels, None where there is none.

    Raises: CompetitionError where the one asked for is not fit, and where two tables say different things.
    """
    if ask.labels != "auto":
        path = choose("label table", ask.labels, [*tables.of, FOLDERS, NAMES])
        asked = next((candidate for candidate in candidates if candidate.path == path), None)
        if asked is None:
            columns = list(tables.of[path].frame.columns)
            raise CompetitionError(
                f"{path}: no column names images, its columns are {examples(columns, 8)}: name one by --competition.id-column"
            )
        return asked, Reason("labels", path, "asked for")
    ranked = sorted(candidates, key=lambda candidate: (-_fitness(candidate, sample), -len(candidate.frame)))
    ranked = [candidate for candidate in ranked if _fitness(candidate, sample) > 0]
    if not ranked:
        return None
    best = ranked[0]
    _check_agreement(best, ranked[1:], sample)
    rivals = [candidate.path for candidate in ranked[1:] if _fitness(candidate, sample) == _fitness(best, sample)]
    why = f"{best.share:.0%} of the looked-at values of {best.column!r} are images"
    if sample is not None and (fitting := _fit_of_sample(best, sample)):
        why += f", and {fitting}"
    return best, Reason(
        "labels", best.path, why + (f"; it might be {examples(rivals)}" if rivals else ""), sure=best.share > 0.9 and not rivals
    )


def _fitness(candidate: Candidate, sample: Sample | None) -> float:
    """How much a table looks like the one with the labels; 0: it has none."""
    if len(candidate.frame.columns) < 2:
        return 0
    named = role_of_file(candidate.path)
    fits = sample is not None and bool(_fit_of_sample(candidate, sample))
    if named == "test" and (sample is None or not fits):
        return 0
    if sample is not None and not fits and named != "train" and set(sample.ids) <= set(candidate.frame[candidate.column]):
        return 0
    score = 1 + 8.0 * fits + 2 * candidate.frame[candidate.column].is_unique + candidate.share
    score += {"train": 3, None: 0, "val": -2, "test": -8}[named]
    return max(score + (not LABEL_WORDS.isdisjoint(words(candidate.path.rpartition("/")[2]))), 0.01)


def _fit_of_sample(candidate: Candidate, sample: Sample) -> str:
    """Why a table answers what the sample submission asks; empty where it does not."""
    columns = set(candidate.frame.columns) - {candidate.column}
    if set(sample.answer_columns) <= columns:
        return "it has the sample's columns"
    if len(sample.answer_columns) > 1 and (named_by := column_of_classes(candidate.frame, sample.answer_columns, candidate.column)):
        return f"the values of {named_by!r} are the sample's columns"
    return ""


def column_of_classes(frame: pd.DataFrame, classes: Sequence[str], id_column: str | None) -> str | None:
    """The column all of whose values are among the classes; where there is none, but for capitals."""
    for same in (str.strip, lambda cell: cell.strip().casefold()):
        wanted = set(map(same, classes))
        for name in frame.columns:
            first = next(filter(str.strip, frame[name]), "")  # asked before all of them: most columns hold something else
            if name != id_column and same(first) in wanted and set(map(same, frame[name].unique())) - {""} <= wanted:
                return name
    return None


def _check_agreement(best: Candidate, others: Sequence[Candidate], sample: Sample | None) -> None:
    for other in others:
        shared = [name for name in best.frame.columns if name != best.column and name in other.frame.columns and name != other.column]
        if sample is not None:
            shared = [name for name in shared if name in sample.answer_columns]
        elif len(best.frame.columns) > 2:
            shared = [name for name in shared if not LABEL_WORDS.isdisjoint(words(name))]
        if not shared or not (best.frame[best.column].is_unique and other.frame[other.column].is_unique):
            continue
        ours, theirs = (candidate.frame.set_index(candidate.column)[shared] for candidate in (best, other))
        common = ours.index.intersection(theirs.index)
        if len(common) < LEAST_SHARE * min(len(ours), len(theirs)):
            continue  # ids of two sets that happen to be alike, as 1, 2, 3 of train and of test
        if role_of_file(other.path) == "test" and len(common) < len(theirs):
            continue
        differ = common[(ours.loc[common] != theirs.loc[common]).any(axis=1)]
        if len(differ):
            raise CompetitionError(
                f"two label tables disagree: {best.path!r} and {other.path!r} for {len(differ):,} of {len(common):,} ids "
                f"({examples(differ)}): choose one by --competition.labels"
            )


def table_rows(candidate: Candidate, index: ImageIndex, sample: Sample | None) -> tuple[Rows, list[str], str]:
    """The table's rows with their images, notes on the choice of folders, and which few rows were left out for want of an image.

    Raises: CompetitionError where more images are missing.
    """
    frame = candidate.frame
    ids = frame[candidate.column].str.strip().tolist()
    match = index.match(ids, "train")
    notes = [f"{match.groups[0]} was taken for {candidate.path}; {folder} has images of the same names" for folder in match.instead]
    notes += [f"{candidate.path}: {candidate.column!r} numbers the images: {ids[0]!r} is {match.images[0]}"] if match.by_number else []
    images, lacking = match.images, ""
    if match.missing:
        of_test = _test_rows(candidate, match.missing, index, sample)
        notes += [f"{len(of_test):,} rows of {candidate.path} are of test images: they are left out of training"] if of_test else []
        lacks = [place for place in match.missing if place not in of_test]
        blank = (frame.drop(columns=candidate.column).iloc[lacks] == "").all(axis=1).tolist()
        missing = [ids[place] for place in itertools.compress(lacks, [not empty for empty in blank])]
        if len(missing) > MOST_MISSING * len(ids):
            raise missing_images(candidate.path, candidate.column, missing, len(ids), index, "train")
        if any(blank):
            notes.append(f"{sum(blank):,} rows of {candidate.path} have neither an image nor a label: they are left out")
        if missing:
            lacking = f"{len(missing):,} of {len(ids):,} rows have no image and are left out: {examples(missing)}"
        present = [image is not None for image in images]
        frame, ids = frame[np.asarray(present)], list(itertools.compress(ids, present))
    return Rows(candidate.path, candidate.column, frame, ids, [image for image in images if image is not None]), notes, lacking


def _test_rows(candidate: Candidate, places: Sequence[int], index: ImageIndex, sample: Sample | None) -> set[int]:
    """Those rows of a table of all images that are of the test folder: asked for by the sample, or without what the other rows are told."""
    ids = candidate.frame[candidate.column].iloc[list(places)].str.strip().tolist()
    images = index.match(ids, "test").images
    folder, asked = set(index.of_role("test")), set(sample.ids) if sample else set()
    of_test = [place for place, image in zip(places, images, strict=True) if image in folder]
    if of_test and not asked.issuperset(candidate.frame[candidate.column].iloc[of_test].str.strip()):
        empty = candidate.frame == ""
        labels = empty.columns[empty.iloc[of_test].all() & (empty.mean() < 1)]
        of_test = of_test if len(labels) else []
    return set(of_test)


def missing_images(where: str, column: str, missing: Sequence[str], total: int, index: ImageIndex, role: Role | None) -> CompetitionError:
    """The error for ids without an image: which, how many, and where they were looked for."""
    for value in missing[:LOOKED_AT_MISSING]:
        if len(called := index.called(value)) > 1:
            return CompetitionError(
                f"{where}: {value!r} of column {column!r} may be any of {len(called)} images: {examples(called)}. "
                "Write the ids with folders and endings, as the files are called, or leave one file of each name"
            )
    shown = ", ".join(f"{value!r} ({index.expected(value, role)})" for value in missing[:3])
    more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
    return CompetitionError(
        f"{where}: images are missing for {len(missing):,} of {total:,} rows, column {column!r}: {shown}{more}."
        + (many_an_id(missing, index) or more_than_an_image(missing, index) or " Is the download complete, are its archives all there?")
    )


def together(parts: Sequence[Rows]) -> Rows:
    """Rows by folder of several places, as one; where ids repeat, they are paths."""
    images = [image for part in parts for image in part.images]
    ids = [identifier for part in parts for identifier in part.ids]
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return Rows(FOLDERS, None, frame, ids if len(set(ids)) == len(ids) else images, images)


def is_unlabelled(path: str) -> bool:
    """Whether an image lies in a folder that says so."""
    return any(not UNLABELLED_WORDS.isdisjoint(words(part)) for part in path.split("/")[:-1])


def folder_rows(paths: Sequence[str], asked: Collection[str] = ()) -> Rows | None:
    """Images whose folder is their class; None where there are not two such folders, or they are those of training and validation.
    The few that lie beside the folders are left out.

    asked: names of classes; of folders in folders, those are the classes that have these names, else the outer ones.
    """
    base = _common_folder(paths)
    below = [path for path in paths if "/" in path[len(base) :]]
    if 0 < len(paths) - len(below) <= MOST_STRAY * len(paths):
        return folder_rows(below, asked)
    parts = [path[len(base) :].split("/")[:-1] or [""] for path in paths]
    levels = range(min(map(len, parts), default=0))
    level = next((level for level in levels if asked and {folders[level] for folders in parts}.issuperset(asked)), 0)
    classes = [folders[level] for folders in parts]
    if len(set(classes)) < 2 or "" in classes or all(words(name) and set(words(name)) <= ROLE_WORDS.keys() for name in set(classes)):
        return None
    return Rows(FOLDERS, None, pd.DataFrame({"label": classes}, dtype="str"), short_ids(paths, base), list(paths))


def same_in_each_folder(rows: Rows) -> bool:
    """Whether each folder has pictures of the same names, which are no plain numbers: pairs of pictures look so."""
    names: dict[str, set[str]] = {}
    for label, path in zip(rows.frame["label"], rows.images, strict=True):
        names.setdefault(label, set()).add(without_suffix(path.rpartition("/")[2]))
    first = next(iter(names.values()))
    return all(others == first for others in names.values()) and not all(map(str.isdigit, first))


def name_rows(paths: Sequence[str]) -> Rows | None:
    """Images whose name begins with their class (cat.12.jpg); None where names do not look so."""
    found = [NUMBERED_NAME.match(without_suffix(path.rpartition("/")[2])) for path in paths]
    if not found or not all(found):
        return None
    classes = [match.group(1) for match in found if match]
    if not 2 <= len(set(classes)) <= min(MOST_CLASSES_BY_NAME, len(classes) // 2):
        return None
    return Rows(NAMES, None, pd.DataFrame({"label": classes}, dtype="str"), short_ids(paths, _common_folder(paths)), list(paths))


def short_ids(paths: Sequence[str], base: str) -> list[str]:
    """The shortest spelling that tells all images apart: stem, else file name, else path."""
    names = [path[path.rfind("/") + 1 :] for path in paths]
    for spelled in ([without_suffix(name) for name in names], names, [without_suffix(path[len(base) :]) for path in paths]):
        if len(set(spelled)) == len(spelled):
            return spelled
    return list(paths)


def _common_folder(paths: Sequence[str]) -> str:
    """The deepest folder that holds all paths, with its slash."""
    if not paths:
        return ""
    low, high = min(paths), max(paths)
    size = next((place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: low.rfind("/", 0, size) + 1]
