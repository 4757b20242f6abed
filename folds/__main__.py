"""python -m folds scores: the ledger of runs, the best of each competition first."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from competition.console import guarded, say, table


def scores(competition: Annotated[str, tyro.conf.Positional] = "", runs: Path = Path("runs")) -> int:
    """Prints the ledger, a row a run.

    Args:
        competition: of this competition only.
        runs: where the runs stand.
    """
    from competition.metrics import METRICS
    from folds.scores import read_ledger

    ledger = read_ledger(runs)
    if competition:
        ledger = ledger[ledger["competition"] == competition]
    if ledger.empty:
        say(f"no runs{f' of {competition}' if competition else ''} in {runs / 'ledger.csv'} yet: python train.py makes one")
        return 0
    for (name, metric), rows in ledger.groupby(["competition", "metric"]):
        metric = str(metric)
        direction = -1 if metric in METRICS and METRICS[metric].greater_is_better else 1
        best_first = rows.assign(order=direction * rows["pooled"].astype(float)).sort_values("order")
        lines = [
            [
                row["run"],
                row["pooled"],
                f"{row['mean']} ± {row['std'] or '-'}",
                f"{row['folds_done']} of {row['folds']}",
                row["seconds"],
                row["weights"],
                row["finished"],
            ]
            for row in best_first.to_dict("records")
        ]
        table(
            f"{name}, {metric} (out of fold)",
            ["run", "pooled", "mean ± std", "folds", "seconds", "weights", "finished"],
            lines,
            right=(1, 4),
        )
    return 0


def main() -> int:
    return guarded(lambda: tyro.extras.subcommand_cli_from_dict({"scores": scores}, prog="python -m folds", description="Cut and gather."))


if __name__ == "__main__":
    sys.exit(main())
