"""The score with its interval, fold by fold, and class by class."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from reports.blocks import Block, Column, Facts, Table
from reports.evidence import Evidence
from reports.style import INK, colour, draw

MOST_CLASSES = 400  # rows of the table; of more classes those that are least well told apart


def scores(evidence: Evidence) -> list[Block]:
    """Pooled with its interval, mean ± std, each fold, and a drawing of them."""
    found, count = evidence.scores, evidence.run.config.folds.count
    facts = [(f"pooled {found.metric}", f"{found.pooled:.5f}"), ("95 % interval", f"{found.low:.5f} to {found.high:.5f}")]
    if len(found.per_fold) > 1:
        facts.append((f"mean ± std{found.undefined or ' of the folds'}", f"{found.mean:.5f} ± {found.std:.5f}"))
    if found.decided is not None:
        facts.append(("with decisions, nested", f"{found.decided:.5f}"))
    facts.append(("rows held out", f"{len(evidence.ids):,}"))
    rows = []
    for fold, value in found.per_fold.items():
        done = evidence.done[fold]
        rows.append([fold, int((evidence.folds == fold).sum()), value, done["seconds"], done["weights_kept"], done["finished"][:16]])
    columns = [Column("fold", "d"), Column("rows", ",d"), Column(found.metric, ".5f"), Column("seconds", ",.1f")]
    whole = len(found.per_fold) == count
    note = "" if whole else f"{len(found.per_fold)} of {count} folds are finished; everything on this page is about those."
    table = Table("Fold by fold", [*columns, Column("weights kept"), Column("finished (UTC)")], rows, note)
    return [Facts(facts, large=True), table, *([_per_fold(evidence)] if len(rows) > 1 else [])]


def _per_fold(evidence: Evidence) -> Block:
    found = evidence.scores

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        if np.isfinite(found.low):
            axes.axhspan(found.low, found.high, color=colour(0), alpha=0.18, linewidth=0, label="95 % interval of all rows")
        axes.axhline(found.pooled, color=colour(0), label="all rows at once")
        axes.plot(list(found.per_fold), list(found.per_fold.values()), "o", color=colour(1), label="a fold", markersize=7)
        axes.set_xticks(list(found.per_fold))
        axes.set_xlabel("fold")
        axes.set_ylabel(found.metric)
        axes.legend(loc="best")

    values = ", ".join(f"{fold}: {value:.4f}" for fold, value in found.per_fold.items())
    return draw("folds", "Each fold against all rows at once", f"{found.metric} of the folds: {values}", plot)


def class_by_class(evidence: Evidence) -> list[Block]:
    """Precision, recall, F1 and support of each class, of the likeliest class of each row."""
    task = evidence.contest.task
    true, chosen = evidence.codes
    places = np.arange(len(task.classes))
    parts = precision_recall_fscore_support(true, chosen, labels=places, zero_division=np.nan)  # type: ignore[arg-type]
    precision, recall, f1, support = (np.asarray(part) for part in parts)
    guessed = np.bincount(chosen, minlength=len(places))
    if len(places) > MOST_CLASSES:
        places = np.sort(np.argsort(np.nan_to_num(f1, nan=2.0), kind="stable")[:MOST_CLASSES])
    rows = []
    for place in places:
        name = task.classes[place]
        area = evidence.scores.per_class[name].roc_auc if name in evidence.scores.per_class else float("nan")
        rows.append([name, int(support[place]), int(guessed[place]), precision[place], recall[place], f1[place], area])
    columns = [Column("class"), Column("rows", ",d"), Column("predicted", ",d")]
    columns += [Column(name, ".4f") for name in ("precision", "recall", "F1", "AUC against the rest")]
    part = "" if len(rows) == len(task.classes) else f" The {len(rows):,} of {len(task.classes):,} classes with the lowest F1."
    return [
        Table("Precision, recall, F1 and rows of each class", columns, rows, f"Decided by the likeliest class.{part}"),
        *_spread(evidence, f1),
    ]


def _spread(evidence: Evidence, f1: np.ndarray) -> list[Block]:
    """Of many classes, how many are told apart how well."""
    known = f1[np.isfinite(f1)]
    if len(known) <= 30:
        return []

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.hist(known, bins=np.linspace(0, 1, 21).tolist(), color=colour(0), edgecolor=INK, linewidth=0.3)
        axes.set_xlabel("F1 of a class")
        axes.set_ylabel("classes")

    told = f"Histogram of the F1 of {len(known):,} classes: median {np.median(known):.3f}, {int((known < 0.5).sum()):,} below 0.5"
    return [draw("class-f1", "How well classes are told apart", told, plot)]
