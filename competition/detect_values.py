"""What the values of one column of labels are: two classes or more, lists of classes, or numbers."""

import math
import re
from collections.abc import Sequence

from competition.detect_sample import Sample
from competition.metrics import METRICS
from competition.names import words
from competition.task import Kind

SCORE_WORDS = frozenset(  # what is asked about images; the other numbers may be told about them too
    ["age", "score", "price", "weight", "rating", "pawpularity", "mos", "dmos", "amount", "percent", "percentage", "biomass", "yield"]
)
NUMBER_WORDS = SCORE_WORDS | {"count", "height", "number", "value", "length", "width", "area"}
GRADE_WORDS = frozenset(
    ["grade", "grading", "isup", "gleason", "severity", "stage", "level", "diagnosis", "kl", "birads", "quality", "rank"]
)
MOST_GRADES = 20
ORDINAL_METRIC = "qwk"  # says of whole numbers that they are grades
NEGATIVE = frozenset(["0", "0.0", "false", "no", "n", "none", "negative", "neg", "normal", "healthy", "benign", "absent", "real"])
POSITIVE = frozenset(["1", "1.0", "true", "yes", "y", "positive", "pos", "abnormal", "malignant", "present", "fake"])
SEPARATORS = " +,;|"
WITHIN_NAMES = " ,"  # of these, what may stand between words of one name
JOINING_WORDS = frozenset(["of", "and", "the", "in", "on", "with"])  # "ace of clubs" is one name
MOST_ODD, FEWEST_NUMBERS = 0.05, 3  # of different values; with more, or among fewer, what is no number is a class
DECIMAL_COMMA, THOUSANDS = re.compile(r"-?\d+,\d+"), re.compile(r"-?\d{1,3}(,\d{3})*")
OFTEN_REUSED = 2  # lists of labels reuse few words: at most one word for so many different cells


def kind_of_values(
    distinct: Sequence[str], rows: int, column: str, separator: str | None, sample: Sample | None, metric: str | None = None
) -> tuple[Kind, str, bool]:
    """The kind of task that one column's values make, why, and whether that is sure. metric: the competition's, where it is known."""
    kind, why, sure = _kind_of_values(distinct, rows, column, separator, sample)
    if metric is None or len(distinct) < 3 or any(as_number(value) is None for value in distinct):
        return kind, why, sure
    grades: tuple[Kind, ...] = ("ordinal",) if metric == ORDINAL_METRIC and len(distinct) <= MOST_GRADES else ()
    for other in (*grades, kind, "multiclass", "regression"):
        if other in METRICS[metric].tasks:
            return (kind, why, sure) if other == kind and other not in grades else (other, f"{why}, scored by {metric}", True)
    return kind, why, sure


def _kind_of_values(
    distinct: Sequence[str], rows: int, column: str, separator: str | None, sample: Sample | None
) -> tuple[Kind, str, bool]:
    if separator is not None:
        shown = next((value for value in distinct if separator in value), distinct[0])
        alone = {value for value in distinct if separator not in value}
        numbers = all(as_number(part) is not None for value in distinct for part in split_labels(value, separator))
        sure = separator not in WITHIN_NAMES or bool(alone) or numbers
        return "multilabel", f"cells of {column!r} are lists such as {shown!r}", sure
    if len(distinct) == 2:
        return "binary", f"{column!r} holds {distinct[0]!r} and {distinct[1]!r}", True
    numbers = [as_number(value) for value in distinct]
    if all(number is not None for number in numbers):
        asked = (
            [as_number(value) for value in sample.frame[sample.answer_columns[0]].unique()]
            if sample and len(sample.answer_columns) == 1
            else []
        )
        if any(number is not None and number % 1 for number in numbers):
            return "regression", f"{column!r} holds numbers with a fraction", True
        if any(number is not None and number % 1 for number in asked):
            return "regression", f"the sample submission has fractions for {column!r}", True
        if not NUMBER_WORDS.isdisjoint(words(column)):
            return "regression", f"{column!r} is the name of a number", False
        if sample and len(sample.answer_columns) == 1 and not SCORE_WORDS.isdisjoint(words(sample.answer_columns[0])):
            return "regression", f"the sample submission's {sample.answer_columns[0]!r} is the name of a number", False
        if len(distinct) > rows / 2:
            return "regression", f"{column!r} holds {len(distinct):,} different whole numbers in {rows:,} rows", False
        if not GRADE_WORDS.isdisjoint(words(column)) and consecutive(distinct):
            return "ordinal", f"{column!r} is the name of a grade, and it holds {distinct[0]} to {in_order(distinct)[-1]}", False
        return "multiclass", f"{column!r} holds {len(distinct):,} different whole numbers", len(distinct) <= 30
    return "multiclass", f"{column!r} holds {len(distinct):,} different names", True


def odd_among_numbers(distinct: Sequence[str], rows: int) -> list[str]:
    """The few values that are no numbers among many that are, with fractions or as many as there are rows; empty where there are none."""
    numbers = [number for number in map(as_number, distinct) if number is not None]
    odd = [value for value in distinct if as_number(value) is None]
    measured = any(number % 1 for number in numbers) or len(distinct) * 2 > rows
    return odd if odd and measured and len(odd) <= max(1, MOST_ODD * len(distinct)) and len(numbers) >= FEWEST_NUMBERS else []


def with_comma(distinct: Sequence[str]) -> str | None:
    """A value with a decimal comma, or commas between thousands, where all values look so; None where some do not."""
    for written in (DECIMAL_COMMA, THOUSANDS):
        if all(map(written.fullmatch, distinct)):
            return next((value for value in distinct if "," in value), None)
    return None


def consecutive(names: Sequence[str]) -> bool:
    """Whether 3 to 20 names are all the whole numbers from 0 or 1 on."""
    numbers = sorted(number for number in map(as_number, names) if number is not None)
    return (
        3 <= len(numbers) == len(names) <= MOST_GRADES and numbers[0] in (0, 1) and numbers == [numbers[0] + n for n in range(len(numbers))]
    )


def separator_of(distinct: Sequence[str]) -> str | None:
    """What separates the labels where cells are lists of labels; None where a cell is one label.

    "Common wheat" is one: its words do not come alone or in other cells. So is "red dress" where each cell is a colour and a thing.
    Lists are of numbers, or of words that stand alone too, or reuse few words in many cells.
    """
    if len(distinct) < 3:
        return None
    for separator in SEPARATORS[::-1]:
        lists = [split_labels(value, separator) for value in distinct]
        several = [parts for parts in lists if len(parts) > 1]
        if not several:
            continue
        alone = {parts[0] for parts in lists if len(parts) == 1}
        known = {part for parts in lists for part in parts}
        if separator == " " and not JOINING_WORDS.isdisjoint(known):
            continue
        if all(re.fullmatch(r"-?\d+", part) for part in known):
            return separator
        if separator in WITHIN_NAMES and _each_has_its_place(lists):
            continue
        if len(known) * OFTEN_REUSED <= len(distinct) or (alone and sum(alone.issuperset(parts) for parts in several) * 2 >= len(several)):
            return separator
    return None


def _each_has_its_place(lists: Sequence[Sequence[str]]) -> bool:
    """Whether all lists are of one length, and each word stands at one place in all of them."""
    return len(set(map(len, lists))) == 1 and len({part for parts in lists for part in parts}) == sum(
        len(set(column)) for column in zip(*lists, strict=True)
    )


def split_labels(value: str, separator: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in value.split(separator if separator != " " else None) if part.strip()))


def in_order(names: Sequence[str] | set[str]) -> list[str]:
    """Class names by number where all are numbers, else by letter."""
    by_number = all(as_number(name) is not None for name in names)
    return sorted(names, key=lambda name: (float(name), name) if by_number else (0.0, name))


def positive_last(classes: Sequence[str], answer_column: str) -> list[str]:
    """The two classes with the positive one second: the one that the answer's column is called after, or that says so, else by order."""
    first, second = classes
    named = set(words(answer_column))
    if first.lower() in named and second.lower() not in named:
        return [second, first]
    if (first.lower() in POSITIVE or second.lower() in NEGATIVE) and None in (as_number(first), as_number(second)):
        return [second, first]
    return [first, second]


def as_number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in value else None
