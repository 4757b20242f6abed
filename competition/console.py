"""What people see: lines, progress with rate and time left where there is a terminal, errors without a traceback."""

import math
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from competition.errors import InputError
from competition.plain import plain
from competition.processes import RANK
from competition.shortage import in_words

if TYPE_CHECKING:
    from competition.contest import Reason

BAR_WIDTH = 24
LEVELS = "▁▂▃▄▅▆▇█"
LONGEST_COURSE = 40  # letters

# A class may be called [red] or :dog:
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, quiet=RANK > 0)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
if not console.is_terminal:
    console.width = 140  # a log has no window that could be too narrow


def say(line: str, style: str = "", head: str = "") -> None:
    """One line as it is: nothing in it is taken for markup, and nothing steers the terminal. head: how it begins, in bold."""
    if head:
        console.print(plain(head), style="bold", end="")
    console.print(plain(line), style=style if console.is_terminal else None)
    sys.stdout.flush()


def complain(line: str, style: str = "") -> None:
    """As `say`, to where errors go."""
    if RANK == 0:
        _complain(line, style)


def _complain(line: str, style: str) -> None:
    errors.print(plain(line), style=style if errors.is_terminal else None)


@contextmanager
def hushed() -> Iterator[None]:
    """Within it nothing is said but errors."""
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def fail(error: BaseException | str) -> int:
    """Prints the error, and gives the exit code for the user's own input: 2.

    Of processes that train together, any tells what it fails by; what the main one told ends the others otherwise (models/together.py).
    """
    _complain(f"process {RANK}: error: {error}" if RANK else f"error: {error}", "red")
    return 2


def guarded(work: Callable[[], int]) -> int:
    """The exit code of the work: its own, 2 after an error in the user's input, 1 where the machine lacks something (a disk is full), 130
    after Ctrl-C, 143 after SIGTERM, 141 where nobody reads on.

    A bug shows its traceback.
    """
    terminated: list[int] = []

    def terminate(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        raise KeyboardInterrupt  # as Ctrl-C, so that what is half-written is cleared away

    main = current_thread() is main_thread()
    before = signal.signal(signal.SIGTERM, terminate) if main else None
    try:
        return work()
    except InputError as error:
        return fail(error)
    except KeyboardInterrupt:
        complain("stopped")
        return 128 + (terminated or [signal.SIGINT])[0]
    except BrokenPipeError:  # whoever read what is printed (`| head`) has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end
        return 141
    except Exception as error:
        if (told := in_words(error)) is None:
            raise
        fail(told)
        return 1
    finally:
        if main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def show_reasons(reasons: "Iterable[Reason]") -> None:
    """What was found or chosen, and why; doubtful guesses are marked."""
    rows = [[reason.what, reason.value + ("" if reason.sure else "  (a guess)"), reason.why] for reason in reasons]
    table("what was found and chosen", ["what", "value", "why"], rows)


def table(title: str, columns: list[str], rows: list[list[str]], right: tuple[int, ...] = ()) -> None:
    """A table; the columns whose places are in `right` are numbers."""
    from rich.text import Text

    console.print(Text(plain(title), style="bold"))
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns))
    for place, column in enumerate(columns):
        drawn.add_column(plain(column), justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    console.print(drawn, soft_wrap=False)


def bar(share: float) -> str:
    """A bar as long as the share, 0 to 1; of what is more than nothing at least one block."""
    return "█" * max(1 if share > 0 else 0, round(BAR_WIDTH * share)) if math.isfinite(share) else ""


def course(values: Sequence[float]) -> str:
    """How values went, a block each, from the lowest to the highest; of many, as many evenly spread ones as fit a line."""
    if len(values) > LONGEST_COURSE:
        values = [values[place * (len(values) - 1) // (LONGEST_COURSE - 1)] for place in range(LONGEST_COURSE)]
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    steps = (len(LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(LEVELS[round((value - low) * steps)] if math.isfinite(value) else " " for value in values)


@contextmanager
def progress(what: str, total: int, unit: str = "images", done: int = 0) -> Iterator[Callable[[int], None]]:
    """A function that moves a bar on by so many; without a terminal it shows nothing."""
    if not console.is_terminal or console.quiet or total <= 0:
        yield lambda amount: None
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.{0 if task.speed >= 10 else 2}f} {unit}/s" if task.speed else "")

    percent = TextColumn("{task.percentage:>3.0f} %")
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), percent, Rate(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(plain(what), total=total, completed=done)
        yield lambda amount: bar.advance(task, amount)
