"""The page of all runs of a competition: scores with intervals, cross-validation against public scores, and how alike runs are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from competition.errors import choose, examples
from competition.metrics import METRICS
from folds.run import read_table
from folds.scores import read_ledger
from reports.alike import MOST_RUNS, alike
from reports.blocks import Block, Column, Drawing, Section, Table
from reports.errors import ReportError
from reports.page import anchored, write_page
from reports.style import colour, draw, shown

PUBLIC = Column("public", ".5f", missing="not submitted")
MOST_DRAWN = 20  # runs
PER_MEGABYTE = 1e6


def write_leaderboard(competition: str, runs: Path, output: Path | None = None) -> Path:
    """Where the page was written: `output`, or RUNS/COMPETITION/leaderboard.html. competition: empty: the one that was trained last.

    Raises: ReportError where there are no runs; CompetitionError for a competition without any, with the nearest name.
    """
    ledger = read_ledger(runs)
    if ledger.empty:
        raise ReportError(f"no runs in {runs / 'ledger.csv'} yet: python train.py makes one")
    name = choose("competition", competition, set(ledger["competition"])) if competition else str(ledger["competition"].iloc[-1])
    rows = ledger[ledger["competition"] == name]
    metric = str(rows["metric"].iloc[-1])
    sign = -1 if metric in METRICS and METRICS[metric].greater_is_better else 1
    others = rows[rows["metric"] != metric]
    rows = rows[rows["metric"] == metric].assign(order=lambda table: sign * _number(table["pooled"])).sort_values("order", kind="stable")
    submitted = submissions(runs / name)
    sections = {
        "Runs": _runs(rows, runs / name, metric, submitted),
        "Submissions": _submissions(submitted, metric),
        "How alike runs are": alike(_tables(rows["run"].tolist()[:MOST_RUNS], runs / name)),
    }
    path = output or runs / name / "leaderboard.html"
    lead = f"{_count(rows)}, by out-of-fold {metric}, the best first"
    if len(others):
        lead += f"; {_count(others)} scored by {examples(sorted(set(others['metric'])))} {'is' if len(others) == 1 else 'are'} not shown"
    write_page(path, f"{name}: runs", lead, [Section(anchored(title), title, blocks) for title, blocks in sections.items() if blocks])
    return path


def submissions(directory: Path) -> list[dict[str, Any]]:
    """What the JSON files beside the competition's submissions say, the newest first; those that are no such file are passed over.

    Raises: ReportError for a file that is no JSON, or a score that is no number: they may have been written by hand.
    """
    found = []
    for path in sorted((directory / "submissions").glob("*.json"), reverse=True):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ReportError(f"{path}: is no JSON: {error}") from None
        if isinstance(facts, dict) and {"runs", "blend", "cv", "time"} <= facts.keys():
            if wrong := [name for name in ("cv", "public", "private") if isinstance(facts.get(name), str)]:
                raise ReportError(f"{path}: {examples(wrong)} should be numbers, without quotes")
            found.append({**facts, "file": path.with_suffix(".csv").name})
    return found


def _count(runs: pd.DataFrame) -> str:
    return f"{len(runs):,} run{'s' * (len(runs) != 1)}"


def weights_mb(directory: Path) -> float:
    """Megabytes of a run's weights, of all its models; nan where it has none."""
    sizes = [path.stat().st_size for path in directory.glob("*/model.safetensors")]
    return sum(sizes) / PER_MEGABYTE if sizes else float("nan")


def _runs(rows: pd.DataFrame, directory: Path, metric: str, submitted: list[dict[str, Any]]) -> list[Block]:
    public_of = {one["runs"][0]: one["public"] for one in reversed(submitted) if len(one["runs"]) == 1 and one.get("public") is not None}
    cells = []
    numbers = {name: _number(rows[name]).tolist() for name in ("pooled", "low", "high", "mean", "std", "seconds")}
    for place, row in enumerate(rows.to_dict("records")):
        scored = [numbers[name][place] for name in ("pooled", "low", "high", "mean", "std")]
        facts = [
            f"{row['folds_done']} of {row['folds']}",
            numbers["seconds"][place],
            weights_mb(directory / row["run"]),
            row["weights"],
            row["finished"][:16],
        ]
        cells.append([row["run"], *scored, public_of.get(row["run"]), *facts])
    columns = [Column("run"), *(Column(name, ".5f") for name in (metric, "low", "high", "mean", "std")), PUBLIC]
    columns += [Column("folds"), Column("seconds", ",.1f"), Column("weights, MB", ",.1f"), Column("weights kept"), Column("finished (UTC)")]
    table = Table(
        "All runs",
        columns,
        cells,
        "Out of fold; low to high: the 95 % interval of the pooled score. public: the last submission of this run alone.",
    )
    return [table, _intervals(rows, metric)]


def _intervals(rows: pd.DataFrame, metric: str) -> Drawing:
    first = rows.head(MOST_DRAWN)
    pooled, low, high = (_number(first[name]).to_numpy() for name in ("pooled", "low", "high"))
    heights = np.arange(len(first))[::-1]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        reach = np.nan_to_num(np.clip(np.stack([pooled - low, high - pooled]), 0, None))
        axes.errorbar(pooled, heights, xerr=reach, fmt="o", color=colour(0), capsize=3, markersize=5, linewidth=1.2)
        axes.set_yticks(heights, [shown(name) for name in first["run"]])
        axes.set_ylim(-0.6, len(first) - 0.4)
        axes.set_xlabel(metric)

    best = f"{first['run'].iloc[0]} {pooled[0]:.5f}"
    return draw(
        "intervals",
        "Pooled scores with their 95 % intervals",
        f"{metric} of {_count(first)}, the best is {best}",
        plot,
        (5.2, 1.4 + 0.24 * len(first)),
    )


def _submissions(submitted: list[dict[str, Any]], metric: str) -> list[Block]:
    if not submitted:
        return []
    rows = [
        [
            one["time"][:16],
            " + ".join(one["runs"]),
            one["blend"],
            one["cv"],
            one.get("public"),
            one["file"],
        ]
        for one in submitted
    ]
    columns = [
        Column("written"),
        Column("runs"),
        Column("blend"),
        Column(f"{metric}, out of fold", ".5f"),
        PUBLIC,
        Column("file"),
    ]
    both = [(one["cv"], one["public"]) for one in submitted if one.get("public") is not None and one["cv"] is not None]
    return [Table("Submissions, the newest first", columns, rows), *([_against(both, metric)] if len(both) > 1 else [])]


def _against(both: list[tuple[float, float]], metric: str) -> Drawing:
    cv, public = np.asarray(both, dtype=np.float64).T

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(cv, public, "o", color=colour(0))
        axes.set_xlabel(f"{metric}, out of fold")
        axes.set_ylabel(f"{metric}, public")

    told = f", correlation {np.corrcoef(cv, public)[0, 1]:.3f}" if len(cv) > 2 and cv.std() and public.std() else ""
    return draw("public", f"Out of fold against public{told}", f"{len(cv)} submissions with a public score{told}", plot)


def _tables(names: list[str], directory: Path) -> dict[str, pd.DataFrame]:
    paths = {name: directory / name / "oof.parquet" for name in names}
    return {name: read_table(path).drop(columns="fold") for name, path in paths.items() if path.is_file()}


def _number(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce")
