"""The front door of this room.

python -m competition list              competitions, metrics and recipes by name
python -m competition inspect PATH      what was found, and the reason for every guess
python -m competition use PATH          the same as an editable competition.toml in the working directory
python -m competition download NAME     the competition's zip from Kaggle, whole and sound
"""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

Source = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PATH|NAME")]


def list_names() -> None:
    """The competitions, metrics and recipes that are known by name."""
    from competition.catalogue import CATALOGUE
    from competition.console import table
    from competition.metrics import METRICS, PLACES, USUAL_PLACES
    from competition.settings import RECIPES

    table("competitions", ["name"], [[name] for name in sorted(CATALOGUE)])
    table(
        "metrics",
        ["name", "better", "for", "what it is"],
        [
            [
                f"{name} (or another of {len(PLACES)})" if m.places else name,
                "high" if m.greater_is_better else "low",
                ", ".join(m.tasks),
                m.doc,
            ]
            for name, m in METRICS.items()
            if m.places in (0, USUAL_PLACES)
        ],
    )
    table("recipes", ["name"], [[str(path.relative_to(RECIPES).with_suffix(""))] for path in sorted(RECIPES.rglob("*.toml"))])


def inspect(source: Source = "") -> None:
    """What a competition was understood to be: tables, classes, images, task, metric, submission, and the reason for each guess.

    Without PATH: the one of competition.toml, else digits.
    """
    from competition.load import load
    from competition.settings import competition_config
    from competition.show import show

    show(load(competition_config(source)))


def use(source: Source) -> None:
    """Writes competition.toml into the working directory: what was found, to be edited, and read by every command that is run here."""
    from competition.atomic import write_text
    from competition.config import CompetitionConfig
    from competition.console import say
    from competition.load import load
    from competition.settings import COMPETITION_FILE, refuse_losing_edits
    from competition.show import toml_text

    refuse_losing_edits()
    competition = load(CompetitionConfig(source=source))
    write_text(COMPETITION_FILE, toml_text(competition, source))
    doubtful = [reason.what for reason in competition.reasons if not reason.sure]
    say(f"{COMPETITION_FILE} is about {competition.name}" + (f"; look at what is doubtful: {', '.join(doubtful)}" if doubtful else ""))


def fetch(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")], into: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path()
) -> None:
    """Downloads a competition's zip from Kaggle: goes on where it was interrupted, and tests it before it takes its place.

    Args:
        name: The competition's name at Kaggle, the last part of its address; or the address.
        into: The directory for NAME.zip.
    """
    from competition.download import download

    download(name, into)


VERBS = {"list": list_names, "inspect": inspect, "use": use, "download": fetch}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 2 for what the user can put right."""
    from competition.console import guarded

    words = list(sys.argv[1:] if argv is None else argv)
    gc.disable()  # a command lasts a second, and sixty thousand paths would be walked through again and again

    def answer() -> int:
        if words and words[0] in VERBS:  # straight there: tyro takes 0.1 s to set up a choice of commands
            tyro.cli(VERBS[words[0]], prog=f"python -m competition {words[0]}", args=words[1:])
        else:
            tyro.extras.subcommand_cli_from_dict(
                VERBS, prog="python -m competition", description="What is asked: find it, show it, keep it.", args=words
            )
        return 0

    return guarded(answer)


if __name__ == "__main__":
    sys.exit(main())
