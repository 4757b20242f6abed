"""What other tables tell about the training images: train_metadata.csv beside train_labels.csv."""

from collections.abc import Sequence

import pandas as pd

from competition.detect_labels import Candidate, Rows
from competition.errors import examples
from competition.names import without_suffix

NAMES_OF_OURS = ("id", "image", "")


def columns_beside(train: Rows, candidates: Sequence[Candidate]) -> tuple[pd.DataFrame, list[str]]:
    """The columns that other tables have for all training rows, row by row; and a note on each such table.

    A table has them where it names each image once, as the training rows do, and is not of the test.
    """
    ids = [without_suffix(identifier) for identifier in train.ids]
    found, notes = pd.DataFrame(index=pd.RangeIndex(len(ids))), []
    for candidate in candidates:
        keys = candidate.frame[candidate.column].str.strip().map(without_suffix)
        if candidate.path == train.where or candidate.role == "test" or not keys.is_unique or not set(ids) <= set(keys):
            continue
        taken = {*NAMES_OF_OURS, *train.frame.columns, *found.columns, candidate.column}
        if names := [name for name in candidate.frame.columns if name not in taken]:
            told = candidate.frame[names].set_axis(keys.tolist(), axis=0).loc[ids]
            found = pd.concat([found, told.reset_index(drop=True)], axis=1)
            notes.append(f"{candidate.path} tells more about the images of {train.where}: {examples(names)}")
    return found, notes
