"""Tables that hold training and test rows together, told apart by a column: split, Usage, "data set", is_train.

birds.csv  ->  birds.csv (rows of train and val)  and  birds.csv#test
"""

import pandas as pd

from competition.names import role_of, words

MOST_VALUES = 8
TEST_ROWS = "#test"
TRUTH = {"0": False, "1": True, "false": False, "true": True}


def split_rows(frame: pd.DataFrame) -> tuple[str, pd.Series] | None:
    """The column that tells training rows from test rows, and for each row whether it is a test row; None where no column does."""
    for name in frame.columns:
        first = str(frame[name].iloc[0]).strip() if len(frame) else ""
        if not name or not (role_of(first) or first.lower() in TRUTH):
            continue
        values = frame[name].str.strip()
        distinct = values.unique()
        if len(distinct) > MOST_VALUES:
            continue
        if {TRUTH.get(str(value).lower()) for value in distinct} == {True, False}:
            said, true = set(words(name)), values.map(lambda value: TRUTH[str(value).lower()]).astype(bool)
            if said >= {"is", "test"}:
                return name, true
            if said >= {"is", "train"} or said >= {"is", "training"} or said >= {"train", "test"}:
                return name, ~true
            continue
        roles = {value: role_of(value) for value in distinct}
        if None not in roles.values() and {"train", "test"} <= set(roles.values()):
            return name, values.map(lambda value, roles=roles: roles[value] == "test").astype(bool)
    return None
