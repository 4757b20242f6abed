"""Columns beside the images (sex, age, site): which a competition has, and which of them a run takes."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from competition.config import Config
from competition.errors import CompetitionError, choose

ColumnKind = Literal["number", "yes/no", "category"]


@dataclass(frozen=True)
class Tabular:
    """The columns that training and test rows both have.

    train, test: the cells as text, row by row with Competition.train and .test, "" where one is missing; kinds: what each column holds.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    kinds: dict[str, ColumnKind]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    def only(self, names: tuple[str, ...]) -> "Tabular":
        """Those columns alone, in this order."""
        return Tabular(self.train[list(names)], self.test[list(names)], {name: self.kinds[name] for name in names})


def chosen(tabular: Tabular | None, config: Config) -> Tabular | None:
    """What --data.columns asks for: all but what folds are cut by, none, or those that it names. None: images alone.

    Raises: CompetitionError for a name that is no such column.
    """
    asked = config.data.columns
    if asked == ("none",) or (asked == ("auto",) and tabular is None):
        return None
    if tabular is None:
        raise CompetitionError(
            f"--data.columns {' '.join(asked)}: there are no columns that training and test rows both have; "
            "python -m competition inspect tells what was left out"
        )
    cut_by = (config.folds.groups, config.folds.column)
    names = tuple(name for name in tabular.names if name not in cut_by) if asked == ("auto",) else asked
    for name in names:
        choose("column beside the images", name, tabular.names)
    return tabular.only(names) if names else None
