"""The errors of this room, and how every room words one: what was wrong, where, what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class InputError(ValueError):
    """The user's input cannot be used as it is. Each room has its own; scripts print it without a traceback and exit 2."""


class CompetitionError(InputError):
    """The competition, its tables, images or settings are not usable as they are."""


def examples(items: Iterable[object], most: int = 3) -> str:
    """At most `most` of the items, quoted, and how many there are beyond them: "'a', 'b', 'c' and 7 more"."""
    listed = list(items)
    shown = ", ".join(repr(str(item)) for item in listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most:,} more"


def choose(kind: str, name: str, choices: Iterable[str]) -> str:
    """`name` itself where it is one of the choices.

    Raises: CompetitionError that names the nearest choices, or all of them where none is near.
    """
    known: Sequence[str] = sorted(choices)
    if name in known:
        return name
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"perhaps {' or '.join(map(repr, near))}" if near else f"there are {', '.join(known) or 'none'}"
    raise CompetitionError(f"unknown {kind} {name!r}: {hint}")
