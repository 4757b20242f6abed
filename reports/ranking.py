"""Where the true class stands among the likeliest."""

import numpy as np
from matplotlib.figure import Figure

from competition.metrics import PLACES, places_ahead
from reports.blocks import Block
from reports.evidence import Evidence
from reports.style import INK, colour, draw, in_whole_numbers

SHOWN_PLACES = 10


def ranks(evidence: Evidence) -> list[Block]:
    """The histogram of the true class's place, and the share of rows that have it among the likeliest k."""
    ahead, count = places_ahead(evidence.truth, evidence.probs), evidence.truth.shape[1]
    most = min(SHOWN_PLACES, count)
    rows_at = np.bincount(np.minimum(ahead, most), minlength=most + 1)
    names = [*(str(place + 1) for place in range(most)), "later"]
    rows_at, names = (rows_at, names) if most < count else (rows_at[:-1], names[:-1])
    within = [float((ahead < places).mean()) for places in PLACES if places <= count]

    def places(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.bar(np.arange(len(names)), rows_at, color=[colour(0), *[colour(1)] * (len(names) - 1)], edgecolor=INK, linewidth=0.3)
        axes.set_xticks(np.arange(len(names)), names)
        axes.set_xlabel("place of the true class")
        axes.set_ylabel("rows")

    def shares(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(np.arange(1, len(within) + 1), within, "o-", color=colour(0))
        in_whole_numbers(axes)
        axes.set_xlabel("k")
        axes.set_ylabel("share of rows with the truth in the likeliest k")

    told = ", ".join(f"{name}: {rows:,}" for name, rows in zip(names, rows_at, strict=True))
    tops = ", ".join(f"top {k}: {within[k - 1]:.4f}" for k in (1, 3, 5, 10, 20) if k <= len(within))
    return [
        draw("ranks", "Place of the true class among the likeliest", f"Rows by place: {told}", places),
        draw("top-k", f"Top-k accuracy ({tops})", f"Top-k accuracy: {tops}", shares),
    ]
