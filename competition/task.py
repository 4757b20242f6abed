"""What a row's answer is: a class, several classes, a number; and how it becomes numbers and back.

Legend: N rows, K columns of a table (classes, or 1 for a number).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from competition.errors import CompetitionError, examples

Kind = Literal["binary", "multiclass", "multilabel", "regression"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Task:
    """What is predicted. `classes` are the names of a table's columns, in their order, as text.

    binary       two classes; a table has both columns, and they sum to 1; the second is the positive one
    multiclass   K classes of which one holds; rows of a table sum to 1
    multilabel   K classes of which any number holds; each column is a probability of its own
    regression   one number; `classes` is the name of the target column
    """

    kind: Kind
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes):
            raise CompetitionError(f"class names repeat: {examples(c for c in self.classes if self.classes.count(c) > 1)}")
        if self.kind == "binary" and len(self.classes) != 2:
            raise CompetitionError(f"a binary task has two classes, not {len(self.classes)}: {examples(self.classes)}")
        if self.kind == "multiclass" and len(self.classes) < 2:
            raise CompetitionError(f"one class only ({examples(self.classes)}): there is nothing to tell apart")
        if self.kind == "regression" and len(self.classes) != 1:
            raise CompetitionError(f"a regression has one target, not {len(self.classes)}: {examples(self.classes)}")

    @property
    def one_of_many(self) -> bool:
        """Whether exactly one class holds, so that a row of a table sums to 1."""
        return self.kind in ("binary", "multiclass")

    def encode(self, labels: Sequence[object]) -> np.ndarray:
        """Truth as float32 N x K: one-hot, multi-hot (from lists of names), or the number itself (N x 1).

        Raises: CompetitionError for a label that is none of the classes, or a value that is no number.
        """
        if self.kind == "regression":
            try:
                values = np.asarray([float(str(label)) for label in labels], dtype=np.float32)
            except ValueError as error:
                raise CompetitionError(f"column {self.classes[0]!r} should hold numbers: {error}") from None
            if not np.isfinite(values).all():
                raise CompetitionError(
                    f"column {self.classes[0]!r} has {int((~np.isfinite(values)).sum())} values that are missing or infinite"
                )
            return values[:, None]
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
        """One int64 a row for the splitter to balance: the class, the combination of labels, the decile of the number."""
        if self.one_of_many:
            return truth.argmax(axis=1)
        if self.kind == "multilabel":
            return np.unique(truth > 0.5, axis=0, return_inverse=True)[1].astype(np.int64).reshape(-1)
        edges = np.unique(np.quantile(truth[:, 0], np.linspace(0, 1, 11)[1:-1]))
        return np.searchsorted(edges, truth[:, 0], side="right").astype(np.int64)
