"""What a grader would refuse (errors) or punish (warnings) in a submission, found before a slot is spent on it."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition
from competition.errors import examples
from competition.metrics import METRICS
from submissions.errors import SubmissionError
from submissions.format import csv_text
from submissions.plausible import sameness, shares
from submissions.problem import Problem, many, places_of, split_of, values_of

ROW_SUM_TOLERANCE = 1e-5  # what log loss graders allow
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})


def check(submission: pd.DataFrame | Path | str, competition: Competition, oof: pd.DataFrame | None = None) -> list[Problem]:
    """The problems of a CSV, or of a frame as it would be written; errors first, none where all is well.

    oof: the out-of-fold table of the runs that predicted, to compare how often each class is given.
    """
    try:
        rows = _read(io.StringIO(csv_text(submission))) if isinstance(submission, pd.DataFrame) else _read_file(Path(submission))
    except SubmissionError as error:
        return [Problem("error", str(error))]
    problems = [*_columns(rows, competition), *_ids(rows, competition)]
    present = rows.loc[:, [column for column in competition.submission.answer_columns if column in rows.columns]]
    problems += CHECKS[competition.submission.answer](present, rows, competition)
    problems += _other_columns(rows, competition)
    if not any(problem.severity == "error" for problem in problems):
        problems += sameness(present, competition)
        if oof is not None:
            problems += shares(present, competition, oof)
    return sorted(problems, key=lambda problem: problem.severity)  # "error" comes before "warning"; sorting keeps the order within


def _read_file(path: Path) -> pd.DataFrame:
    try:
        return _read(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    except OSError as error:
        raise SubmissionError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SubmissionError(f"{path}: is no text in UTF-8, so it is no CSV (a zip has to be unpacked first)") from None
    except SubmissionError as error:
        raise SubmissionError(f"{path}: {error}") from None


def _read(file: io.StringIO) -> pd.DataFrame:
    """All cells as text, spelled as in the file. pandas would take "00012" for 12 and the id "NA" for nothing."""
    try:
        lines = [(number, cells) for number, cells in enumerate(csv.reader(file), start=1) if cells]
    except csv.Error as error:
        raise SubmissionError(f"is no CSV: {error}") from None
    if not lines:
        raise SubmissionError("is empty: it has not even a header")
    header = lines[0][1]
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise SubmissionError(f"columns have the same name: {examples(twice)}")
    if torn := [f"row {number} has {len(cells)}" for number, cells in lines if len(cells) != len(header)]:
        raise SubmissionError(
            f"the header has {len(header)} columns, but {many(torn, 'row has', 'rows have')} another number: {examples(torn)}"
        )
    return pd.DataFrame([cells for _, cells in lines[1:]], columns=header, dtype="str")


def _columns(rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    wanted, has = list(competition.submission.rows.columns), list(rows.columns)
    if missing := [column for column in wanted if column not in has]:
        yield Problem("error", f"{many(missing, 'column of the sample is', 'columns of the sample are')} missing", examples(missing))
    if extra := [column for column in has if column not in wanted]:
        yield Problem("error", f"{many(extra, 'column is', 'columns are')} not in the sample", examples(extra))
    if not missing and not extra and has != wanted:
        yield Problem("warning", f"columns are in another order than the sample's ({examples(wanted)})", examples(has))


def _ids(rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    asked = competition.submission
    if len(rows) != len(asked.rows):
        yield Problem("error", f"it has {len(rows):,} rows, the sample has {len(asked.rows):,}")
    if asked.id_column not in rows.columns:
        return
    ids, wanted = rows[asked.id_column], asked.rows[asked.id_column]
    known, present = set(wanted), set(ids)
    missing = [name for name in wanted.unique() if name not in present]
    unknown = [name for name in ids.unique() if name not in known]
    if missing:
        yield Problem("error", f"{many(missing, 'id of the sample is', 'ids of the sample are')} missing", examples(missing))
    if unknown:
        yield Problem("error", f"{many(unknown, 'id is', 'ids are')} not in the sample{_spelling(unknown, missing)}", examples(unknown))
    counts, expected = Counter(ids), Counter(wanted)
    if uneven := [f"{name} ({counts[name]}x)" for name in expected if 0 < counts[name] != expected[name]]:
        usual = "once" if max(expected.values()) == 1 else "in the sample"
        yield Problem("error", f"{many(uneven, 'id stands', 'ids stand')} another number of times than {usual}", examples(uneven))
    if counts == expected and (ids.to_numpy() != wanted.to_numpy()).any():
        moved = ids[ids.to_numpy() != wanted.to_numpy()]
        yield Problem(
            "warning", f"{len(moved):,} rows are in another order than the sample's, and some graders go by place", examples(moved)
        )


def _spelling(unknown: list[str], missing: list[str]) -> str:
    """What the unknown ids have lost or gained, where that would make them the missing ones."""
    for change, reduced in SPELLINGS.items():
        if {reduced(name) for name in unknown} <= {reduced(name) for name in missing}:
            return f" (they differ from the missing ones only in {change})"
    return ""


def _numbers(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    """Problems of cells that should be finite numbers, in any column."""
    at = _names(rows, competition)
    values = values_of(answers)
    empty = np.isnan(values)
    empty[empty] = [cell.strip().lower() in MISSING for cell in answers.to_numpy(dtype=object)[empty]]
    text = np.isnan(values) & ~empty
    infinite = np.isinf(values)
    if empty.any():
        yield Problem("error", f"{_rows(empty)} an empty cell or NaN", examples(at(empty)))
    if text.any():
        yield Problem("error", f"{_rows(text)} a cell that is no number", examples(answers.to_numpy()[text]))
    if infinite.any():
        yield Problem("error", f"{_rows(infinite)} an infinite number", examples(at(infinite)))


def _probability(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _numbers(answers, rows, competition)
    at, values = _names(rows, competition), values_of(answers)
    outside = np.isfinite(values) & ((values < 0) | (values > 1))
    if outside.any():
        refused = METRICS[competition.metric].needs == "probs"
        yield Problem("error" if refused else "warning", f"{_rows(outside)} a probability outside [0, 1]", examples(at(outside)))
    sure = (values == 0) | (values == 1)
    if competition.metric == "log_loss" and sure.any():
        yield Problem(
            "warning",
            f"{_rows(sure)} a probability of exactly 0 or 1 (log loss rises by 36 / rows for each that is wrong)",
            examples(at(sure)),
        )


def _probabilities(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _probability(answers, rows, competition)
    if competition.metric == "log_loss" and competition.task.one_of_many:
        sums = values_of(answers).sum(axis=1)
        off = np.abs(sums - 1) > ROW_SUM_TOLERANCE  # False for NaN, which was said already
        if off.any() and answers.shape[1] == len(competition.submission.answer_columns):
            named = [f"{name} ({total:.6g})" for name, total in zip(_names(rows, competition)(off[:, None]), sums[off], strict=True)]
            yield Problem(
                "error", f"{_rows(off[:, None])} probabilities that do not sum to 1 within {ROW_SUM_TOLERANCE:g}", examples(named)
            )


def _number(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _numbers(answers, rows, competition)
    values, truth = values_of(answers), competition.truth[:, places_of(answers.columns, competition)]
    for name, given, trained in zip(answers.columns, values.T[..., None], truth.T, strict=True):
        lowest, highest = float(trained.min()), float(trained.max())
        slack = 1e-6 * max(abs(lowest), abs(highest))  # truth is float32
        outside = np.isfinite(given) & ((given < lowest - slack) | (given > highest + slack))
        if outside.any():
            of = f" of {name!r}" if len(answers.columns) > 1 else ""
            span = f"[{lowest:g}, {highest:g}], where all training rows lie"
            named = examples(_names(rows, competition)(outside))
            yield Problem("warning", f"{_rows(outside)} a number{of} outside {span}; some graders refuse it", named)


def _label(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _words(answers, rows, competition, lambda cell: [cell])


def _labels(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    split = split_of(competition)
    yield from _words(answers, rows, competition, split)
    cells = answers.to_numpy(dtype=object)
    twice = np.array([[len(set(split(cell))) < len(split(cell)) for cell in row] for row in cells], dtype=bool).reshape(cells.shape)
    if twice.any():
        yield Problem("warning", f"{_rows(twice)} the same label twice", examples(cells[twice]))
    if len(cells) and all(_is_number(cell) for cell in cells.ravel()):
        yield Problem("warning", "every row holds a single number, and some graders expect text", examples(cells.ravel()))


def _ranked(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    split = split_of(competition)
    yield from _words(answers, rows, competition, split)
    lists = [[name for cell in row for name in split(cell)] for row in answers.to_numpy(dtype=object)]  # a name a column is one, too
    cells = np.array([[" ".join(names)] for names in lists], dtype=object).reshape(len(answers), 1)
    named = np.array([[len(names)] for names in lists], dtype=int).reshape(cells.shape)
    distinct = np.array([[len(set(names))] for names in lists], dtype=int).reshape(cells.shape)
    places = competition.submission.places
    if (named > places).any():
        yield Problem("error", f"{_rows(named > places)} more than {places} labels", examples(cells[named > places]))
    if (distinct < named).any():
        yield Problem("error", f"{_rows(distinct < named)} the same label twice", examples(cells[distinct < named]))
    few = (named > 0) & (named < min(places, len(competition.task.classes)))
    if few.any():
        yield Problem("warning", f"{_rows(few)} fewer than {places} labels: a further guess costs nothing", examples(cells[few]))


def _words(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition, split: Callable[[str], list[str]]) -> Iterator[Problem]:
    classes = set(competition.task.classes)
    cells = answers.to_numpy(dtype=object)
    # a class may well be called "none"
    empty = np.array([[cell.strip().lower() in MISSING and cell not in classes for cell in row] for row in cells], dtype=bool).reshape(
        cells.shape
    )
    if competition.submission.answer == "ranked":  # a list in several columns may be shorter than they are, where classes are fewer
        empty &= (cells != "") | empty.all(axis=1, keepdims=True)
    if empty.any() and not competition.may_be_empty:
        yield Problem("error", f"{_rows(empty)} no label", examples(_names(rows, competition)(empty)))
    unknown = sorted({word for cell in cells[~empty] for word in split(cell)} - classes)
    if unknown:
        floats = any(word.endswith(".0") and word[:-2] in classes for word in unknown)
        hint = "; write integers without .0" if floats else ""
        among = f"the {len(classes):,} classes ({examples(competition.task.classes)}{hint})"
        yield Problem("error", f"{many(unknown, 'label is', 'labels are')} none of {among}", examples(unknown))


def _other_columns(rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    asked = competition.submission
    if asked.id_column not in rows.columns or not rows[asked.id_column].equals(
        asked.rows[asked.id_column].astype("str").reset_index(drop=True)
    ):
        return
    for column in asked.rows.columns:
        if column in rows.columns and column not in (asked.id_column, *asked.answer_columns):
            changed = rows[column].to_numpy() != asked.rows[column].to_numpy()
            if changed.any():
                named = _names(rows, competition)(changed[:, None])
                differ = many(named, "row differs", "rows differ")
                yield Problem("warning", f"column {column!r} is no answer, but {differ} from the sample", examples(named))


def _names(rows: pd.DataFrame, competition: Competition) -> Callable[[np.ndarray], list[str]]:
    """A function from faulty cells to how their rows are called: by id, or by number where the file has no ids."""
    column = competition.submission.id_column
    names = rows[column].tolist() if column in rows.columns else [f"row {place + 2}" for place in range(len(rows))]
    return lambda faulty: [names[place] for place in np.flatnonzero(faulty.any(axis=1))]


def _rows(faulty: np.ndarray) -> str:
    return many(np.flatnonzero(faulty.any(axis=1)), "row has", "rows have")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


SPELLINGS: dict[str, Callable[[str], str]] = {
    "the file extension": lambda name: re.sub(r"\.[A-Za-z]\w{1,4}$", "", name),
    "leading zeros": lambda name: name.lstrip("0"),
    "the folder": lambda name: name.rpartition("/")[2],
    "upper and lower case": str.lower,
    "spaces": str.strip,
    "a decimal point": lambda name: name.removesuffix(".0"),
}

CHECKS: dict[Answer, Callable[[pd.DataFrame, pd.DataFrame, Competition], Iterable[Problem]]] = {
    "probability": _probability,
    "probabilities": _probabilities,
    "label": _label,
    "labels": _labels,
    "ranked": _ranked,
    "number": _number,
}
