"""Competition: the frozen value that the other rooms receive, whole or a part of it."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from competition.config import CompetitionConfig
from competition.images import ImageSource
from competition.tabular import Tabular
from competition.task import Task

Answer = Literal["probability", "probabilities", "label", "labels", "ranked", "number"]


@dataclass(frozen=True)
class Reason:
    """Why something about the competition was taken to be so."""

    what: str  # "metric"
    value: str  # "roc_auc"
    why: str  # "two classes and one column of numbers"
    sure: bool = True  # False: a doubtful guess, shown as such


@dataclass(frozen=True)
class SubmissionFormat:
    """What a submission file looks like.

    answer: probability      of the positive class, in one column (binary)
            probabilities    one column a class (all but regression), columns named as classes
            label            the class's name as the train table writes it, in one column
            labels           names separated by spaces, in one column (multilabel)
            ranked           the `places` likeliest names separated by spaces, best first, in one column, or in a column each (multiclass)
            number           in one column, or in one for each target (regression)
    rows: one a submission row, in the sample's order with its repeats. First column is the id, the rest as in the sample,
          all as text, exactly as the file spells them (leading zeros kept).
    answer_columns: the columns that are filled in; a subset of the classes for `probabilities`.
    """

    answer: Answer
    rows: pd.DataFrame
    id_column: str
    answer_columns: tuple[str, ...]
    places: int = 5  # names a row, for `ranked`
    separator: str = " "  # of names in one cell, for `labels` and `ranked`
    file: str | None = None  # the sample's path in the competition, None where there was none


@dataclass(frozen=True)
class Competition:
    """A competition as it was understood.

    train: columns `id` (text, unique) and `image` (a key of `images`), then the label table's other columns, in its order.
    truth: float32 N x K, row by row with `train`, as `Task.encode` gives it.
    test:  columns `id` (text, unique, spelled as the submission spells it) and `image`.
    test_truth: as `truth` for `test`, where the test folder carries labels itself; shown, never trained on.
    groups: row by row with `train`; rows of one value show the same patient or thing and belong into one fold. None: nothing says so.
    tabular: the columns that training and test rows both have; None: there are none of use.
    settled: the question with every guess written out; asking it gives the same competition.
    """

    name: str
    source: str
    train: pd.DataFrame
    truth: np.ndarray
    test: pd.DataFrame
    images: ImageSource
    task: Task
    metric: str
    submission: SubmissionFormat
    reasons: tuple[Reason, ...] = ()
    groups: pd.Series | None = None
    test_truth: np.ndarray | None = None
    tabular: Tabular | None = None
    notes: tuple[str, ...] = field(default=())
    settled: CompetitionConfig | None = None

    @property
    def may_be_empty(self) -> bool:
        """Whether an answer may be no label at all: some training rows have none."""
        return self.task.kind == "multilabel" and bool((self.truth.sum(axis=1) == 0).any())
