"""What a grader would refuse (errors) or punish (warnings) in a submission, found before a slot is spent on it."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition
from competition.errors import examples
from competition.metrics import METRICS, decide
from submissions.errors import SubmissionError
from submissions.format import csv_text

ROW_SUM_TOLERANCE = 1e-5  # what log loss graders allow
SHARE_TOLERANCE = 0.1  # a class's share may differ by so much between out-of-fold and test ...
STANDARD_ERRORS = 4.0  # ... or by so many standard errors, whichever is more
MEAN_TOLERANCE = 0.5  # the mean of a number may differ by so many of its standard deviations
DISTANCE_TOLERANCE = 0.25  # two distributions of numbers may be so far apart (Kolmogorov-Smirnov) ...
DISTANCE_ERRORS = 2.5  # ... or so many times sqrt(1/n + 1/m), whichever is more
FEWEST_ROWS = 20  # that fewer rows are alike, or shared out otherwise, says nothing
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file. error: a grader would refuse it; warning: it is allowed and looks like a mistake."""

    severity: Literal["error", "warning"]
    what: str
    examples: str = ""  # at most three, quoted, and how many more there are

    def __str__(self) -> str:
        return f"{self.what}: {self.examples}" if self.examples else self.what


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
        problems += _sameness(present, competition)
        if oof is not None:
            problems += _shares(present, competition, oof)
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
            f"the header has {len(header)} columns, but {_many(torn, 'row has', 'rows have')} another number: {examples(torn)}"
        )
    return pd.DataFrame([cells for _, cells in lines[1:]], columns=header, dtype="str")


def _columns(rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    wanted, has = list(competition.submission.rows.columns), list(rows.columns)
    if missing := [column for column in wanted if column not in has]:
        yield Problem("error", f"{_many(missing, 'column of the sample is', 'columns of the sample are')} missing", examples(missing))
    if extra := [column for column in has if column not in wanted]:
        yield Problem("error", f"{_many(extra, 'column is', 'columns are')} not in the sample", examples(extra))
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
        yield Problem("error", f"{_many(missing, 'id of the sample is', 'ids of the sample are')} missing", examples(missing))
    if unknown:
        yield Problem("error", f"{_many(unknown, 'id is', 'ids are')} not in the sample{_spelling(unknown, missing)}", examples(unknown))
    counts, expected = Counter(ids), Counter(wanted)
    if uneven := [f"{name} ({counts[name]}x)" for name in expected if 0 < counts[name] != expected[name]]:
        usual = "once" if max(expected.values()) == 1 else "in the sample"
        yield Problem("error", f"{_many(uneven, 'id stands', 'ids stand')} another number of times than {usual}", examples(uneven))
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
    values = _values(answers)
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
    at, values = _names(rows, competition), _values(answers)
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
        sums = _values(answers).sum(axis=1)
        off = np.abs(sums - 1) > ROW_SUM_TOLERANCE  # False for NaN, which was said already
        if off.any() and answers.shape[1] == len(competition.submission.answer_columns):
            named = [f"{name} ({total:.6g})" for name, total in zip(_names(rows, competition)(off[:, None]), sums[off], strict=True)]
            yield Problem(
                "error", f"{_rows(off[:, None])} probabilities that do not sum to 1 within {ROW_SUM_TOLERANCE:g}", examples(named)
            )


def _number(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _numbers(answers, rows, competition)
    values, lowest, highest = _values(answers), float(competition.truth.min()), float(competition.truth.max())
    slack = 1e-6 * max(abs(lowest), abs(highest))  # truth is float32
    outside = np.isfinite(values) & ((values < lowest - slack) | (values > highest + slack))
    if outside.any():
        span = f"[{lowest:g}, {highest:g}], where all training rows lie"
        yield Problem(
            "warning", f"{_rows(outside)} a number outside {span}; some graders refuse it", examples(_names(rows, competition)(outside))
        )


def _label(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    yield from _words(answers, rows, competition, lambda cell: [cell])


def _labels(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    split = _split(competition)
    yield from _words(answers, rows, competition, split)
    cells = answers.to_numpy(dtype=object)
    twice = np.array([[len(set(split(cell))) < len(split(cell)) for cell in row] for row in cells], dtype=bool).reshape(cells.shape)
    if twice.any():
        yield Problem("warning", f"{_rows(twice)} the same label twice", examples(cells[twice]))
    if len(cells) and all(_is_number(cell) for cell in cells.ravel()):
        yield Problem("warning", "every row holds a single number, and some graders expect text", examples(cells.ravel()))


def _ranked(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    split = _split(competition)
    yield from _words(answers, rows, competition, split)
    separator = competition.submission.separator  # a name a column is one list a row too
    cells = np.array([[separator.join(row)] for row in answers.to_numpy(dtype=object)], dtype=object).reshape(len(answers), 1)
    named = np.array([[len(split(cell)) for cell in row] for row in cells], dtype=int).reshape(cells.shape)
    distinct = np.array([[len(set(split(cell))) for cell in row] for row in cells], dtype=int).reshape(cells.shape)
    places = competition.submission.places
    if (named > places).any():
        yield Problem("error", f"{_rows(named > places)} more than {places} labels", examples(cells[named > places]))
    if (distinct < named).any():
        yield Problem("error", f"{_rows(distinct < named)} the same label twice", examples(cells[distinct < named]))
    few = (named > 0) & (named < min(places, len(competition.task.classes)))
    if few.any():
        yield Problem("warning", f"{_rows(few)} fewer than {places} labels: a further guess costs nothing", examples(cells[few]))


def _split(competition: Competition) -> Callable[[str], list[str]]:
    """What takes a cell apart into names."""
    separator = competition.submission.separator
    return lambda cell: [name.strip() for name in cell.split(None if separator == " " else separator) if name.strip()]


def _words(answers: pd.DataFrame, rows: pd.DataFrame, competition: Competition, split: Callable[[str], list[str]]) -> Iterator[Problem]:
    classes = set(competition.task.classes)
    cells = answers.to_numpy(dtype=object)
    # a class may well be called "none"
    empty = np.array([[cell.strip().lower() in MISSING and cell not in classes for cell in row] for row in cells], dtype=bool).reshape(
        cells.shape
    )
    if empty.any() and not competition.may_be_empty:
        yield Problem("error", f"{_rows(empty)} no label", examples(_names(rows, competition)(empty)))
    unknown = sorted({word for cell in cells[~empty] for word in split(cell)} - classes)
    if unknown:
        floats = any(word.endswith(".0") and word[:-2] in classes for word in unknown)
        hint = "; write integers without .0" if floats else ""
        among = f"the {len(classes):,} classes ({examples(competition.task.classes)}{hint})"
        yield Problem("error", f"{_many(unknown, 'label is', 'labels are')} none of {among}", examples(unknown))


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
                differ = _many(named, "row differs", "rows differ")
                yield Problem("warning", f"column {column!r} is no answer, but {differ} from the sample", examples(named))


def _sameness(answers: pd.DataFrame, competition: Competition) -> Iterator[Problem]:
    """What looks as if the network had learned nothing: one answer for all rows, one likeliest class, columns that never change."""
    if len(answers) < FEWEST_ROWS or not len(answers.columns):
        return
    if len(distinct := answers.drop_duplicates()) == 1:
        yield Problem("warning", f"all {len(answers):,} rows have the same answer", examples(distinct.iloc[0]))
        return
    constant = [f"{name} ({values.iloc[0]})" for name, values in answers.items() if values.nunique() == 1]
    if constant and len(answers.columns) > 1:
        yield Problem("warning", f"{_many(constant, 'column has', 'columns have')} the same answer in all rows", examples(constant))
    task, asked = competition.task, competition.submission
    if asked.answer == "probabilities" and task.one_of_many and len(answers.columns) > 1:
        best = _values(answers).argmax(axis=1)
        rows_of = competition.truth.mean(axis=0)[[task.classes.index(name) for name in answers.columns]]
        if (best == best[0]).all() and rows_of[best[0]] < 1 - SHARE_TOLERANCE:
            named = f"{answers.columns[best[0]]} ({rows_of[best[0]]:.0%} of the training rows)"
            yield Problem("warning", f"all {len(answers):,} rows have the same likeliest class", examples([named]))
    if asked.answer == "ranked":
        first = answers.iloc[:, 0].map(lambda cell: (_split(competition)(str(cell)) or [""])[0])
        if first.nunique() == 1:
            yield Problem("warning", f"all {len(answers):,} rows begin with the same class", examples(first.iloc[:1]))


def _shares(answers: pd.DataFrame, competition: Competition, oof: pd.DataFrame) -> Iterator[Problem]:
    """Classes that the submission gives much more or less often than the out-of-fold predictions do; for a number, its mean."""
    task, asked = competition.task, competition.submission
    if min(len(answers), len(oof)) < FEWEST_ROWS:
        return
    predicted = oof[list(task.classes)].to_numpy(dtype=np.float64)
    if asked.answer == "number":
        given = _values(answers)
        spread = max(float(predicted.std()), 1e-12)
        if abs(given.mean() - predicted.mean()) > MEAN_TOLERANCE * spread:
            yield Problem(
                "warning", f"the mean is {given.mean():.4g}, out of fold it is {predicted.mean():.4g} with standard deviation {spread:.4g}"
            )
        elif len(asked.answer_columns) == len(task.classes):
            yield from _distances(given, predicted, task.classes)
        return
    if asked.answer in ("label", "labels", "ranked"):
        names = task.classes
        words = {"label": lambda cell: [cell], "labels": _split(competition), "ranked": lambda cell: cell.split()[:1]}[asked.answer]
        cells = [words(cell) for cell in answers.iloc[:, 0]]
        counts = Counter(word for words in cells for word in set(words))
        given = np.array([counts[name] / len(answers) for name in names])
        expected = decide(predicted, task, at_least_one=True).mean(axis=0)
    else:
        names = task.classes[1:] if asked.answer == "probability" else asked.answer_columns
        given = _values(answers).mean(axis=0)
        expected = predicted[:, [task.classes.index(name) for name in names]].mean(axis=0)
    error = np.sqrt(expected * (1 - expected) * (1 / len(answers) + 1 / len(oof)))
    far = np.flatnonzero(np.abs(given - expected) > np.maximum(SHARE_TOLERANCE, STANDARD_ERRORS * error))
    if len(far):
        named = [f"{names[place]}: {given[place]:.2f}, out of fold {expected[place]:.2f}" for place in far]
        yield Problem("warning", f"{_many(far, 'class has', 'classes have')} another share than out of fold", examples(named))
    elif asked.answer in ("probability", "probabilities"):
        yield from _distances(_values(answers), predicted[:, [task.classes.index(name) for name in names]], tuple(names))


def _distances(given: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> Iterator[Problem]:
    """Columns of numbers that are distributed otherwise than out of fold, though their means agree: too sure, or not sure enough."""
    far = []
    for place, name in enumerate(names):
        one, other = np.sort(given[:, place]), np.sort(predicted[:, place])
        at = np.concatenate([one, other])
        shares = [np.searchsorted(sample, at, side="right") / len(sample) for sample in (one, other)]
        distance = float(np.abs(shares[0] - shares[1]).max())
        if distance > max(DISTANCE_TOLERANCE, DISTANCE_ERRORS * np.sqrt(1 / len(one) + 1 / len(other))):
            middle = [np.quantile(sample, (0.1, 0.9)) for sample in (one, other)]
            far.append(f"{name}: 8 of 10 in [{middle[0][0]:.3g}, {middle[0][1]:.3g}], out of fold [{middle[1][0]:.3g}, {middle[1][1]:.3g}]")
    if far:
        yield Problem("warning", f"{_many(far, 'column is', 'columns are')} spread otherwise than out of fold", examples(far))


def _values(answers: pd.DataFrame) -> np.ndarray:
    """float64 R x columns; nan for what is no number."""
    numbers = answers.apply(pd.to_numeric, errors="coerce")
    return numbers.to_numpy(dtype=np.float64)


def _names(rows: pd.DataFrame, competition: Competition) -> Callable[[np.ndarray], list[str]]:
    """A function from faulty cells to how their rows are called: by id, or by number where the file has no ids."""
    column = competition.submission.id_column
    names = rows[column].tolist() if column in rows.columns else [f"row {place + 2}" for place in range(len(rows))]
    return lambda faulty: [names[place] for place in np.flatnonzero(faulty.any(axis=1))]


def _rows(faulty: np.ndarray) -> str:
    return _many(np.flatnonzero(faulty.any(axis=1)), "row has", "rows have")


def _many(items: Sized, one: str, more: str) -> str:
    return f"{len(items):,} {one if len(items) == 1 else more}"


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
