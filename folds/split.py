"""Which fold holds each training row out: a Series[id -> fold], the same for every run with the same settings.

It depends on the ids, never on the order of the rows.

Legend: N rows, K columns of a table.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.atomic import read_array, write_array
from competition.config import FoldsConfig
from competition.contest import Competition, Reason
from competition.errors import choose, examples
from competition.task import Task
from folds.errors import FoldError
from folds.groups import came_after, groups_of, has_groups
from folds.run import FULL
from folds.share_out import share_out

LAYOUT = 3  # raised whenever a scheme would cut the same rows otherwise, so that folds that were kept are left alone


@dataclass(frozen=True)
class Rows:
    """What a scheme cuts, in the order of the ids. groups: int64 N, alike for rows that stay together; values: of the column named."""

    truth: np.ndarray
    task: Task
    count: int
    seed: int
    groups: np.ndarray | None
    values: pd.Series | None


def settle_folds(contest: Competition, config: FoldsConfig, audit: Path | None = None) -> tuple[FoldsConfig, list[Reason]]:
    """The config with nothing left `auto`, and why. audit: where the groups of duplicates stand, where there was an audit.

    Raises: FoldError for a column or file that is not there or does not fit, or that the scheme would not look at.
    """
    if config.column and config.scheme not in BY_COLUMN:
        raise FoldError(
            f"--folds.column {config.column!r} plays no part in scheme {config.scheme}: --folds.scheme column where it says the fold, time "
            f"where folds go along it. Columns of the label table: {examples(_columns(contest), 12) or 'it has no others'}"
        )
    by_audit: list[Reason] = []
    if config.groups == "auto" and audit is not None:
        if not audit.is_file():
            by_audit = [Reason("duplicates", "not looked for", "python -m folds audit finds them, and they stay together from then on")]
        elif has_groups(audit) and (late := came_after(audit, contest)):
            why = (
                f"{late:,} training images came after {audit}: python -m folds audit; until then the competition's own groups stay together"
            )
            by_audit = [Reason("duplicates", "not looked for anew", why, sure=False)]
        elif has_groups(audit):
            config = config.model_copy(update={"groups": str(audit)})
            why = "the groups that the audit found stay together; --folds.groups none if they need not"
            by_audit = [Reason("groups in folds", str(audit), why)]
    groups, reasons = groups_of(contest, config)
    reasons = [*by_audit, *reasons]
    settled = config.model_copy(update={"groups": str(groups.name) if groups is not None else "none"})
    if config.scheme == "column":
        values = _values(contest, config)
        count = int(rank_of(values).max()) + 1
        why = f"{count} values of {config.column!r} are the folds: {examples(sorted(set(values)))}"
        return settled.model_copy(update={"count": count, "groups": "none"}), [Reason("folds", "column", why)]
    if config.scheme in GROUPED:
        return settled, reasons
    if config.scheme != "auto":
        ignored = (
            f"{groups.nunique():,} groups of {groups.name!r} cross the folds, since scheme {config.scheme} was asked for"
            if groups is not None
            else ""
        )
        reasons = [Reason("groups in folds", "none", ignored, sure=False)] if ignored else []
        if config.scheme == "time":
            values = _values(contest, config)
            moments, how = moments_of(values)
            first, last = (values.iloc[int(place)] for place in (moments.argmin(), moments.argmax()))
            reasons.append(Reason("folds", "time", f"fold after fold along {config.column!r}, {how}, from {first} to {last}"))
        return settled.model_copy(update={"groups": "none"}), reasons
    rare = _rare(contest.truth, contest.task, config.count)
    if groups is not None:
        scheme, why = "stratified_group", "rows of one group stay in one fold, and every fold has its share of what they show"
    elif rare:
        scheme, why = (
            "iterative",
            f"{_too_rare(rare, config.count)}. They are dealt out one by one, so a fold may train without some of them",
        )
    elif contest.task.kind == "multilabel":
        scheme, why = "iterative", "every fold has its share of each label"
    else:
        scheme, why = "stratified", "every fold has its share of " + ("each class" if contest.task.one_of_many else "the target's deciles")
    return settled.model_copy(update={"scheme": scheme}), [*reasons, Reason("folds", scheme, why)]


def assign_folds(contest: Competition, config: FoldsConfig, cache: Path | None = None) -> pd.Series:
    """fold_of[id], 0..count-1, in the order of the training rows.

    cache: a directory in which they are kept for the next start, which then does without scikit-learn; it can be deleted at any time.

    Raises: FoldError where there are fewer rows or groups than folds, or, of scheme `stratified`, a class has fewer images than there
    are folds.
    """
    config, _ = settle_folds(contest, config)
    scheme = SCHEMES[choose("fold scheme", config.scheme, SCHEMES)]
    ids = pd.Index(contest.train["id"], name="id")
    if len(ids) < config.count:
        raise FoldError(f"{len(ids)} training rows cannot be cut into {config.count} folds: --folds.count {max(2, len(ids))} at the most")
    order = np.argsort(ids.to_numpy())
    groups = groups_of(contest, config)[0] if config.scheme in GROUPED else None
    if config.scheme in GROUPED and groups is None:
        raise FoldError(
            f"fold scheme {config.scheme!r} needs groups: name a column of the label table or a CSV of id,group by --folds.groups"
        )
    codes = None if groups is None else pd.factorize(groups.to_numpy()[order])[0]
    if codes is not None and codes.max() + 1 < config.count:
        raise FoldError(
            f"{codes.max() + 1} groups cannot be cut into {config.count} folds: --folds.count {max(2, codes.max() + 1)} at the most"
        )
    values = _values(contest, config).iloc[order] if config.scheme in BY_COLUMN else None
    folds = np.empty(len(ids), dtype=np.int64)
    rows = Rows(contest.truth[order], contest.task, config.count, config.seed, codes, values)
    path = None if cache is None else cache / f"folds-{_digest(config.scheme, rows)}.npy"
    kept = None if path is None else read_array(path, folds.shape, np.int64)
    if kept is not None and np.isin(kept, np.arange(config.count)).all():
        folds[order] = kept
    else:
        folds[order] = scheme(rows)
        if path is not None:
            write_array(path, folds[order])
    return pd.Series(folds, index=ids, name="fold")


def _digest(scheme: str, rows: Rows) -> str:
    """Of all that the folds follow from. The ids play their part by the order of the rows alone."""
    told = hashlib.sha256(repr((LAYOUT, version("scikit-learn"), scheme, rows.task, rows.count, rows.seed, rows.truth.shape)).encode())
    told.update(rows.truth.tobytes())
    for part in (rows.groups, rows.values):
        told.update(b"" if part is None else pd.util.hash_array(np.asarray(part)).tobytes())
    return told.hexdigest()[:16]


def asked_folds(asked: str, count: int) -> list[int]:
    """The fold numbers of "0", "0,2" or "all"; FULL alone of "full".

    Raises: FoldError for anything else.
    """
    if asked == "full":
        return [FULL]
    if asked == "all":
        return list(range(count))
    numbers = [part.strip() for part in asked.split(",")]
    wrong = [part for part in numbers if not part.isdecimal() or int(part) >= count]
    if wrong:
        takes = "it takes a number, several (0,2), all or full"
        raise FoldError(f"--fold {asked}: {examples(wrong)} is none of the folds 0 to {count - 1}; {takes}")
    return sorted({int(part) for part in numbers})


def tuning_rows(fold_of: pd.Series, fold: int, kept: np.ndarray) -> np.ndarray:
    """Places of training rows on which what is trained without `fold` may be tuned: those that the next fold holds out.

    So groups stay whole here too. Where there is no third fold, every second one of the other's. kept: bool, a row; which are trained on.
    """
    others = sorted(set(fold_of) - {fold})
    following = next((other for other in others if other > fold), others[0])
    rows = np.flatnonzero((fold_of == following).to_numpy() & kept)
    return rows if len(others) > 1 else rows[::2]


def stratified(rows: Rows) -> np.ndarray:
    """Every fold has the classes (the label combinations, the deciles of a number) in equal shares."""
    if rare := _rare(rows.truth, rows.task, rows.count):
        fewest = min(rare.values())
        fewer = f"Ask for fewer folds (--folds.count {fewest}), or deal" if fewest >= 2 else "Deal"
        raise FoldError(f"{_too_rare(rare, rows.count)}. {fewer} them out as far as they go (--folds.scheme iterative)")
    strata = rows.task.strata(rows.truth)
    return _cut(strata if rows.task.one_of_many else _joined(strata, rows.count), rows)


def iterative(rows: Rows) -> np.ndarray:
    """Every fold has each label, class or decile in equal shares as far as it goes, the rarest first."""
    return share_out(_indicators(rows), np.arange(len(rows.truth)), rows.count, rows.seed)


def stratified_group(rows: Rows) -> np.ndarray:
    """As iterative, with the rows of a group in one fold."""
    return share_out(_indicators(rows), rows.groups, rows.count, rows.seed)  # type: ignore[arg-type]


def group(rows: Rows) -> np.ndarray:
    """Rows of a group in one fold; folds of about as many rows, whatever they show."""
    return share_out(np.zeros((len(rows.truth), 1), dtype=bool), rows.groups, rows.count, rows.seed)  # type: ignore[arg-type]


def time(rows: Rows) -> np.ndarray:
    """Fold after fold along the column's numbers or dates, rows of one moment in one fold: the first holds out the oldest."""
    moments, _ = moments_of(rows.values)  # type: ignore[arg-type]
    different = int(moments.max()) + 1
    if different < rows.count:
        raise FoldError(f"{different} different moments cannot be cut into {rows.count} folds: --folds.count {different} at the most")
    last = np.quantile(moments, np.arange(1, rows.count) / rows.count, method="lower")  # moment of each fold but the last one
    for fold in range(len(last)):  # none is empty, also where many rows are of one moment
        last[fold] = min(max(last[fold], last[fold - 1] + 1 if fold else 0), different - rows.count + fold)
    return np.searchsorted(last, moments, side="left")


def column(rows: Rows) -> np.ndarray:
    """The column's values, in their order, are the folds."""
    return rank_of(rows.values)  # type: ignore[arg-type]


def plain(rows: Rows) -> np.ndarray:
    """Shuffled only."""
    from sklearn.model_selection import KFold

    return _fold_numbers(KFold(rows.count, shuffle=True, random_state=rows.seed).split(rows.truth), len(rows.truth))


def rank_of(values: pd.Series) -> np.ndarray:
    """int64 N: the place of each value among the different ones, by number where all are numbers, else by letter."""
    numbers = pd.to_numeric(values, errors="coerce")
    return _places(values if numbers.isna().any() else numbers)


def moments_of(values: pd.Series) -> tuple[np.ndarray, str]:
    """int64 N: the place of each moment among the different ones; and how they were read: as dates, else as `rank_of` does.

    Raises: FoldError for dates that are not all written in one way, or that may be read in several ways.
    """
    if pd.to_numeric(values, errors="coerce").notna().all():
        return rank_of(values), "by number"
    parts = values.str.extract(DATE)
    dated = parts[0].notna()
    if not dated.any():
        named = pd.to_datetime(values.where(values.str.contains("[A-Za-z]")), errors="coerce", format="mixed", utc=True)  # 2 March 2021
        return (rank_of(values), "by letter") if named.isna().any() else (_places(named), "as dates")
    readings = {name: _places(dates) for name, order in DATE_ORDERS.items() if (dates := _dates(parts, order)).notna().all()}
    remedy = "write them as 2021-03-14, or 2021-03-14 15:09, in all rows"
    if not readings:
        different = examples(values[~dated]) if not dated.all() else examples(values.drop_duplicates())
        raise FoldError(
            f"the dates of the column that folds follow are not all written in one way, or not all are dates: {different}; {remedy}"
        )
    (one, places), *others = readings.items()
    for other, differing in others:
        if (moved := places != differing).any():
            raise FoldError(f"the dates of the column that folds follow may be read {one} or {other}: {examples(values[moved])}; {remedy}")
    return places, f"as dates, {one}"


def _dates(parts: pd.DataFrame, order: tuple[int, int, int]) -> pd.Series:
    """The moments of cells that are taken apart, in UTC; NaT where one is no date. order: the places of year, month and day."""
    year, month, day = (parts[place] for place in order)
    form = "%Y-%m-%d" if (year.str.len() == 4).all() else "%y-%m-%d"
    days = pd.to_datetime(year + "-" + month + "-" + day, format=form, errors="coerce")
    return pd.to_datetime(days.dt.strftime("%Y-%m-%d") + parts[3].fillna(""), format="mixed", errors="coerce", utc=True)


def _places(values: pd.Series) -> np.ndarray:
    return np.unique(values.to_numpy(), return_inverse=True)[1].astype(np.int64)


def _columns(contest: Competition) -> list[str]:
    """Of the label table, those beside ids and images."""
    return [name for name in contest.train.columns if name not in ("id", "image")]


def _values(contest: Competition, config: FoldsConfig) -> pd.Series:
    there = _columns(contest)
    if config.column not in there:
        raise FoldError(
            f"fold scheme {config.scheme!r} needs a column of the label table (--folds.column): {examples(there, 12) or 'it has no others'}"
        )
    values = contest.train[config.column].astype(str).str.strip()
    if (values == "").any():
        raise FoldError(f"column {config.column!r} is empty in {int((values == '').sum()):,} rows, which then have no place in any fold")
    if rank_of(values).max() < 1:
        raise FoldError(f"column {config.column!r} holds {examples(set(values))} only: two folds are the least")
    return values


def _indicators(rows: Rows) -> np.ndarray:
    """bool N x L: what each row should be shared out for: its labels, or its class or decile as one of L."""
    if rows.task.kind == "multilabel":
        return rows.truth > 0.5
    strata = rows.task.strata(rows.truth)
    return strata[:, None] == np.unique(strata)


def _cut(strata: np.ndarray, rows: Rows) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    return _fold_numbers(StratifiedKFold(rows.count, shuffle=True, random_state=rows.seed).split(strata, strata), len(strata))


def _rare(truth: np.ndarray, task: Task, least: int) -> dict[str, int]:
    """Classes of a one-of-many task with fewer than `least` images, and how many they have."""
    if not task.one_of_many:
        return {}
    counts = truth.sum(axis=0).astype(int).tolist()
    return {name: count for name, count in zip(task.classes, counts, strict=True) if 0 < count < least}


def _too_rare(rare: dict[str, int], folds: int) -> str:
    named = examples(f"{name} ({count})" for name, count in rare.items())
    return f"{len(rare)} classes have fewer images than the {folds} folds: {named}"


def _joined(strata: np.ndarray, least: int) -> np.ndarray:
    """The strata, with all that have fewer than `least` rows made one, or added to the largest where they are too few even together."""
    codes, inverse, counts = np.unique(strata, return_inverse=True, return_counts=True)
    rare = counts[inverse] < least
    return np.where(rare, -1 if rare.sum() >= least else codes[counts.argmax()], codes[inverse])


def _fold_numbers(splits: Any, count: int) -> np.ndarray:
    folds = np.empty(count, dtype=np.int64)
    for number, (_, held) in enumerate(splits):
        folds[held] = number
    return folds


GROUPED = frozenset(["group", "stratified_group"])
BY_COLUMN = frozenset(["time", "column"])
DATE = r"^(\d{4}|\d{1,2})[/. -](\d{1,2})[/. -](\d{4}|\d{1,2})(\D.*)?$"  # three numbers, and perhaps the time of day
DATE_ORDERS = {"year first": (0, 1, 2), "day first": (2, 1, 0), "month first": (2, 0, 1)}  # the places of year, month and day
SCHEMES: dict[str, Callable[[Rows], np.ndarray]] = {
    "stratified": stratified,
    "iterative": iterative,
    "stratified_group": stratified_group,
    "group": group,
    "time": time,
    "column": column,
    "plain": plain,
}
