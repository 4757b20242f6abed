"""Which training rows belong together (one patient, one camera), so that folds can keep them together."""

from collections.abc import Sequence

import pandas as pd

from competition.contest import Reason
from competition.errors import examples
from competition.names import words

GROUP_WORDS = frozenset(
    [
        "patient",
        "subject",
        "person",
        "individual",
        "animal",
        "driver",
        "donor",
        "user",
        "case",
        "study",
        "series",
        "session",
        "group",
        "location",
        "sequence",
        "seq",
        "scene",
        "video",
        "clip",
        "camera",
        "slide",
        "specimen",
        "experiment",
        "lesion",
        "farm",
        "hospital",
        "clinic",
        "institution",
        "recording",
        "deployment",
        "flight",
    ]
)
WITH_ID_WORDS = frozenset(["site", "plot", "field", "batch", "family"])  # of whom or what only with "id" beside: a body has sites too,
ALONE_WORDS = WITH_ID_WORDS - {"family"}  # or where the name says nothing else; a species has a family
MEASURE_WORDS = frozenset(  # what is told about them: Patient Age, seq_num_frames
    [
        "age",
        "sex",
        "gender",
        "weight",
        "height",
        "size",
        "num",
        "number",
        "count",
        "total",
        "frames",
        "frame",
        "width",
        "length",
        "date",
        "time",
        "year",
        "type",
        "name",
        "position",
        "order",
    ]
)
FEWEST_GROUPS = 10
LARGEST_SHARE = 0.5  # of the rows in one group: with more, no fold could hold it out


def find_groups(train: pd.DataFrame, targets: Sequence[str]) -> tuple[pd.Series | None, Reason | None]:
    """A column called after whom or what several images show, row by row with train; None where there is none.

    Of several, the one with the fewest values: its groups are the largest.
    """
    counts: dict[str, int] = {}
    for name in train.columns:
        if name in ("id", "image", *targets) or not called_as_a_group(name):
            continue
        sizes = train[name].value_counts()
        if FEWEST_GROUPS <= len(sizes) < len(train) and sizes.drop("", errors="ignore").max() <= LARGEST_SHARE * len(train):
            counts[name] = len(sizes)
    if not counts:
        return None, None
    name = min(counts, key=lambda name: counts[name])
    why = f"its name, and {counts[name]:,} values in {len(train):,} rows"
    if len(counts) > 1:
        others = [f"{other} ({count:,})" for other, count in counts.items() if other != name]
        why += f"; of several the one with the largest groups, it might be {examples(others)}"
    return as_groups(train[name], train["id"]), Reason("groups", name, why, sure=False)


def as_groups(column: pd.Series, ids: pd.Series) -> pd.Series:
    """The column, in which a row with an empty cell is a group of its own."""
    return column.where(column != "", "only " + ids)


def called_as_a_group(name: str) -> bool:
    """Whether a column is called after whom or what images show."""
    said = set(words(name))
    if not MEASURE_WORDS.isdisjoint(said):
        return False
    return not GROUP_WORDS.isdisjoint(said) or (not WITH_ID_WORDS.isdisjoint(said) and "id" in said) or bool(said and said <= ALONE_WORDS)
