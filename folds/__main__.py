"""The front door of this room.

python -m folds split [flags of train.py]    how the training rows are cut: why so, and how alike the folds are
python -m folds audit                        duplicates, contradictions and giveaways; its groups go into the folds
python -m folds audit --thorough             also copies that were turned by any angle
python -m folds audit --exact                equal files only, for a million images
python -m folds scores [COMPETITION]         the ledger of runs, the best of each competition first
python -m folds scores RUN                   one run: fold by fold, class by class
python -m folds suspects RUN                 labels that the out-of-fold predictions deny; a csv to drop, relabel or soften them
python -m folds adversarial                  whether one can tell training from test images, and by what
python -m folds shake-up RUN                 how far the public score may lie from the CV by chance alone
python -m folds compare RUN RUN              by how much the first is better, on the same rows, and whether that is more than chance
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from competition.config import Config
from competition.console import guarded, say, show_reasons, table
from competition.errors import examples
from competition.settings import train_config
from folds.errors import FoldError

SHOWN_SUSPECTS = 15
SHOWN_PICTURES = 48
SHOWN_STATISTICS = 8


def scores(of: Annotated[str, tyro.conf.Positional] = "", runs: Path = Path("runs")) -> int:
    """Prints the ledger, a row a run; or of one run each fold and class.

    Args:
        of: a competition: its runs only; or a run's directory.
        runs: where the runs stand.
    """
    import pandas as pd

    from competition.metrics import METRICS
    from folds.scores import read_ledger

    competition = of
    if (Path(of) / "config.toml").is_file() and of:
        return _scores_of_run(Path(of))

    ledger = read_ledger(runs)
    if competition:
        ledger = ledger[ledger["competition"] == competition]
    if ledger.empty:
        say(f"no runs{f' of {competition}' if competition else ''} in {runs / 'ledger.csv'} yet: python train.py makes one")
        return 0
    for (name, metric), rows in ledger.groupby(["competition", "metric"]):
        metric = str(metric)
        direction = -1 if metric in METRICS and METRICS[metric].greater_is_better else 1
        best_first = rows.assign(order=direction * pd.to_numeric(rows["pooled"], errors="coerce")).sort_values("order")
        lines = [
            [
                row["run"],
                f"{_short(row['pooled'])} [{_short(row['low'])}, {_short(row['high'])}]" if row["pooled"] else "undefined",
                f"{_short(row['mean'])} ± {_short(row['std'])}",
                f"{row['folds_done']} of {row['folds']}",
                row["seconds"],
                row["weights"],
                row["finished"],
            ]
            for row in best_first.to_dict("records")
        ]
        table(
            f"{name}, {metric} (out of fold)",
            ["run", "pooled [95 %]", "mean ± std", "folds", "seconds", "weights", "finished"],
            lines,
            right=(1, 4),
        )
    return 0


def _short(number: str) -> str:
    """With six digits; as it is where somebody wrote what is no number."""
    try:
        return f"{float(number):.6g}" if number else "-"
    except ValueError:
        return number


def _scores_of_run(directory: Path) -> int:
    from competition.load import load
    from folds.measures import measures
    from folds.run import read_run
    from folds.scores import score_run, truth_of
    from folds.show import show_classes, show_measures, show_scores

    run = read_run(directory)
    contest = load(run.config.competition)
    oof = run.oof(contest.task)
    found = score_run(run, contest, oof)
    show_scores(run, found)
    show_measures(measures(truth_of(oof, contest), oof.to_numpy(), contest.task))
    show_classes(found)
    return 0


def compare(one: Annotated[Path, tyro.conf.Positional], other: Annotated[Path, tyro.conf.Positional]) -> int:
    """By how much one run is better than the other on the rows that both held out, with its 95 % interval.

    Args:
        one: a run's directory.
        other: another one of the same competition.
    """
    from competition.load import load
    from folds.run import read_run
    from folds.scores import compare_runs

    runs = [read_run(one), read_run(other)]
    contest = load(runs[0].config.competition)
    gain, rows = compare_runs(runs[0], runs[1], contest)
    if gain.low > 0 or gain.high < 0:
        better, worse = (one, other) if gain.value > 0 else (other, one)
        low, high = sorted((abs(gain.low), abs(gain.high)))
        say(f"{better} beats {worse} by {abs(gain.value):.5f} [{low:.5f}, {high:.5f}] in {contest.metric}, on {rows:,} rows")
    else:
        say(f"{one} and {other} cannot be told apart: they differ by {gain} in {contest.metric}, on {rows:,} rows")
    return 0


def audit(
    competition: str = "",
    output: Path | None = None,
    thorough: bool = False,
    exact: bool = False,
    runs: Path = Path("runs"),
    cache: Path = Path("cache"),
) -> int:
    """Looks for what makes a score flatter, and writes the groups of duplicates, which train.py then keeps together.

    Args:
        competition: a name, directory or zip; empty: the one of competition.toml, else digits.
        output: where id,group is written; none: RUNS/COMPETITION/audit/duplicates.csv, where train.py finds it.
        thorough: also copies that were turned by any angle (by local features; takes several times as long).
        exact: of duplicates only equal files; takes no decoding, and a minute for a million images.
        runs: where the runs stand.
        cache: where decoded pixels are kept.
    """
    from competition.load import load
    from competition.settings import train_config
    from folds.audit_files import write_audit
    from folds.groups import audited

    if exact and thorough:
        raise FoldError("--exact and --thorough are two ends of a scale: ask for one of them")
    config = train_config(["--competition", competition] if competition else [])
    contest, depth = load(config.competition), "exact" if exact else "thorough" if thorough else "alike"
    groups = write_audit(contest, output or audited(runs, contest), cache, config.folds.count, depth)
    if output is None and groups:
        say("train.py keeps these groups together from now on; --folds.groups none if it should not")
    return 0


def suspects(
    run: Annotated[Path, tyro.conf.Positional],
    do: Literal["", "drop", "relabel", "soften"] = "",
    output: Path | None = None,
    cache: Path = Path("cache"),
) -> int:
    """Names the labels that a run's out-of-fold predictions deny, with pictures, and writes a csv for --data.corrections.

    Args:
        run: a run's directory.
        do: what is to be done with all of them; empty: nothing yet, the csv's column `do` is yours to fill in.
        output: where the csv is written; none: RUN/suspects.csv.
        cache: where decoded pixels are kept.
    """
    from competition.atomic import write_text
    from competition.load import load
    from folds import suspects as room
    from folds.run import read_run
    from folds.scores import truth_of
    from folds.sheet import write_sheet

    of = read_run(run)
    contest = load(of.config.competition)
    oof = of.oof(contest.task)
    found = room.suspects(oof, truth_of(oof, contest), contest.task).assign(do=do)
    path = output or run / "suspects.csv"
    write_text(path, found.to_csv(index=False, lineterminator="\n", float_format="%.4f"))
    say(f"{len(found):,} of {len(oof):,} labels are denied by the out-of-fold predictions")
    if found.empty:
        return 0
    shown = found.head(SHOWN_SUSPECTS)
    columns = [shown[name].astype(str) for name in ("id", "given", "label")] + [shown["denied"].map("{:.3f}".format)]
    table(
        "the most denied",
        ["id", "given", "predicted", "denied"],
        [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)],
        right=(3,),
    )
    rows = contest.train.set_index("id", drop=False).loc[found["id"].head(SHOWN_PICTURES)]
    under = [(f"is {given}", f"or {label}?") for given, label in zip(found["given"], found["label"], strict=True)][:SHOWN_PICTURES]
    write_sheet(path.with_suffix(".png"), contest, rows, under, cache)
    say(f"{path.with_suffix('.png')}: pictures of the first {len(rows)}")
    say(f"{path}: write drop, relabel or soften into its column do, then python train.py ... --data.corrections {path}")
    return 0


def adversarial(competition: str = "", cache: Path = Path("cache"), output: Path | None = None, runs: Path = Path("runs")) -> int:
    """Says whether one can tell training from test images by cheap statistics, by which, and names the images that give it away.

    Args:
        competition: a name, directory or zip; empty: the one of competition.toml, else digits.
        cache: where decoded pixels are kept.
        output: where part, id and probability are written; none: RUNS/COMPETITION/audit/adversarial.csv.
        runs: where the runs stand.
    """
    import pandas as pd

    from competition.atomic import write_text
    from competition.load import load
    from competition.settings import competition_config
    from folds import adversarial as room
    from folds.sheet import write_sheet

    contest = load(competition_config(competition))
    found = room.drift(contest, cache)
    if found.auc.low <= 0.5:
        say(f"training and test cannot be told apart by cheap statistics: AUC {found.auc}")
    else:
        say(f"one can tell training from test images: AUC {found.auc} (0.5: not at all, 1: always)")
        if contest.groups is not None:
            say(
                f"but training images come in {contest.groups.nunique():,} groups ({contest.groups.name}): to know one of them by another "
                "is to know training from test, so this may say no more than that the test has others"
            )
    telling = found.telling[found.telling >= room.TELLING].head(SHOWN_STATISTICS)
    if len(telling):
        table("what tells most, alone", ["", "AUC"], [[str(name), f"{value:.3f}"] for name, value in telling.items()], right=(1,))
    path = output or runs / contest.name / "audit" / "adversarial.csv"
    write_text(path, found.images.drop(columns="image").to_csv(index=False, lineterminator="\n", float_format="%.4f"))
    shown = pd.concat([found.images[found.images["part"] == part].head(SHOWN_PICTURES // 2) for part in ("train", "test")])
    write_sheet(path.with_suffix(".png"), contest, shown, list(zip(shown["part"].astype(str), shown["id"].astype(str), strict=True)), cache)
    say(f"{path}: each image's probability of being a test image, out of fold; {path.with_suffix('.png')}: the first of both, to look at")
    return 0


def shake_up(run: Annotated[Path, tyro.conf.Positional], public: float = 0.3, test_rows: int = 0) -> int:
    """How far the public score may lie from the CV, and the private from the public, by chance alone.

    Args:
        run: a run's directory.
        public: share of the test that the public score is computed on; competitions say it on their leaderboard page.
        test_rows: of the test; 0: as many as this competition has here (hidden tests have more).
    """
    from competition.load import load
    from folds import shake_up as room
    from folds.run import read_run
    from folds.scores import as_answered, truth_of

    if not 0 < public < 1:
        raise FoldError(f"--public {public}: should be a share between 0 and 1")
    of = read_run(run)
    contest = load(of.config.competition)
    oof = of.oof(contest.task)
    rows = test_rows or len(contest.test)
    if rows < 2:
        raise FoldError(f"{contest.name}: a test of {rows} rows has no two parts; --test-rows says how many it really has")
    oof = as_answered(of, oof, contest)
    found = room.shake_up(contest.metric, truth_of(oof, contest), oof.to_numpy(), contest.task, rows, public, of.groups_of(oof.index))
    gap = found.spread(found.private - found.public)
    public_rows = round(public * rows)
    say(f"out-of-fold {contest.metric} {found.cv:.5f}; of a test of {rows:,} rows like these, 95 of 100 times")
    for name, count, (low, high) in (
        ("public", public_rows, found.spread(found.public)),
        ("private", rows - public_rows, found.spread(found.private)),
    ):
        say(f"  the {name} score ({count:,} rows) would lie within [{low:.5f}, {high:.5f}]")
    say(f"  the private score would lie {gap[0]:+.5f} to {gap[1]:+.5f} from the public one")
    say("a public score outside its range has another reason than chance: the test differs (python -m folds adversarial), or folds leak")
    return 0


def split(config: Config) -> int:
    """Prints how the training rows are cut into folds, fold by fold and class by class."""
    from competition.load import load
    from folds.balance import balance, unseen_classes
    from folds.groups import audited, groups_of
    from folds.split import assign_folds, settle_folds

    contest = load(config.competition)
    folds, reasons = settle_folds(contest, config.folds, audited(config.machine.runs, contest))
    fold_of = assign_folds(contest, folds)
    show_reasons(reasons)
    groups, _ = groups_of(contest, folds)
    header, rows = balance(contest, fold_of, groups)
    table(f"{contest.name}: {folds.count} folds, {folds.scheme}", header, rows, right=tuple(range(1, len(header))))
    if unseen := unseen_classes(contest, fold_of):
        named = examples(f"{name} (fold {fold})" for name, fold in unseen)
        say(f"{len(unseen):,} classes lie in one fold as a whole, whose model never sees them: {named}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)

    def answer() -> int:
        if words[:1] == ["split"]:  # its flags are those of train.py
            return split(train_config(words[1:], prog="python -m folds split"))
        verbs = {
            "split": split,
            "audit": audit,
            "scores": scores,
            "compare": compare,
            "suspects": suspects,
            "adversarial": adversarial,
            "shake-up": shake_up,
        }
        return tyro.extras.subcommand_cli_from_dict(verbs, prog="python -m folds", description="Cut and gather.", args=words)

    return guarded(answer)


if __name__ == "__main__":
    sys.exit(main())
