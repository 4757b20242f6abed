"""The scores of a run on one screen: fold by fold, together, class by class."""

import math

from competition.console import bar, table
from folds.run import Run
from folds.scores import Scores

SHOWN_CLASSES = 30


def show_scores(run: Run, scores: Scores) -> None:
    """Prints each finished fold's score, their mean and spread, and all held-out rows at once."""
    rows = [[f"fold {fold}", f"{score:.5f}"] for fold, score in scores.per_fold.items()]
    spread = "" if math.isnan(scores.std) else f" ± {scores.std:.5f}"
    whole = [
        [f"mean ± std{scores.undefined}", f"{scores.mean:.5f}{spread}"],
        ["pooled [95 %]", f"{scores.pooled:.5f} [{scores.low:.5f}, {scores.high:.5f}]"],
    ]
    whole += [["with decisions, nested", f"{scores.decided:.5f}"]] if scores.decided is not None else []
    table(f"{run.directory}: {len(rows)} of {run.config.folds.count} folds", ["", scores.metric], [*rows, *whole], right=(1,))


def show_classes(scores: Scores) -> None:
    """Prints the classes that are found least."""
    weakest = sorted(scores.per_class.items(), key=lambda item: (math.isnan(item[1].found), item[1].found))[:SHOWN_CLASSES]
    header = [
        f"classes, of {len(scores.per_class)} the least found first",
        "rows",
        "precision",
        "recall",
        "F1",
        "AUC against the rest",
        "found",
    ]
    rows = [
        [name, f"{one.rows:,}", f"{one.precision:.1%}", f"{one.found:.1%}", f"{one.f1:.4f}", f"{one.roc_auc:.4f}", bar(one.found)]
        for name, one in weakest
    ]
    table("class by class", header, rows, right=(1, 2, 3, 4, 5))


def show_measures(measures: dict[str, float]) -> None:
    """Prints the usual measures of all held-out rows; nothing where there are none."""
    if measures:
        rows = [[name, f"{value:.5f}"] for name, value in measures.items()]
        table("all held-out rows (precision, recall and f1_macro: means over classes)", ["", ""], rows, right=(1,))
