"""The room's front door.

python -m submissions check FILE       what a grader would refuse or punish
python -m submissions blend RUN RUN    each blend of the runs, scored out of fold; and a submission of their predictions
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

app = tyro.extras.SubcommandApp()


@app.command(name="check")
def check_file(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    competition: Annotated[str, tyro.conf.arg(metavar="NAME|DIR|ZIP")] = "",
) -> int:
    """What a grader would refuse or punish in a submission; exits 0 where it would be taken, else 2.

    Args:
        file: The submission's CSV.
        competition: A competition's name, directory or zip; empty: the one of competition.toml, else digits.
    """
    from competition.console import console, errors, say
    from competition.load import load
    from competition.settings import competition_config
    from submissions.check import check

    contest = load(competition_config(competition))
    problems = check(file, contest)
    for problem in problems:
        to, style = (errors, "red") if problem.severity == "error" else (console, "yellow")
        to.print(f"{problem.severity}: {problem}", markup=False, style=style if to.is_terminal else None)
    refused = sum(problem.severity == "error" for problem in problems)
    found = ", ".join(
        f"{count} {what}{'s' * (count > 1)}" for count, what in [(refused, "error"), (len(problems) - refused, "warning")] if count
    )
    asked = f"{contest.name}: {len(contest.submission.rows):,} rows, {contest.submission.answer}, {contest.metric}"
    if refused:
        errors.print(f"{file}: {found}; it would be refused ({asked})", markup=False)
        return 2
    say(f"{file}: {found or 'fine'} ({asked})")
    return 0


@app.command(name="blend")
def blend_runs(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    blend: str = "auto",
    output: Path | None = None,
) -> int:
    """Each blend of several runs, scored out of fold; and a submission of what they predicted before, without predicting again.

    Args:
        runs: Directories of two or more runs of one competition.
        blend: mean, geometric, rank, power, best, greedy, stacking; auto: the best of them. Any but mean must beat equal weights by more
            than chance, else equal weights are used.
        output: The CSV; none: runs/COMPETITION/submissions/TIME-RUN-cvSCORE.csv.
    """
    from competition.console import say, table
    from competition.load import load
    from folds.errors import FoldError
    from folds.run import read_run
    from folds.scores import shared_rows
    from submissions.assemble import assemble, settle_blend, trials_of
    from submissions.blend import blends_for
    from submissions.choose_blend import AUTO, correlations
    from submissions.errors import SubmissionError

    named = [read_run(run) for run in dict.fromkeys(runs)]
    if len(named) < 2:
        raise SubmissionError("a blend needs two runs or more")
    contest = load(named[0].config.competition)
    blending = settle_blend(named, contest, blend)
    oofs = shared_rows({run.name: run.oof(contest.task) for run in named})
    alike = correlations(oofs, contest.task)
    places = [str(place) for place in range(1, len(named) + 1)]
    rows = [
        [place, name, f"{blending.scores[name]:.5f}", *(f"{value:.3f}" for value in alike.loc[name])]
        for place, name in zip(places, oofs, strict=True)
    ]
    table(f"{contest.name}, {contest.metric}; how alike predictions are", ["", "run", "alone", *places], rows)
    lines = [
        [trial.asked, str(trial.nested), "" if trial.asked == "mean" else str(trial.gain), f"{trial.flattering:.5f}", _shown(trial.values)]
        for trial in trials_of(named, contest, [*blends_for(contest.task), AUTO])
    ]
    table(
        f"blends, on {len(next(iter(oofs.values()))):,} held-out rows",
        ["blend", "nested [95 %]", "better than equal weights by", "on what it was fitted to", "fitted"],
        lines,
    )
    try:
        found = {run.name: run.test(contest.task) for run in named}
    except FoldError as missing:
        say(f"no submission is written: {missing}")
        return 0
    views = next(iter(found.values()))[1]
    assemble(blending, {name: one for name, (one, _) in found.items()}, contest, views, output)
    return 0


def _shown(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 the user's input."""
    from competition.console import guarded

    return guarded(
        lambda: app.cli(
            args=argv, prog="python -m submissions", description="Blends runs, and checks submissions before a slot is spent on them."
        )
    )


if __name__ == "__main__":
    sys.exit(main())
