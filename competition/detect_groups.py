"""Which training rows belong together (one patient, one plant), so that folds can keep them together."""

from collections.abc import Sequence

import pandas as pd

from competition.contest import Reason
from competition.image_index import words

GROUP_WORDS = frozenset(["patient", "subject", "person", "individual", "case", "study", "series", "session", "group"])
FEWEST_GROUPS = 10


def find_groups(train: pd.DataFrame, targets: Sequence[str]) -> tuple[pd.Series | None, Reason | None]:
    """A column called after whom or what several images show, row by row with train; None where there is none."""
    for name in train.columns:
        if name in ("id", "image", *targets) or GROUP_WORDS.isdisjoint(words(name)):
            continue
        if FEWEST_GROUPS <= train[name].nunique() < len(train):
            why = f"its name, and {train[name].nunique():,} values in {len(train):,} rows"
            return train[name].rename("group"), Reason("groups", name, why, sure=False)
    return None, None
