"""Losses, metric and learning rate, epoch by epoch and fold by fold, and what they say in words."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from competition.diagnosis import diagnose
from reports.blocks import Block, Column, Drawing, Lines, Table
from reports.evidence import Evidence
from reports.style import colour, dash, draw, in_whole_numbers

MOST_NAMED = 6  # folds in a legend


def losses(evidence: Evidence) -> list[Block]:
    """Drawings of the losses, the metric and the rate, the diagnosis, and the last epochs as a table; nothing without a history."""
    histories, metric = evidence.histories, evidence.contest.metric
    if not histories:
        return []
    rate = evidence.run.config.optim.lr
    told = [
        f"fold {fold}: {line}" for fold, rows in histories.items() for line in diagnose(_measured(rows), rate if rate != "auto" else 0.0)
    ]

    def both(axes: Axes) -> None:
        for place, (fold, rows) in enumerate(histories.items()):
            axes.plot(rows["epoch"], rows["train_loss"], "--", color=colour(place), alpha=0.7, label=f"fold {fold}, training")
            held = rows.dropna(subset="held_out_loss")
            axes.plot(held["epoch"], held["held_out_loss"], "o-", color=colour(place), label=f"fold {fold}, held out", markersize=3)

    lines = [
        _epochs("losses", "Losses: of training (dashed) and held out", "loss", both, len(histories), _ends(histories, "held_out_loss")),
        _epochs("metric", f"{metric} of what is held out", metric, _of(histories, metric), len(histories), _ends(histories, metric)),
        _epochs("rate", "Learning rate", "learning rate", _of(histories, "lr"), len(histories), "How the learning rate moved"),
    ]
    columns = [
        Column("fold", "d"),
        Column("epochs", "d"),
        Column("training loss", ".4f"),
        Column("held-out loss", ".4f"),
        Column(metric, ".5f"),
    ]
    rows = [
        [fold, len(rows), rows["train_loss"].iloc[-1], *(_last(rows[name]) for name in ("held_out_loss", metric))]
        for fold, rows in histories.items()
    ]
    return [
        Lines(told or ["Nothing is amiss: no loss rose, stood still, or was still falling much at the end."]),
        *lines,
        Table("At the end", columns, rows),
    ]


def _measured(history: pd.DataFrame) -> list[dict[str, float | None]]:
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in history.to_dict("records")]


def _last(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.iloc[-1]) if len(known) else float("nan")


def _ends(histories: dict[int, pd.DataFrame], name: str) -> str:
    return f"{name.replace('_', ' ')} at the end: " + ", ".join(f"fold {fold} {_last(rows[name]):.4g}" for fold, rows in histories.items())


def _of(histories: dict[int, pd.DataFrame], name: str) -> Callable[[Axes], None]:
    def plot(axes: Axes) -> None:
        for place, (fold, rows) in enumerate(histories.items()):
            known = rows.dropna(subset=name)
            axes.plot(known["epoch"], known[name], f"o{dash(place)}", color=colour(place), label=f"fold {fold}", markersize=3)

    return plot


def _epochs(anchor: str, caption: str, what: str, plot: Callable[[Axes], None], folds: int, alt: str) -> Drawing:
    def whole(figure: Figure) -> None:
        axes = figure.add_subplot()
        plot(axes)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        in_whole_numbers(axes)
        if folds <= MOST_NAMED:
            axes.legend(loc="best", ncols=2 if anchor == "losses" and folds > 2 else 1, fontsize=7 if folds > 2 else 8)

    return draw(anchor, caption, alt, whole)
