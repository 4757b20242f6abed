"""Of several labels a row: each label alone, which of them come together, and how many a row has."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score

from competition.decisions import best_threshold
from competition.metrics import THRESHOLD, decide
from reports.blocks import Block, Column, Grid, Table
from reports.confusion import largest
from reports.evidence import MANY, Evidence
from reports.style import INK, colour, draw, in_whole_numbers

MOST_LABELS = 400
PAIRS = 40


def label_by_label(evidence: Evidence) -> list[Block]:
    """AUC, average precision, the counts at 0.5, and the threshold with the best F1 of each label."""
    task, truth, probs = evidence.contest.task, evidence.truth > THRESHOLD, evidence.probs
    chosen = decide(probs, task)
    hits, given, wanted = (truth & chosen).sum(axis=0), chosen.sum(axis=0), truth.sum(axis=0)
    with np.errstate(invalid="ignore"):
        precision, recall, f1 = hits / given, hits / wanted, 2 * hits / (given + wanted)
    places = np.arange(len(task.classes))
    if len(places) > MOST_LABELS:
        places = np.sort(np.argsort(np.nan_to_num(f1, nan=2.0), kind="stable")[:MOST_LABELS])
    used = evidence.decision.values if evidence.decision else {}
    rows = []
    for place in places:
        name = task.classes[place]
        both = 0 < wanted[place] < len(truth)
        area = evidence.scores.per_class[name].roc_auc if name in evidence.scores.per_class else float("nan")
        precise = float(average_precision_score(truth[:, place], probs[:, place])) if both else float("nan")
        threshold = best_threshold(truth[:, place], probs[:, place]) if both else float("nan")
        rows.append([name, int(wanted[place]), int(given[place]), area, precise, precision[place], recall[place], f1[place]])
        rows[-1] += [threshold, used.get(name, used.get("all", float("nan")))]
    columns = [Column("label"), Column("rows", ",d"), Column("predicted", ",d"), Column("AUC", ".4f"), Column("average precision", ".4f")]
    columns += [Column(name, ".4f") for name in ("precision", "recall", "F1")] + [Column("threshold of the best F1", ".3f")]
    columns += [Column("threshold used", ".3f")]
    if not {*task.classes, "all"} & used.keys():
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    part = "" if len(rows) == len(task.classes) else f" The {len(rows):,} of {len(task.classes):,} labels with the lowest F1."
    note = "Precision, recall and F1 at 0.5. The threshold of the best F1 is fitted on these very rows, so it flatters."
    return [Table("Each label alone", columns, rows, note + part)]


def together(evidence: Evidence) -> list[Block]:
    """Which labels hold together, and how many a row has, true and predicted."""
    task, truth = evidence.contest.task, evidence.truth > THRESHOLD
    names = task.classes
    both = truth.astype(np.float32).T @ truth.astype(np.float32)
    shares = both / np.maximum(np.diag(both)[:, None], 1)
    found: list[Block] = []
    if 1 < len(names) <= MANY:
        note = "Each row shows, of the images that have its label, how many have the others too."
        found.append(Grid("Labels that come together", "has", "also has", names, names, both.astype(int), shares, note=note))
    elif len(names) > MANY:
        upper = np.triu(both, 1)
        pairs = largest(upper, PAIRS)
        rows = [[names[a], names[b], int(upper[a, b]), shares[a, b], shares[b, a]] for a, b in pairs]
        columns = [
            Column("label"),
            Column("and label"),
            Column("rows of both", ",d"),
            Column("of the first", ".1%"),
            Column("of the second", ".1%"),
        ]
        found.append(Table("Labels that come together most often", columns, rows))
    return [*found, _counts(truth.sum(axis=1), decide(evidence.probs, task).sum(axis=1))]


def _counts(true: np.ndarray, chosen: np.ndarray) -> Block:
    most = int(max(true.max(), chosen.max()))
    steps = np.arange(most + 1)
    sides = [np.bincount(count, minlength=most + 1) for count in (true, chosen)]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (rows, name) in enumerate(zip(sides, ("truth", "prediction at 0.5"), strict=True)):
            axes.bar(steps + 0.4 * place - 0.2, rows, 0.38, color=colour(place), label=name, edgecolor=INK, linewidth=0.3)
        in_whole_numbers(axes)
        axes.set_xlabel("labels a row")
        axes.set_ylabel("rows")
        axes.legend(loc="best")

    told = f"Labels a row: {true.mean():.2f} on average in truth, {chosen.mean():.2f} predicted at 0.5"
    return draw("label-counts", told, told, plot)
