"""The room's front door.

python -m submissions check FILE       what a grader would refuse or punish
python -m submissions submit FILE      checked, sent to Kaggle once, waited for: the public score beside CV
python -m submissions log              all submissions with CV, public and private score; whether CV can be trusted; how many are left today
python -m submissions pack RUN         for competitions that take notebooks: a dataset and a notebook, tried here without network; --push
python -m submissions blend RUN RUN    each blend of the runs, scored out of fold; and a submission of their predictions
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from competition.contest import Competition
    from folds.run import Run

app = tyro.extras.SubcommandApp()


File = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
Source = Annotated[str, tyro.conf.arg(metavar="NAME|DIR|ZIP")]


@app.command(name="check")
def check_file(file: File, /, competition: Source = "", runs: Path = Path("runs")) -> int:
    """What a grader would refuse or punish in a submission; exits 0 where it would be taken, else 2.

    Args:
        file: The submission's CSV. Where predict.py made it, it is compared with what its runs predicted out of fold too.
        competition: A competition's name, directory or zip; empty: the one of the CSV's runs, else of competition.toml, else digits.
        runs: Where the runs stand.
    """
    from competition.load import load
    from submissions.origin import facts_of, question_of, runs_of

    facts = facts_of(file)
    made_by = runs_of(file, facts, runs)
    contest = load(question_of(competition, made_by))
    return 2 if _show_problems(file, contest, facts, made_by) else 0


def _show_problems(file: Path, contest: "Competition", facts: dict[str, Any], made_by: "list[Run]") -> int:
    """How many errors there are, after all problems were printed."""
    from competition.console import complain, say
    from submissions.check import check
    from submissions.origin import oof_of
    from submissions.write import facts_path

    if not facts and file.is_file() and facts_path(file).is_file():
        say(
            f"{facts_path(file)}: is not about {file.name} as it is now (it was changed, or replaced?): no runs, no CV are taken from there"
        )
    oof = oof_of(facts, made_by, contest)
    problems = check(file, contest, oof)
    for problem in problems:
        tell, style = (complain, "red") if problem.severity == "error" else (say, "yellow")
        tell(f"{problem.severity}: {problem}", style)
    refused = sum(problem.severity == "error" for problem in problems)
    found = ", ".join(
        f"{count} {what}{'s' * (count > 1)}" for count, what in [(refused, "error"), (len(problems) - refused, "warning")] if count
    )
    asked = f"{contest.name}: {len(contest.submission.rows):,} rows, {contest.submission.answer}, {contest.metric}"
    if facts and oof is None:
        say("its runs are gone: not compared with what they predicted out of fold")
    if refused:
        complain(f"{file}: {found}; it would be refused ({asked})")
    else:
        say(f"{file}: {found or 'fine'} ({asked})")
    return refused


@app.command(name="submit")
def submit_file(
    file: File,
    /,
    message: str = "",
    competition: Source = "",
    wait: str = "10m",
    again: bool = False,
    dry_run: bool = False,
    runs: Path = Path("runs"),
) -> int:
    """Checks a submission, sends it to Kaggle once, waits for its score. Exits 0 when it is scored, 3 when it is not scored yet, else 2.

    Args:
        file: The submission's CSV.
        message: What stands before CV, git and run in the submission's message.
        competition: A competition's name, directory or zip; empty: the one of the CSV's runs, else of competition.toml, else digits.
        wait: How long the score is waited for (90s, 10m). Ctrl-C is safe, and `python -m submissions log` fills it in later.
        again: Send a file that was sent before.
        dry_run: Show the checks and the message, and send nothing.
        runs: Where the runs, and the log, stand.
    """
    from dataclasses import replace

    from competition.config import seconds_of
    from competition.console import say
    from competition.load import load
    from submissions.errors import SubmissionError
    from submissions.origin import facts_of, question_of, runs_of
    from submissions.send import PATIENCE
    from submissions.upload import entry_of, upload

    try:
        patience = replace(PATIENCE, scored=seconds_of(wait))
    except ValueError as error:
        raise SubmissionError(f"--wait: {error}") from None
    facts = facts_of(file)
    made_by = runs_of(file, facts, runs)
    contest = load(question_of(competition, made_by))
    if _show_problems(file, contest, facts, made_by):
        return 2
    if dry_run:
        say(f'would be sent to {contest.name} as "{entry_of(file, message).message}"; nothing was sent')
        return 0
    return upload(file, contest, message, runs, patience, again)


@app.command(name="log")
def show_submissions(competition: Source = "", refresh: bool = True, plot: Path | None = None, runs: Path = Path("runs")) -> int:
    """All submissions of a competition with CV, public and private score; how well CV foretold the public score; what is left today.

    Args:
        competition: A competition's name, directory or zip; empty: the one of competition.toml, else digits.
        refresh: Ask Kaggle for scores first; submissions that were made by other means appear too.
        plot: Where CV against public score is drawn; none: RUNS/COMPETITION/cv-public.png.
        runs: Where the runs, and the log, stand.
    """
    from datetime import UTC, datetime

    from competition.ask_kaggle import ask
    from competition.console import fail, say
    from competition.credentials import warn
    from competition.errors import CompetitionError
    from competition.kaggle_failures import answer, reset
    from competition.load import load
    from competition.settings import competition_config
    from submissions.log import log_path, read_log, refreshed
    from submissions.log_show import show_log
    from submissions.send import PATIENCE

    contest = load(competition_config(competition))
    log = log_path(runs, contest.name)
    rows, limits, unasked = read_log(log), None, None
    if refresh:
        warn()
        try:
            seen = answer(ask("look", PATIENCE.call, competition=contest.name, pages=50), contest.name)
            rows, limits = refreshed(log, seen["submissions"]), seen["limits"]
        except CompetitionError as error:
            unasked = error
    if not rows and unasked is None:
        say(f"{contest.name}: no submission yet; python -m submissions submit FILE makes one")
    if rows:
        show_log(rows, contest, plot or log.parent / "cv-public.png")
    if limits:
        left, made = limits["left"], limits["today"]
        say(f"{left} submissions are left today ({made} were made); the count begins anew at {reset(datetime.now(UTC))}")
    if unasked is None:
        return 0
    say("this is what was known before: Kaggle could not be asked")
    return fail(unasked)


@app.command(name="pack")
def pack_runs(
    run: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = (),
    /,
    competition: Source = "",
    output: Path | None = None,
    user: str = "",
    accelerator: Literal["none", "t4", "p100", "l4"] = "none",
    notebook: bool = False,
    views: str = "auto",
    members: Literal["folds", "full", "both"] = "folds",
    blend: str = "mean",
    more: Annotated[tuple[str, ...], tyro.conf.arg(name="with", metavar="NAME")] = (),
    python: str = "",
    dry_run: bool = True,
    share: float = 0.5,
    hours: float = 9.0,
    gib: float = 29.0,
    hidden_rows: int = 0,
    push: bool = False,
    again: bool = False,
    message: str = "",
    runs: Path = Path("runs"),
) -> int:
    """A package for competitions that take notebooks only: weights, wheels and a notebook, tried here as Kaggle would run it.

    Args:
        run: Directories of one or more runs; none: the newest run of the competition that has a finished fold.
        competition: A competition's name, directory or zip; empty: the one of the runs, else of competition.toml, else digits.
        output: Where the package stands; none: RUNS/COMPETITION/package.
        user: Your name at Kaggle; empty: the one beside your key, or filled in by --push.
        accelerator: What the notebook runs on.
        notebook: A notebook (.ipynb), not a script.
        views: Test-time views, as for predict.py.
        members: Which models of a run, as for predict.py.
        blend: How several runs become one table, as for predict.py.
        more: Further packages to pack as wheels: NAME or NAME==VERSION.
        python: The Python of Kaggle's image, such as 3.11; empty: the one here.
        dry_run: Try it: a clean environment, no network, another number of test images, and the CSV compared with ours.
        share: Of the test images that the dry run's test has.
        hours: What Kaggle allows a notebook.
        gib: The memory that Kaggle's machine has.
        hidden_rows: Images of the hidden test, to reckon its time by.
        push: Upload dataset and notebook, wait for both, submit its output, wait for the score.
        again: Push a package that was submitted before.
        message: What stands before CV, git and run in the submission's message.
        runs: Where the runs stand.
    """
    from competition.credentials import find_credentials
    from competition.load import load
    from folds.run import newest_run, read_runs
    from submissions import dry_run as trying
    from submissions.assemble import cv_of, out_of_fold, settle_blend
    from submissions.errors import SubmissionError
    from submissions.origin import question_of
    from submissions.pack import NOBODY, Packing, pack
    from submissions.push import push as to_kaggle
    from submissions.send import PATIENCE

    named = read_runs(run)
    contest = load(question_of(competition, named))
    packed = named or newest_run(runs, contest.name)
    flags = ("--views", views, "--members", members, "--blend", blend)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    how = Packing(user or find_credentials().user or NOBODY, accelerator, notebook, flags, python or here, more)
    package = pack(packed, contest, output or runs / contest.name / "package", how)
    if dry_run and how.python != here:
        raise SubmissionError(f"--python {how.python}: the dry run needs the Python of the wheels, and this is {here}: --no-dry-run")
    if dry_run:
        done = trying.dry_run(package, contest, package.directory / "dry-run", share, pace=hidden_rows > 0)
        if not trying.report(done, contest, hours, gib, hidden_rows):
            raise SubmissionError(f"{package.directory}: the dry run is not what it should be; nothing was pushed")
    if not push:
        return 0
    blending = settle_blend(packed, contest, blend)
    return to_kaggle(package, contest, cv_of(blending, out_of_fold(blending, contest)[0]), message, runs, PATIENCE, again)


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
    from folds.alike import correlations
    from folds.errors import FoldError
    from folds.run import read_runs
    from folds.scores import shared_rows
    from submissions.assemble import assemble, settle_blend, trials_of
    from submissions.blend import blends_for
    from submissions.choose_blend import AUTO
    from submissions.errors import SubmissionError

    named = read_runs(dict.fromkeys(runs))
    if len(named) < 2:
        raise SubmissionError("a blend needs two runs or more")
    contest = load(named[0].config.competition)
    blending = settle_blend(named, contest, blend)
    oofs = shared_rows({run.name: run.oof(contest.task) for run in named})
    alike = correlations(oofs)
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
    views = {name: seen for name, (_, seen) in found.items()}
    assemble(blending, {name: one for name, (one, _) in found.items()}, contest, views, output)
    return 0


def _shown(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 the user's input."""
    from competition.console import guarded

    return guarded(
        lambda: app.cli(
            args=argv,
            prog="python -m submissions",
            description="Blends runs, checks submissions, sends them to Kaggle and keeps their scores.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
