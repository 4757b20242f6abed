import heapq
import math
import time

import pytest

from competition.config import Config
from folds import budget
from folds.budget import LAST_SECONDS, PAGE_SECONDS, end_of, share_of


def test_a_budget_is_counted_from_the_start_of_the_process() -> None:
    assert end_of(Config(), 5.0) == math.inf
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}}), 5.0) == 125 - LAST_SECONDS
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}, "machine": {"fold": "all"}}), 5.0) == 125 - LAST_SECONDS - PAGE_SECONDS
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}, "machine": {"fold_seconds": 30}}), 5.0) == 35, "of a fold alone"


@pytest.mark.parametrize("lanes", [1, 2, 3, 4])
@pytest.mark.parametrize("folds", range(1, 8))
def test_every_lane_is_used_to_the_end(folds: int, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many folds: the next one starts where one ends, and the last of every lane ends with the time."""
    now = [0.0]
    monkeypatch.setattr(budget, "time", type("Watch", (), {"monotonic": staticmethod(lambda: now[0])}))
    free, ended = [0.0] * min(lanes, folds), [0.0] * 0
    for left in range(folds, 0, -1):
        now[0] = heapq.heappop(free)
        seconds = share_of(100.0, left, min(lanes, folds))
        assert seconds > 0
        ended.append(now[0] + seconds)
        heapq.heappush(free, ended[-1])
    assert sorted(free) == pytest.approx([100.0] * len(free))


def test_where_nothing_is_left_to_do_nothing_is_shared() -> None:
    assert share_of(time.monotonic() + 10, 0) == math.inf
