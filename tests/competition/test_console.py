"""Bars and courses in a terminal."""

import math

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
