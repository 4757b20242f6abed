"""What a row's answer is: a class, several classes, a number; and how it becomes numbers and back.

Legend: N rows, K columns of a table (classes, or numbers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from competition.errors import CompetitionError, examples

Kind = Literal["binary", "multiclass", "ordinal", "multilabel", "regression"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ONE_OF_MANY: tuple[Kind, ...] = ("binary", "multiclass", "ordinal")


@dataclass(frozen=True)
class Task:
    """What is predicted. `classes` are the names of a table's columns, in their order, as text.

    binary       two classes; a table has both columns, and they sum to 1; the second is the positive one
    multiclass   K classes of which one holds; rows of a table sum to 1
    ordinal      as multiclass, and the classes go from the lowest to the highest (grades of a disease)
    multilabel   K classes of which any number holds; each column is a probability of its own
    regression   K numbers, most often one; `classes` are the names of the target columns
    """

    kind: Kind
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes):
            raise CompetitionError(f"class names repeat: {examples(c for c in self.classes if self.classes.count(c) > 1)}")
        if self.kind == "binary" and len(self.classes) != 2:
            raise CompetitionError(f"a binary task has two classes, not {len(self.classes)}: {examples(self.classes)}")
        if self.kind in ("multiclass", "ordinal") and len(self.classes) < 2:
            raise CompetitionError(f"one class only ({examples(self.classes)}): there is nothing to tell apart")
        if not self.classes:
            raise CompetitionError(f"a {self.kind} task needs a column to predict")

    @property
    def one_of_many(self) -> bool:
        """Whether exactly one class holds, so that a row of a table sums to 1."""
        return self.kind in ONE_OF_MANY

    def encode(self, labels: Sequence[object]) -> np.ndarray:
        """Truth as float32 N x K: one-hot, multi-hot (from lists of names), or the numbers themselves (from lists, where K > 1).

        Raises: CompetitionError for a label that is none of the classes, or a value that is no number.
        """
        if self.kind == "regression":
            return np.concatenate([_numbers(name, column) for name, column in self._columns(labels)], axis=1)
        code_of = {name: code for code, name in enumerate(self.classes)}
        if self.kind == "multilabel":
            pairs = [(row, str(name)) for row, names in enumerate(labels) for name in names]  # type: ignore[attr-defined]
        else:
            pairs = [(row, str(name)) for row, name in enumerate(labels)]
        unknown = sorted({name for _, name in pairs} - set(code_of))
        if unknown:
            raise CompetitionError(f"{len(unknown)} labels are none of the {len(self.classes)} classes: {examples(unknown)}")
        truth = np.zeros((len(labels), len(self.classes)), dtype=np.float32)
        truth[[row for row, _ in pairs], [code_of[name] for _, name in pairs]] = 1
        return truth

    def strata(self, truth: np.ndarray) -> np.ndarray:
        """One int64 a row for the splitter to balance: the class, the combination of labels, the decile of the number(s)."""
        if self.one_of_many:
            return truth.argmax(axis=1)
        if self.kind == "multilabel":
            return np.unique(truth > 0.5, axis=0, return_inverse=True)[1].astype(np.int64).reshape(-1)
        spread = truth.std(axis=0)
        level = (truth / np.where(spread > 0, spread, 1)).mean(axis=1)  # of several numbers, their mean in units of their spread
        edges = np.unique(np.quantile(level, np.linspace(0, 1, 11)[1:-1]))
        return np.searchsorted(edges, level, side="right").astype(np.int64)

    def _columns(self, labels: Sequence[object]) -> list[tuple[str, list[object]]]:
        """Target by target, the values of all rows."""
        if len(self.classes) == 1:
            return [(self.classes[0], list(labels))]
        return [(name, [row[place] for row in labels]) for place, name in enumerate(self.classes)]  # type: ignore[index]


def _numbers(name: str, values: Sequence[object]) -> np.ndarray:
    """float32 N x 1."""
    try:
        numbers = np.asarray([float(str(value)) for value in values], dtype=np.float32)
    except ValueError as error:
        raise CompetitionError(f"column {name!r} should hold numbers: {error}") from None
    if not np.isfinite(numbers).all():
        raise CompetitionError(f"column {name!r} has {int((~np.isfinite(numbers)).sum())} values that are missing or infinite")
    return numbers[:, None]
