"""One thing that is wrong with a submission, and the words that checks share."""

from collections.abc import Callable, Collection, Sized
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from competition.contest import Competition


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file. error: a grader would refuse it; warning: it is allowed and looks like a mistake."""

    severity: Literal["error", "warning"]
    what: str
    examples: str = ""  # at most three, quoted, and how many more there are

    def __str__(self) -> str:
        return f"{self.what}: {self.examples}" if self.examples else self.what


def split_of(competition: Competition) -> Callable[[str], list[str]]:
    """What takes a cell apart into names; where each name of a ranking has a column of its own, a cell is one."""
    asked = competition.submission
    if asked.answer == "ranked" and len(asked.answer_columns) > 1:
        return lambda cell: [cell] if cell else []
    separator = asked.separator
    return lambda cell: [name.strip() for name in cell.split(None if separator == " " else separator) if name.strip()]


def places_of(columns: Collection[str], competition: Competition) -> list[int]:
    """Which class each answer column of numbers is of; a single one is of the first, whatever it is called."""
    classes = competition.task.classes
    return [classes.index(name) for name in columns] if len(competition.submission.answer_columns) > 1 else [0] * len(columns)


def values_of(answers: pd.DataFrame) -> np.ndarray:
    """float64 R x columns; nan for what is no number."""
    numbers = answers.apply(pd.to_numeric, errors="coerce")
    return numbers.to_numpy(dtype=np.float64)


def many(items: Sized, one: str, more: str) -> str:
    """How many there are, and `one` or `more` after it."""
    return f"{len(items):,} {one if len(items) == 1 else more}"
