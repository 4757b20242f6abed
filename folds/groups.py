"""Which training rows stay together in one fold: what detection found, a column, or a file of id,group."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from competition.config import FoldsConfig
from competition.contest import Competition, Reason
from competition.detect_groups import as_groups
from competition.errors import examples
from folds.errors import FoldError
from folds.kept import read_rows


def audited(runs: Path, contest: Competition) -> Path:
    """Where the audit's groups of this competition stand, or would stand."""
    return runs / contest.name / "audit" / "duplicates.csv"


def has_groups(path: Path) -> bool:
    """Whether an audit found any."""
    return len(read_audit(path)) > 0


def read_audit(path: Path, kinds: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """What an audit wrote: id and group of images that stay together, or what has columns of these kinds.

    Raises: FoldError where it is damaged.
    """
    return read_rows(path, kinds or {"id": str, "group": str}, "delete it; python -m folds audit makes it anew")


def came_after(path: Path, contest: Competition) -> int:
    """How many training images the competition ties to others, while the audit's groups know nothing of them: they came after it."""
    if contest.groups is None:
        return 0
    tied = contest.train["id"][contest.groups.duplicated(keep=False).to_numpy()]
    return int((~tied.isin(read_audit(path)["id"])).sum())


def groups_of(contest: Competition, config: FoldsConfig) -> tuple[pd.Series | None, list[Reason]]:
    """Text row by row with the training rows, alike for rows that belong together, named as `folds.groups` would; and why.

    None where rows stand alone.

    Raises: FoldError for a column or a file that is not there or does not fit.
    """
    asked = config.groups
    if asked == "none":
        return None, []
    if asked == "auto":
        if contest.groups is None:
            return None, []
        name = str(contest.groups.name)
        why = f"{contest.groups.nunique():,} groups of {len(contest.train):,} rows stay together; --folds.groups none if they need not"
        return contest.groups, [Reason("groups in folds", name, why, sure=False)]
    if Path(asked).suffix == ".csv":
        return _from_file(contest, asked), []
    there = [name for name in contest.train.columns if name not in ("id", "image")]
    if asked not in there:
        raise FoldError(f"--folds.groups {asked}: the label table has no such column ({examples(there, 12) or 'it has no others'})")
    return as_groups(contest.train[asked], contest.train["id"]), []


def _from_file(contest: Competition, asked: str) -> pd.Series:
    try:
        table = pd.read_csv(asked, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FoldError(f"--folds.groups {asked}: cannot be read ({error})") from None
    if not {"id", "group"} <= set(table.columns):
        raise FoldError(f"--folds.groups {asked}: needs the columns id and group, it has {examples(table.columns)}")
    group_of = table.drop_duplicates("id").set_index("id")["group"]
    ids = contest.train["id"]
    if not ids.isin(group_of.index).any():
        raise FoldError(f"--folds.groups {asked}: none of its ids ({examples(group_of.index)}) is a training id ({examples(ids)})")
    return as_groups(ids.map(group_of).fillna(""), ids).rename(asked)
