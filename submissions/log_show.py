"""The log as a table, a sentence and a picture."""

from collections.abc import Sequence
from pathlib import Path

from competition.console import say, table
from competition.contest import Competition
from competition.figures import write_png
from competition.metrics import METRICS
from submissions.log import Agreement, Submission, agreement

SHORT = 40  # characters of a cell


def show_log(rows: Sequence[Submission], contest: Competition, plot: Path) -> Agreement:
    """Prints all submissions, and how well CV foretold the public score; from two on, draws it to `plot`."""
    cells = {
        "time (UTC)": [row.time[:16].replace("T", " ") for row in rows],
        "number": [str(row.ref or "?") for row in rows],
        "CV": [_score(row.cv) for row in rows],
        "public": [_score(row.public) for row in rows],
        "private": [_score(row.private) for row in rows],
        "run": [_short("+".join(row.runs) or row.message) for row in rows],
        "views": [_short(", ".join(row.views)) for row in rows],
        "blend": [row.blend if len(row.runs) > 1 else "" for row in rows],
        "status": [row.status + (f": {row.error}" if row.error else "") for row in rows],
    }
    shown = {name: column for name, column in cells.items() if any(column)}  # no room is taken by what no row has
    right = tuple(place for place, name in enumerate(shown) if name in ("number", "CV", "public", "private"))
    table(f"{contest.name}, {contest.metric}", list(shown), [list(line) for line in zip(*shown.values(), strict=True)], right)
    found = agreement(rows)
    if found.n > 1:
        plot_log(rows, contest, found, plot)
        correlations = f"; correlation {found.pearson:.2f}, of ranks {found.spearman:.2f}" if found.pearson == found.pearson else ""
        say(f"public - CV: {found.gap:+.5f} ± {found.spread:.5f} over {found.n} submissions{correlations} ({plot})")
    say(found.verdict)
    return found


def plot_log(rows: Sequence[Submission], contest: Competition, found: Agreement, path: Path) -> None:
    """Draws CV against public score, a dot a submission, the newest marked, with the line on which both would be the same."""
    from matplotlib.figure import Figure

    pairs = [(row.cv, row.public, "+".join(row.runs)) for row in rows if row.cv is not None and row.public is not None]
    cv, public = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    low, high = min(*cv, *public), max(*cv, *public)
    axes.plot([low, high], [low, high], color="0.7", linewidth=1, label="public = CV")
    axes.scatter(cv, public, s=36)
    axes.scatter(cv[-1:], public[-1:], s=90, facecolors="none", edgecolors="C3", label="newest")
    for x, y, name in pairs:
        side, away = ("right", -7) if x > (low + high) / 2 else ("left", 7)  # so that no name leaves the picture
        axes.annotate(_short(name), (x, y), xytext=(away, 4), textcoords="offset points", ha=side, fontsize=7, color="0.3")
    better = "higher" if METRICS[contest.metric].greater_is_better else "lower"
    axes.set_xlabel(f"CV: out-of-fold {contest.metric} ({better} is better)")
    axes.set_ylabel(f"public {contest.metric}")
    told = f", correlation of ranks {found.spearman:.2f}" if found.spearman == found.spearman else ""
    axes.set_title(f"{contest.name}: {len(pairs)} submissions{told}")
    axes.legend(loc="best", fontsize=8)
    write_png(path, figure)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
