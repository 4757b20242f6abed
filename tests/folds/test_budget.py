import math
import time

import pytest

from competition.config import Config
from folds.budget import LAST_SECONDS, PAGE_SECONDS, end_of, share_of


def test_a_budget_is_counted_from_the_start_of_the_process() -> None:
    assert end_of(Config(), 5.0) == math.inf
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}}), 5.0) == 125 - LAST_SECONDS
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}, "machine": {"fold": "all"}}), 5.0) == 125 - LAST_SECONDS - PAGE_SECONDS
    assert end_of(Config.model_validate({"optim": {"budget": "2m"}, "machine": {"fold_seconds": 30}}), 5.0) == 35, "of a fold alone"


def test_folds_one_after_the_other_have_equal_shares() -> None:
    now = time.monotonic()
    assert share_of(now + 100, 4) == pytest.approx(25, abs=0.1)
