import math

import pytest
import torch

from competition.errors import CompetitionError
from competition.task import Kind, Task
from models.errors import ModelError
from models.losses import DEFAULT, LOSSES, cross_entropy, focal, loss_for, smooth

TASKS: dict[Kind, Task] = {
    "binary": Task("binary", ("no", "yes")),
    "multiclass": Task("multiclass", ("a", "b", "c", "d")),
    "multilabel": Task("multilabel", ("a", "b", "c")),
    "regression": Task("regression", ("age",)),
}
SERVED = [(name, kind) for name, loss in LOSSES.items() for kind in loss.tasks]


def truth_of(task: Task) -> torch.Tensor:
    if task.kind == "regression":
        return torch.tensor([[-1.0], [0.5], [2.0]])
    one = torch.eye(len(task.classes))
    return one if task.one_of_many else torch.cat([one, torch.ones(1, 3), torch.zeros(1, 3)])


def sure(task: Task, truth: torch.Tensor) -> torch.Tensor:
    """The raw outputs of a network that is sure of the truth."""
    return truth if task.kind == "regression" else (truth - 0.5) * 40


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_the_truth_itself_costs_nothing_and_anything_else_costs_more(name: str, kind: Kind) -> None:
    task = TASKS[kind]
    truth, loss = truth_of(task), LOSSES[name].function
    perfect = float(loss(sure(task, truth), truth))
    assert perfect == pytest.approx(0, abs=1e-6)
    assert float(loss(sure(task, truth.roll(1, dims=0)), truth)) > float(loss(torch.zeros_like(truth), truth)) * 0.5 > perfect


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_a_loss_is_a_mean_over_rows(name: str, kind: Kind) -> None:
    task = TASKS[kind]
    truth, loss = truth_of(task), LOSSES[name].function
    logits = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    each = torch.stack([loss(logits[row : row + 1], truth[row : row + 1]) for row in range(len(truth))])
    torch.testing.assert_close(loss(logits, truth), each.mean())


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_a_step_down_the_gradient_makes_the_loss_smaller(name: str, kind: Kind) -> None:
    truth = truth_of(TASKS[kind])
    logits = torch.full_like(truth, 0.3).requires_grad_()
    before = LOSSES[name].function(logits, truth)
    (slope,) = torch.autograd.grad(before, logits)
    assert LOSSES[name].function(logits.detach() - 0.1 * slope, truth) < before


@pytest.mark.parametrize("classes", [2, 4, 10])
def test_a_uniform_guess_costs_ln_k(classes: int) -> None:
    assert float(cross_entropy(torch.zeros(3, classes), torch.eye(classes)[:3].repeat(2, 1)[:3])) == pytest.approx(math.log(classes))


def test_a_column_guessed_at_one_half_costs_ln_2() -> None:
    assert float(LOSSES["bce"].function(torch.zeros(3, 5), torch.ones(3, 5))) == pytest.approx(math.log(2))


def test_focal_by_hand() -> None:
    """p of the truth 0.8: 0.2 squared times -ln 0.8; p 0.1: 0.9 squared times -ln 0.1."""
    logits = torch.tensor([[math.log(0.8 / 0.2), math.log(0.9 / 0.1)]])
    by_hand = (0.2**2 * -math.log(0.8) + 0.9**2 * -math.log(0.1)) / 2
    assert float(focal(logits, torch.tensor([[1.0, 0.0]]))) == pytest.approx(by_hand, rel=1e-5)


def test_focal_cares_less_for_what_is_nearly_right() -> None:
    nearly = torch.tensor([[3.0]])
    assert float(focal(nearly, torch.ones(1, 1))) < float(LOSSES["bce"].function(nearly, torch.ones(1, 1))) / 100


def test_squared_and_absolute_error_by_hand() -> None:
    predicted, truth = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [5.0]])
    assert float(LOSSES["mse"].function(predicted, truth)) == pytest.approx(5.0)
    assert float(LOSSES["mae"].function(predicted, truth)) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", TASKS)
def test_auto_is_a_loss_that_serves_the_task(kind: Kind) -> None:
    name, loss = loss_for("auto", TASKS[kind])
    assert name == DEFAULT[kind]
    assert loss is LOSSES[name].function
    assert kind in LOSSES[name].tasks


def test_unknown_and_unfit_losses_are_errors() -> None:
    with pytest.raises(CompetitionError, match="unknown loss 'cross_entrpy': perhaps 'cross_entropy'"):
        loss_for("cross_entrpy", TASKS["binary"])
    with pytest.raises(ModelError, match="loss 'mse' does not serve a multilabel task; these do: bce, focal"):
        loss_for("mse", TASKS["multilabel"])


@pytest.mark.parametrize("kind", TASKS)
def test_smoothing_by_nothing_changes_nothing(kind: Kind) -> None:
    truth = truth_of(TASKS[kind])
    assert smooth(truth, 0.0, TASKS[kind]).equal(truth)


def test_smoothed_rows_still_sum_to_1() -> None:
    smoothed = smooth(torch.eye(4), 0.2, TASKS["multiclass"])
    torch.testing.assert_close(smoothed.sum(1), torch.ones(4))
    assert smoothed[0].tolist() == pytest.approx([0.85, 0.05, 0.05, 0.05])


def test_smoothed_columns_move_towards_one_half_and_numbers_stay() -> None:
    assert smooth(torch.tensor([[1.0, 0.0, 1.0]]), 0.2, TASKS["multilabel"])[0].tolist() == pytest.approx([0.9, 0.1, 0.9])
    assert smooth(torch.tensor([[7.0]]), 0.2, TASKS["regression"]).item() == 7.0


def test_smoothing_means_what_torch_means_by_it() -> None:
    logits, codes = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0, 1])
    ours = cross_entropy(logits, smooth(torch.eye(4)[codes], 0.1, TASKS["multiclass"]))
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, codes, label_smoothing=0.1))
