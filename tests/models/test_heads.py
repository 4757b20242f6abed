import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from competition.task import KINDS, Kind, Task
from models.heads import LINKS, Head, cumulative_log_probs, head_for
from tests.builders import CLASSES, make_truth

TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}
ONE_HOT = ("softmax", "cumulative")


def logits(link: str, rows: int = 50, classes: int = 5, size: float = 3.0) -> torch.Tensor:
    return size * torch.randn(rows, LINKS[link].outputs(classes), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("link", LINKS)
def test_a_link_gives_a_value_a_column(link: str) -> None:
    table = Head(link).table(logits(link))
    assert table.shape == (50, 5)
    assert Head(link).table(logits(link).half()).dtype == torch.float32


@pytest.mark.parametrize("size", [0.1, 10.0, 1e4])
@pytest.mark.parametrize("link", [name for name in LINKS if name != "identity"])
def test_probabilities_stay_probabilities_however_sure_a_network_is(link: str, size: float) -> None:
    table = Head(link).table(logits(link, size=size))
    assert ((table >= 0) & (table <= 1)).all()
    if link in ONE_HOT:
        torch.testing.assert_close(table.sum(dim=1), torch.ones(50), atol=1e-5, rtol=0)


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_outputs_of_nothing_mean_that_all_classes_are_as_likely(classes: int) -> None:
    for link in ONE_HOT:
        table = Head(link).table(torch.zeros(1, LINKS[link].outputs(classes)))
        torch.testing.assert_close(table, torch.full((1, classes), 1 / classes), atol=1e-4, rtol=0)


def test_a_cumulative_link_is_a_difference_of_sigmoids() -> None:
    """Of three grades: with even cuts at the logits of 2/3 and 1/3, which are ln 4 apart."""
    raw = logits("cumulative", classes=3).double()
    first = raw[:, 0] + np.log(2)
    second = first - (1 + (raw[:, 1]).exp() * 3).log()  # softplus(x + ln(e^(ln 4) - 1))
    above = torch.stack([torch.ones(50), first.sigmoid(), second.sigmoid(), torch.zeros(50)], dim=1)
    torch.testing.assert_close(cumulative_log_probs(raw).exp(), above[:, :-1] - above[:, 1:], atol=1e-4, rtol=0)


def test_of_two_grades_a_cumulative_link_is_a_sigmoid() -> None:
    raw = logits("cumulative", classes=2)
    torch.testing.assert_close(Head("cumulative").table(raw)[:, 1:], raw.sigmoid())


def test_what_lies_higher_has_the_higher_grade() -> None:
    """The first output moves an image up the grades, and never past its neighbours."""
    raw = torch.cat([torch.linspace(-20, 20, 41)[:, None], torch.ones(41, 3)], dim=1)
    expected = Head("cumulative").table(raw) @ torch.arange(5.0)
    assert (expected.diff() > 0).all()
    assert (float(expected[0]), float(expected[-1])) == (pytest.approx(0, abs=1e-3), pytest.approx(4, abs=1e-3))


@pytest.mark.parametrize("kind", KINDS)
def test_scaled_truth_is_what_a_perfect_link_gives(kind: Kind) -> None:
    truth = make_truth(TASKS[kind], 30, np.random.default_rng(0))
    head = head_for("identity", TASKS[kind], truth)
    np.testing.assert_allclose(head.table(torch.from_numpy(head.scaled(truth))).numpy(), truth, rtol=1e-5)


def test_several_numbers_have_units_of_their_own() -> None:
    truth = np.array([[0, 100], [2, 300]], np.float32)
    assert head_for("identity", Task("regression", ("a", "b")), truth) == Head("identity", (1.0, 200.0), (1.0, 100.0))


def test_a_sigmoid_keeps_numbers_within_those_of_training() -> None:
    truth = np.array([[1], [40], [100]], np.float32)
    head = head_for("sigmoid", TASKS["regression"], truth)
    assert head == Head("sigmoid", (1.0,), (99.0,))
    assert head.scaled(truth)[:, 0].tolist() == pytest.approx([0, 39 / 99, 1])
    assert head.table(torch.tensor([[-100.0], [0.0], [100.0]]))[:, 0].tolist() == pytest.approx([1, 50.5, 100])


def test_a_number_that_never_changes_is_no_division_by_nothing() -> None:
    assert head_for("identity", TASKS["regression"], np.full((4, 1), 7, np.float32)) == Head("identity", (7.0,), (1.0,))


class Brought(TorchDispatchMode):
    """Counts tensors that are made of numbers of Python."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten.lift_fresh.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("units", [((0.0,), (1.0,)), ((7.3,), (0.1,)), ((1.0, -2.0), (0.3, 1e-3))])
def test_units_are_given_without_bringing_a_tensor_to_the_device(units: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    """Each would make a GPU wait, at every look."""
    shift, spread = units
    raw = torch.randn(9, len(shift), generator=torch.Generator().manual_seed(0))
    with Brought() as brought:
        table = Head("identity", shift, spread).table(raw)
    assert brought.count == 0
    assert table.equal(raw * torch.tensor(spread) + torch.tensor(shift))
