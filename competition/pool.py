"""Work on all cores, with its progress on the screen."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from competition.console import progress
from competition.processes import cores

Thing = TypeVar("Thing")
Made = TypeVar("Made")


def on_all_cores(
    what: str, work: Callable[[Thing], Made], things: Iterable[Thing], size: Callable[[Thing], int] = lambda thing: 1
) -> list[Made]:
    """What `work` makes of each thing, in their order, by threads. what: is done, for people. size: of a thing, in the progress's units."""
    listed, made = list(things), []
    with ThreadPoolExecutor(cores()) as pool, progress(what, sum(map(size, listed))) as advance:
        for thing, one in zip(listed, pool.map(work, listed), strict=True):
            made.append(one)
            advance(size(thing))
    return made
