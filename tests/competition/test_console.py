"""Bars and courses in a terminal."""

import math
import os
import subprocess
import sys

import pytest

from competition.console import BAR_WIDTH, LONGEST_COURSE, bar, course
from competition.diagnosis import in_a_line


def test_a_bar_is_as_long_as_its_share() -> None:
    assert [len(bar(share)) for share in (0, 0.001, 0.5, 1, -1, math.nan)] == [0, 1, BAR_WIDTH // 2, BAR_WIDTH, 0, 0]


def test_a_course_goes_from_the_lowest_to_the_highest() -> None:
    assert course([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert course([3, math.nan, 1]) == "█ ▁"
    assert course([2, 2]) == "▁▁"
    assert course([]) == ""
    long = course(list(range(1000)))
    assert (len(long), long[0], long[-1]) == (LONGEST_COURSE, "▁", "█")


def test_losses_in_a_line_are_held_out_where_there_are_enough() -> None:
    held = [{"epoch": 1.0, "train_loss": 1.0, "held_out_loss": value} for value in (2.0, 1.5, 1.0)]
    assert in_a_line(held) == ["held-out loss █▅▁ 2.0000 to 1.0000"]
    assert in_a_line([{**row, "held_out_loss": None} for row in held]) == ["training loss ▁▁▁ 1.0000 to 1.0000"]
    assert in_a_line(held[:2]) == []


ALONE = """
from competition.console import complain, guarded, say
from competition.errors import CompetitionError

def work() -> int:
    say("hello")
    complain("hello")
    raise CompetitionError("no image of [row] 7")

raise SystemExit(guarded(work))
"""


@pytest.mark.parametrize(
    ("rank", "said", "complained"),
    [("0", "hello\n", "hello\nerror: no image of [row] 7\n"), ("1", "", "process 1: error: no image of [row] 7\n")],
)
def test_of_several_processes_any_tells_what_it_fails_by(rank: str, said: str, complained: str) -> None:
    """Else nobody would: the main process only meets one that is gone."""
    environment = os.environ | {"RANK": rank, "WORLD_SIZE": "2"}
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, said, complained)
