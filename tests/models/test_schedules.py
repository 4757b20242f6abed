import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.schedules import SCHEDULES, plateau_factor

SHARES = st.floats(0, 1)


@pytest.mark.parametrize("name", SCHEDULES)
@given(progress=SHARES, warmup=SHARES)
def test_a_factor_lies_between_0_and_1(name: str, progress: float, warmup: float) -> None:
    assert 0 <= SCHEDULES[name](progress, warmup) <= 1 + 1e-12


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.3, 0.99])
def test_the_peak_is_1_where_the_warm_up_ends(name: str, warmup: float) -> None:
    assert SCHEDULES[name](warmup, warmup) == pytest.approx(1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_rises_to_the_peak_and_never_after(name: str) -> None:
    factors = [SCHEDULES[name](step / 1000, 0.25) for step in range(1001)]
    assert factors[:251] == sorted(factors[:251])
    assert factors[250:] == sorted(factors[250:], reverse=True)


@pytest.mark.parametrize(("name", "start", "end"), [("cosine", 0, 0), ("onecycle", 1 / 25, 1e-4), ("constant", 0, 1), ("plateau", 0, 1)])
def test_where_it_starts_and_ends(name: str, start: float, end: float) -> None:
    assert SCHEDULES[name](0.0, 0.3) == pytest.approx(start)
    assert SCHEDULES[name](1.0, 0.3) == pytest.approx(end, abs=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_without_warm_up_the_first_step_has_the_whole_rate(name: str) -> None:
    assert SCHEDULES[name](0.0, 0.0) == pytest.approx(1)


def test_half_way_down_the_cosine_is_a_half() -> None:
    assert SCHEDULES["cosine"](0.525, 0.05) == pytest.approx(0.5)


def test_one_cycle_is_torchs() -> None:
    steps, warmup = 101, 0.3
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=steps, pct_start=(warmup * (steps - 1) + 1) / steps, div_factor=25, final_div_factor=1e4 / 25
    )
    for step in range(steps):
        assert SCHEDULES["onecycle"](step / (steps - 1), warmup) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        if step < steps - 1:
            theirs.step()


@pytest.mark.parametrize(
    ("losses", "patience", "factor"),
    [
        ([], 2, 1),
        ([3, 2, 1], 1, 1),
        ([1, 2, 2], 2, 1),  # two epochs of waiting are allowed
        ([1, 2, 2, 2], 2, 0.1),
        ([1, 2, 2, 2, 2, 2, 2], 2, 0.01),  # counted anew after each fall
        ([1, 2, 2, 0.5, 2, 2], 2, 1),  # a better epoch starts the count anew
        ([1, 0.99995, 0.9998], 1, 1),  # the last is better than the first by more than 0.01 %
        ([1, 0.99999, 0.99998], 1, 0.1),  # hardly better is no better
        ([math.nan] * 3, 1, 0.1),
    ],
)
def test_the_rate_falls_to_a_tenth_on_a_plateau(losses: list[float], patience: int, factor: float) -> None:
    assert plateau_factor(losses, patience) == pytest.approx(factor)


def test_the_plateau_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    losses = (torch.rand(60, generator=generator) + 1).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3, eps=0)
    for epoch in range(len(losses)):
        theirs.step(losses[epoch])
        assert plateau_factor(losses[: epoch + 1], 3) == pytest.approx(optimizer.param_groups[0]["lr"])
