"""The room's front door: python -m submissions check FILE [--competition NAME|DIR|ZIP]."""

import sys
from collections.abc import Sequence
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


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 the user's input."""
    from competition.console import guarded

    return guarded(
        lambda: app.cli(args=argv, prog="python -m submissions", description="Checks submissions before a slot is spent on them.")
    )


if __name__ == "__main__":
    sys.exit(main())
