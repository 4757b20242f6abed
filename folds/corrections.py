"""Training labels that a csv corrects: rows are dropped, relabelled or softened. What is held out is scored on the labels as they were
given, and the folds stay as they were.

Legend: N training rows, K columns.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from competition.contest import Competition, Reason
from competition.errors import CompetitionError, examples
from folds.errors import FoldError

DOES = ("drop", "relabel", "soften")
SOFT = 0.5  # what a softened row keeps of its own label


def corrected(contest: Competition, path: str) -> tuple[np.ndarray, np.ndarray, list[Reason]]:
    """float32 N x K that is trained on, bool N: the rows that are trained on, and why; as they are for an empty path.

    path: a csv of id, do (drop, relabel, soften; empty: nothing) and label (the other one; of several, separated by |).

    Raises: FoldError where the file cannot be read, or a row of it does not fit.
    """
    truth, kept = contest.truth.copy(), np.ones(len(contest.train), dtype=bool)
    if not path:
        return truth, kept, []
    where = f"--data.corrections {path}"
    table = _read(path, where)
    table = table[table["do"] != ""]
    if wrong := sorted(set(table["do"]) - set(DOES)):
        raise FoldError(f"{where}: column do says {examples(wrong)}; it may say {', '.join(DOES)}, or nothing")
    if repeated := table["id"][table["id"].duplicated()].tolist():
        raise FoldError(f"{where}: ids repeat: {examples(repeated)}")
    place_of = pd.Series(np.arange(len(kept)), index=contest.train["id"])
    if unknown := table["id"][~table["id"].isin(place_of.index)].tolist():
        raise FoldError(f"{where}: {len(unknown):,} ids are no training rows: {examples(unknown)}")
    places = place_of.loc[table["id"]].to_numpy()
    drop = (table["do"] == "drop").to_numpy()
    kept[places[drop]] = False
    others = table[~drop]
    if len(others):
        several = contest.task.kind == "multilabel" or (contest.task.kind == "regression" and len(contest.task.classes) > 1)
        try:
            told = contest.task.encode([_parts(label) if several else label for label in others["label"]])
        except CompetitionError as error:
            raise FoldError(f"{where}: {error}") from None
        own = np.where(others["do"] == "soften", SOFT, 0.0)[:, None]
        truth[places[~drop]] = own * truth[places[~drop]] + (1 - own) * told
    counts = [f"{int((table['do'] == do).sum()):,} {word}" for do, word in zip(DOES, ("dropped", "relabelled", "softened"), strict=True)]
    why = "for training alone: folds and what is held out are as they were"
    return truth, kept, [Reason("labels", ", ".join(counts), why)]


def _parts(label: str) -> list[str]:
    return [part.strip() for part in label.split("|") if part.strip()]


def _read(path: str, where: str) -> pd.DataFrame:
    if not Path(path).is_file():
        raise FoldError(f"{where}: there is no such file")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FoldError(f"{where}: cannot be read ({error})") from None
    if missing := [name for name in ("id", "do", "label") if name not in table.columns]:
        raise FoldError(f"{where}: needs the columns id, do and label, {examples(missing)} is missing")
    return table
