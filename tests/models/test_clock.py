import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import clock as module
from models.clock import Clock


class Watch:
    """A time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    time = Watch()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.monotonic))
    return time


def test_without_a_budget_it_is_the_share_of_steps(watch: Watch) -> None:
    clock = Clock(epochs=4, steps=5, held_share=0.25)
    assert [clock.position(done) for done in (0, 1, 10, 20)] == [0, 0.05, 0.5, 1]
    watch.now += 1e6
    assert clock.position(10) == 0.5
    assert clock.worth_measuring()


def test_to_look_ahead_moves_nothing_on(watch: Watch) -> None:
    """Processes that prepare batches ask what comes many steps later."""
    clock = Clock(epochs=3, steps=6, held_share=0.25, deadline=watch.now + 300)
    assert clock.position(0) < 0.01
    assert clock.foreseen(17) == pytest.approx(17 / 18)
    assert clock.position(0) < 0.01
    watch.now += 30
    reached = clock.position(1)
    assert reached > 0.1
    assert (clock.foreseen(1), clock.foreseen(17)) == (reached, 17 / 18)


def trained(watch: Watch, clock: Clock, steps: int, held: float, step_seconds: list[float]) -> list[float]:
    """Positions of a loop like that of fit.py, with steps of these seconds over and over, and validations of `held` seconds."""
    positions, done = [clock.position(0)], 0
    while positions[-1] < 1:
        while positions[-1] < 1:
            watch.now += step_seconds[done % len(step_seconds)]
            done += 1
            positions.append(clock.position(done))
            if done % steps == 0:
                break
        if positions[-1] >= 1 or clock.worth_measuring():
            began = clock.now()
            watch.now += held
            clock.measured_since(began)
        positions.append(clock.position(done))
    return positions


@given(
    step_seconds=st.lists(st.floats(0.05, 0.3), min_size=1, max_size=30),
    steps=st.integers(5, 200),
    held=st.floats(0.1, 2.5),
    budget=st.floats(30, 300),
)
def test_a_fold_ends_in_time_and_uses_it(step_seconds: list[float], steps: int, held: float, budget: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch()
        patch.setattr(module, "time", SimpleNamespace(monotonic=watch.monotonic))
        clock = Clock(10**6, steps, held_share=0.25, deadline=watch.now + budget)
        positions = trained(watch, clock, steps, held, step_seconds)
        assert watch.now <= clock.deadline + held, "an estimate of the first validation may be off"
        assert watch.now >= clock.deadline - 0.1 * budget - 5 - held
        assert positions[0] == 0
        assert positions == sorted(positions)
        assert positions[-2] > 0.8, "no leap at the end"


def test_epochs_are_the_most_that_are_done(watch: Watch) -> None:
    clock = Clock(epochs=2, steps=10, held_share=0.25, deadline=watch.now + 1e6)
    trained(watch, clock, 10, 1.0, [0.1])
    assert watch.now < 1000 + 10


def test_an_interrupted_fold_spreads_what_is_left(watch: Watch) -> None:
    clock = Clock(epochs=100, steps=10, held_share=0, deadline=watch.now + 101, done=500, before=0.6)
    assert clock.position(500) == pytest.approx(0.6)
    watch.now += 50
    assert clock.position(510) == pytest.approx(0.8, abs=0.02)
    assert Clock(10, 10, 0, deadline=watch.now - 1).position(0) >= 1, "no time at all"


def test_validation_between_epochs_waits_until_it_is_cheap(watch: Watch) -> None:
    clock = Clock(100, 10, 0.25, deadline=watch.now + 1000)
    began = clock.now()
    watch.now += 5
    clock.measured_since(began)
    watch.now += 49
    assert not clock.worth_measuring()
    watch.now += 2
    assert clock.worth_measuring()
    assert Clock(100, 10, 0.25).deadline == math.inf
