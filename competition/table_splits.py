"""Tables that hold training and test rows together, told apart by a column: split, Usage, "data set", is_train.

birds.csv  ->  birds.csv (rows of train and val)  and  birds.csv#test
"""

import pandas as pd

from competition.image_index import role_of, words

MOST_VALUES = 8
TEST_ROWS = "#test"


def split_rows(frame: pd.DataFrame) -> tuple[str, pd.Series] | None:
    """The column that tells training rows from test rows, and for each row whether it is a test row; None where no column does."""
    for name in frame.columns:
        first = frame[name].iloc[0].strip() if len(frame) else ""
        if not name or not (role_of(first) or first in ("0", "1")):
            continue
        values = frame[name].str.strip()
        distinct = values.unique()
        if len(distinct) > MOST_VALUES:
            continue
        if set(distinct) == {"0", "1"}:
            said = set(words(name))
            if said >= {"is", "test"}:
                return name, values == "1"
            if said >= {"is", "train"} or said >= {"is", "training"} or said >= {"train", "test"}:
                return name, values == "0"
            continue
        roles = {value: role_of(value) for value in distinct}
        if None not in roles.values() and {"train", "test"} <= set(roles.values()):
            return name, values.map(lambda value, roles=roles: roles[value] == "test").astype(bool)
    return None
