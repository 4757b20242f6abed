from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn

from models.fit import fit
from models.sam import sharpest
from tests.models.examples import job_of


def of(cost: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return cost(x).square().sum()


def test_the_second_gradient_is_taken_the_radius_up_the_slope() -> None:
    torch.manual_seed(0)
    network, x = nn.Linear(3, 2), torch.randn(4, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    of(network, x).backward()
    slope = {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}
    length = float(torch.sqrt(sum(part.square().sum() for part in slope.values())))  # type: ignore[arg-type]
    with sharpest(network, 0.5):
        assert all(weight.grad is None for weight in network.parameters())
        for name, weight in network.named_parameters():
            assert torch.allclose(weight, before[name] + 0.5 * slope[name] / length)
        of(network, x).backward()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    there = nn.Linear(3, 2)
    there.load_state_dict({name: before[name] + 0.5 * slope[name] / length for name in before})
    of(there, x).backward()
    for own, other in zip(network.parameters(), there.parameters(), strict=True):
        assert own.grad is not None
        assert other.grad is not None
        assert torch.allclose(own.grad, other.grad, rtol=1e-4)


def test_frozen_weights_stay_and_norms_learn_from_the_first_look_alone() -> None:
    layer, norm, x = nn.Linear(3, 2), nn.BatchNorm1d(2), torch.randn(8, 3)
    network = nn.Sequential(layer, norm)
    layer.weight.requires_grad_(False)
    of(network, x).backward()
    frozen, seen = layer.weight.clone(), norm.state_dict()["running_mean"].clone()
    with sharpest(network, 1.0):
        assert torch.equal(layer.weight, frozen)
        of(network, 10 + x).backward()
    assert torch.equal(norm.state_dict()["running_mean"], seen)
    of(network, x).backward()
    assert not torch.equal(norm.state_dict()["running_mean"], seen), "and go on learning"


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_moves_nothing_and_spoils_no_statistics(wrong: float) -> None:
    """As half precision gives one once in a while: the step is left out, but what a batch norm has seen would stay."""
    network, x = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), torch.randn(8, 3)
    of(network, x).backward()
    gradient = next(network.parameters()).grad
    assert gradient is not None
    gradient[0, 0] = wrong
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with sharpest(network, 1.0):
        assert all(torch.equal(weight, before[name]) for name, weight in network.named_parameters())
        of(network, x).backward()
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


def test_a_flat_loss_moves_nothing() -> None:
    network = nn.Linear(3, 2)
    of(network, torch.zeros(1, 3)).mul(0).backward()
    with sharpest(network, 1.0):
        assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_it_learns_and_another_way_than_without(tmp_path: Path) -> None:
    fitted = {sam: fit(job_of(tmp_path / str(sam), optim={"epochs": 6, "sam": sam}), Accelerator(cpu=True)) for sam in (0.0, 0.05)}
    assert fitted[0.05].score > 0.9
    assert not np.array_equal(fitted[0.0].probs, fitted[0.05].probs)


@pytest.mark.parametrize("sam", [0.0, 0.05])
def test_summed_gradients_are_those_of_the_whole_batch(tmp_path: Path, sam: float) -> None:
    """Of a network without batch norm."""
    settings = {"model": {"backbone": "small/pixels"}, "data": {"size_px": 16, "channels": 3}}
    for name, batch, accumulate in (("whole", 32, 1), ("parts", 8, 4)):
        optim = {
            "batch": batch,
            "accumulate": accumulate,
            "sam": sam,
            "optimizer": "sgd",
            "epochs": 1,
            "warmup": 0.0,
            "schedule": "constant",
        }
        fit(job_of(tmp_path / name, rows=56, optim=optim, **settings), Accelerator(cpu=True))
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    for name in whole:
        assert torch.allclose(whole[name], parts[name], atol=1e-5)
