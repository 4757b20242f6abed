import pytest

from competition.diagnosis import diagnose

GOOD = ([1.0, 0.6, 0.4, 0.3, 0.29], [0.9, 0.6, 0.5, 0.46, 0.45])
CASES: dict[str, tuple[tuple[list[float], list[float | None]], str]] = {
    "a rate too high": (([0.7, 0.6, 2.0, 2.4, 2.2], [0.7, 0.7, 2.0, 2.0, 2.0]), "the training loss rose from 0.6 (epoch 2) to 2.2"),
    "nothing learned": (([0.69, 0.69, 0.69, 0.69], [0.69, 0.69, 0.69, 0.69]), "the training loss hardly fell (0.69 to 0.69)"),
    "by heart": (([1.0, 0.5, 0.2, 0.1, 0.05], [0.9, 0.5, 0.6, 0.8, 1.0]), "after epoch 2 the held-out loss rose (0.5 to 1)"),
    "by heart, measured now and then": (([1.0, 0.5, 0.2, 0.1, 0.05], [None, 0.5, None, 0.8, 1.0]), "or --optim.epochs 2"),
    "too short": (([1.0, 0.8, 0.6, 0.5], [1.0, 0.8, 0.6, 0.5]), "the held-out loss was still falling (0.6 to 0.5)"),
}


def rows(train: list[float], held: list[float] | list[float | None]) -> list[dict[str, float | None]]:
    losses = enumerate(zip(train, held, strict=True), 1)
    return [{"epoch": epoch, "train_loss": one, "held_out_loss": other} for epoch, (one, other) in losses]


@pytest.mark.parametrize("case", CASES)
def test_what_is_amiss_is_said_once_in_words(case: str) -> None:
    (train, held), words = CASES[case]
    (told,) = diagnose(rows(train, held), 1e-3)
    assert words in told


def test_a_fold_that_went_well_needs_no_words() -> None:
    assert diagnose(rows(*GOOD), 1e-3) == []
    assert diagnose(rows([1.0, 2.0], [1.0, 2.0]), 1e-3) == [], "two epochs tell nothing"


@pytest.mark.parametrize("held", [[0.5, 0.0004, 0.006, 0.008], [0.5, 0.01, 0.009, 0.004]])
def test_losses_next_to_nothing_need_no_words(held: list[float]) -> None:
    assert diagnose(rows([0.7, 0.001, 0.0002, 0.0009], held), 1e-3) == []


def test_a_rate_too_high_is_answered_by_a_lower_one() -> None:
    assert "--optim.lr 1.0e-02" in diagnose(rows(*CASES["a rate too high"][0]), 3e-2)[0]
