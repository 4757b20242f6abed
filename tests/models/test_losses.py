import math

import numpy as np
import pytest
import torch

from competition.errors import CompetitionError
from competition.task import Kind, Task
from models.errors import ModelError
from models.heads import LINKS
from models.losses import DEFAULT, LOSSES, WEIGHTS, class_weights, cross_entropy, focal, focal_bce, loss_for, ordinal, smooth

TASKS: dict[Kind, Task] = {
    "binary": Task("binary", ("no", "yes")),
    "multiclass": Task("multiclass", ("a", "b", "c", "d")),
    "ordinal": Task("ordinal", ("a", "b", "c", "d")),
    "multilabel": Task("multilabel", ("a", "b", "c")),
    "regression": Task("regression", ("age",)),
}
SERVED = [(name, kind) for name, ways in LOSSES.items() for way in ways for kind in way.tasks]


def truth_of(name: str, task: Task) -> torch.Tensor:
    if task.kind == "regression":
        return torch.tensor([[0.0], [0.5], [1.0]] if name == "bce" else [[-1.0], [0.5], [2.0]])
    one = torch.eye(len(task.classes))
    return one if task.one_of_many else torch.cat([one, torch.ones(1, 3), torch.zeros(1, 3)])


def outputs_for(name: str, task: Task, truth: torch.Tensor) -> torch.Tensor:
    """The raw outputs that the loss likes best, found by going down its gradient."""
    way = loss_for(name, task)[1]
    logits = torch.zeros(len(truth), LINKS[way.link].outputs(truth.shape[1])).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(400):
        optimizer.zero_grad()
        way.function(logits, truth, None).backward()
        optimizer.step()
    return logits.detach()


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_a_loss_is_smallest_where_the_link_gives_the_truth(name: str, kind: Kind) -> None:
    task = TASKS[kind]
    truth, way = truth_of(name, task), loss_for(name, task)[1]
    best = outputs_for(name, task, truth)
    torch.testing.assert_close(LINKS[way.link].function(best), truth, atol=0.1, rtol=0)
    least, moved = way.function(best, truth, None), way.function(best, truth.roll(1, dims=0), None)
    assert float(moved) > float(way.function(torch.zeros_like(best), truth, None)) * 0.5
    assert float(least) < float(moved) / 2


@pytest.mark.parametrize(("name", "kind"), SERVED)
@pytest.mark.parametrize("weigh", [False, True])
def test_a_loss_is_a_mean_over_rows(name: str, kind: Kind, weigh: bool) -> None:
    task = TASKS[kind]
    truth, way = truth_of(name, task), loss_for(name, task)[1]
    weights = torch.arange(1.0, truth.shape[1] + 1) if weigh else None
    logits = torch.randn(len(truth), LINKS[way.link].outputs(truth.shape[1]), generator=torch.Generator().manual_seed(0))
    each = torch.stack([way.function(logits[row : row + 1], truth[row : row + 1], weights) for row in range(len(truth))])
    torch.testing.assert_close(way.function(logits, truth, weights), each.mean())


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in SERVED if kind != "regression"])
def test_a_row_of_a_class_of_weight_3_costs_three_times_as_much(name: str, kind: Kind) -> None:
    task = TASKS[kind]
    way, classes = loss_for(name, task)[1], len(task.classes)
    logits = torch.full((1, LINKS[way.link].outputs(classes)), 0.3)
    truth, weights = torch.zeros(1, classes), torch.ones(classes)
    truth[0, 1], weights[1] = 1, 3
    left_out = truth * 0 if kind == "multilabel" else None  # what its other columns cost
    others = float(way.function(logits, left_out, None)) * (classes - 1) / classes if left_out is not None else 0.0
    plain, heavy = float(way.function(logits, truth, None)), float(way.function(logits, truth, weights))
    assert heavy - others == pytest.approx(3 * (plain - others), rel=1e-4)


@pytest.mark.parametrize(("name", "kind"), SERVED)
def test_extreme_outputs_have_finite_losses_and_gradients(name: str, kind: Kind) -> None:
    task = TASKS[kind]
    truth, way = truth_of(name, task), loss_for(name, task)[1]
    for size in (-1e4, -80.0, 80.0, 1e4):
        logits = torch.full((len(truth), LINKS[way.link].outputs(truth.shape[1])), size).requires_grad_()
        value = way.function(logits, truth, None)
        (slope,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert slope.isfinite().all()


@pytest.mark.parametrize("classes", [2, 4, 10])
def test_a_uniform_guess_costs_ln_k(classes: int) -> None:
    assert float(cross_entropy(torch.zeros(3, classes), torch.eye(classes)[:3].repeat(2, 1)[:3])) == pytest.approx(math.log(classes))


def test_a_column_guessed_at_one_half_costs_ln_2() -> None:
    assert float(LOSSES["bce"][0].function(torch.zeros(3, 5), torch.ones(3, 5), None)) == pytest.approx(math.log(2))


def test_focal_by_hand() -> None:
    """p of the truth 0.8: 0.2 squared times -ln 0.8; p 0.1: 0.9 squared times -ln 0.1."""
    logits = torch.tensor([[math.log(0.8 / 0.2), math.log(0.9 / 0.1)]])
    by_hand = (0.2**2 * -math.log(0.8) + 0.9**2 * -math.log(0.1)) / 2
    assert float(focal_bce(logits, torch.tensor([[1.0, 0.0]]))) == pytest.approx(by_hand, rel=1e-5)


def test_focal_cares_less_for_what_is_nearly_right() -> None:
    nearly = torch.tensor([[3.0]])
    assert float(focal_bce(nearly, torch.ones(1, 1), None)) < float(LOSSES["bce"][0].function(nearly, torch.ones(1, 1), None)) / 100


def test_focal_of_two_classes_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(0.8 / 0.2)]])
    assert float(focal(logits, torch.tensor([[0.0, 1.0]]))) == pytest.approx(0.2**2 * -math.log(0.8), rel=1e-5)
    assert float(focal(logits, torch.tensor([[1.0, 0.0]]))) == pytest.approx(0.8**2 * -math.log(0.2), rel=1e-5)


def test_a_grade_further_away_costs_more() -> None:
    """Sure of the lowest of four grades: each grade further up costs more, where cross-entropy sees no difference."""
    logits = torch.tensor([[-6.0, 1.0, 1.0]])
    costs = [float(ordinal(logits, torch.eye(4)[grade : grade + 1])) for grade in range(4)]
    assert costs == sorted(costs)
    assert costs[3] > costs[1] + 1


def test_squared_and_absolute_error_by_hand() -> None:
    predicted, truth = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [5.0]])
    assert float(LOSSES["mse"][0].function(predicted, truth, None)) == pytest.approx(5.0)
    assert float(LOSSES["mae"][0].function(predicted, truth, None)) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", TASKS)
def test_auto_is_a_loss_that_serves_the_task(kind: Kind) -> None:
    name, way = loss_for("auto", TASKS[kind])
    assert name == DEFAULT[kind]
    assert way in LOSSES[name]
    assert kind in way.tasks


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("weigh", WEIGHTS)
def test_rare_classes_weigh_more(kind: Kind, weigh: str) -> None:
    task = TASKS[kind]
    if weigh == "none":
        assert class_weights(weigh, np.ones((3, 1), np.float32), task) is None
        return
    if kind == "regression":
        with pytest.raises(ModelError, match=f"--optim.class-weights {weigh}: a regression has no classes to weigh"):
            class_weights(weigh, np.ones((3, 1), np.float32), task)
        return
    codes = np.array([0] * 80 + [1] * 20)
    truth = np.eye(len(task.classes), dtype=np.float32)[codes]
    weights = class_weights(weigh, truth, task)
    assert weights is not None
    if task.one_of_many:
        assert float((torch.from_numpy(truth) @ weights).mean()) == pytest.approx(1)  # the loss keeps its size
        assert float(weights[1] / weights[0]) == pytest.approx({"sqrt": 2, "balanced": 4}[weigh])
    else:
        assert weights[:2].tolist() == pytest.approx({"sqrt": [0.5, 2], "balanced": [0.25, 4]}[weigh])


def test_unknown_and_unfit_losses_are_errors() -> None:
    with pytest.raises(CompetitionError, match="unknown loss 'cross_entrpy': perhaps 'cross_entropy'"):
        loss_for("cross_entrpy", TASKS["binary"])
    with pytest.raises(ModelError, match="loss 'mse' does not serve a multilabel task; these do: bce, focal, asymmetric"):
        loss_for("mse", TASKS["multilabel"])


@pytest.mark.parametrize("kind", TASKS)
def test_smoothing_by_nothing_changes_nothing(kind: Kind) -> None:
    truth = truth_of("auto", TASKS[kind])
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
