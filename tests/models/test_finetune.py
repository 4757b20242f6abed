from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.modules.batchnorm import _BatchNorm

from competition.config import ModelConfig, OptimConfig
from competition.errors import CompetitionError
from models.backbones import build, input_spec, last_layer
from models.batches import seed_of
from models.checkpoint import load_state
from models.device import accelerator_for
from models.errors import ModelError
from models.finetune import GROWN, Freezing, check_sides, resized, side_at
from models.fit import HISTORY, STATE, fit
from models.job import FoldJob, Stopped
from models.optim import optimizer_for
from tests.models.examples import job_of

State = dict[str, torch.Tensor]
BODY = ("features.0", "features.1")


def before(job: FoldJob) -> State:
    """The weights that a fold begins with."""
    torch.manual_seed(seed_of(job.config.seed, job.fold))
    return build(job.config.model.backbone, len(job.task.classes), job.spec).state_dict()


def after(job: FoldJob) -> State:
    fit(job, accelerator_for(job.config.machine))
    return load_file(job.directory / "model.safetensors")


def at_the_end_of(job: FoldJob, epoch: int) -> State:
    """The weights after so many epochs, of more that are to come."""

    def stop() -> bool:
        history = job.directory / HISTORY
        return history.is_file() and len(pd.read_csv(history)) == epoch

    with pytest.raises(Stopped):
        fit(job, accelerator_for(job.config.machine), stop)
    state = load_state(job.directory / STATE)
    assert state is not None
    return state["network"]


def moved(one: State, other: State) -> set[str]:
    return {name for name in one if not torch.equal(one[name].float(), other[name].float())}


def test_frozen_parts_do_not_move_and_all_others_do(tmp_path: Path) -> None:
    job = job_of(tmp_path, model={"freeze": BODY})
    still = {name for name in before(job) if name.startswith(BODY)}
    assert any("running_mean" in name for name in still)
    assert moved(before(job), after(job)) == set(before(job)) - still


def test_statistics_of_batch_norms_stay_where_asked(tmp_path: Path) -> None:
    job = job_of(tmp_path, model={"freeze_norm": True})
    statistics = {name for name in before(job) if "running" in name or "tracked" in name}
    assert moved(before(job), after(job)) == set(before(job)) - statistics


def test_the_last_layer_learns_first_and_then_all(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"head_first": 0.5, "epochs": 2})
    assert moved(before(job), at_the_end_of(job, 1)) == {"head.weight", "head.bias"}, "half of the run is over"
    assert moved(before(job), after(job)) == set(before(job))


def test_a_part_that_is_not_there_is_named_with_the_nearest() -> None:
    network = build("small/resnet9-8", 3, input_spec("small/resnet9-8", 16))
    with pytest.raises(CompetitionError, match=r"unknown part of the network 'feature.0': perhaps"):
        Freezing(network, ModelConfig(freeze=("feature.0",)))
    with pytest.raises(ModelError, match="leaves nothing that could learn"):
        Freezing(network, ModelConfig(freeze=("features", "head")))


def test_a_frozen_part_is_as_in_evaluation_and_the_rest_as_in_training() -> None:
    network = build("small/resnet9-8", 3, input_spec("small/resnet9-8", 16))
    Freezing(network, ModelConfig(freeze=("features.0",))).train(0.5)
    norms = {name: part.training for name, part in network.named_modules() if isinstance(part, _BatchNorm)}
    assert norms.pop("features.0.1") is False
    assert all(norms.values())


@pytest.mark.parametrize("backbone", ["small/resnet9-8", "timm/test_resnet", "timm/test_vit"])
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_the_head_learns_faster_by_the_factor_asked_for(backbone: str, decay: float) -> None:
    def rates(**asked: float) -> dict[str, float]:
        network = build(backbone, 3, input_spec(backbone, 32 if "small" in backbone else None))
        optimizer = optimizer_for(network, OptimConfig(lr=0.1, layer_decay=decay, **asked))  # type: ignore[arg-type]
        name_of = {id(weight): name for name, weight in network.named_parameters()}
        found = {name_of[id(w)]: group["lr"] * group.get("lr_scale", 1.0) for group in optimizer.param_groups for w in group["params"]}
        assert set(found) == set(name_of.values())
        return found

    plain, faster = rates(), rates(head_lr=7.0)
    head = last_layer(build(backbone, 3, input_spec(backbone, 32 if "small" in backbone else None)))
    for name, rate in plain.items():
        assert faster[name] == pytest.approx(rate * (7 if name.startswith(f"{head}.") else 1)), name


def test_sides_grow_to_the_full_one() -> None:
    sides = [side_at(step / 100, 128, 0.5) for step in range(101)]
    assert sides[0] == 64
    assert sides == sorted(sides)
    assert {side for step, side in enumerate(sides) if step / 100 >= GROWN} == {128}
    assert all(side % 8 == 0 for side in sides)
    assert side_at(0, 128, 1.0) == 128
    assert side_at(0, 100, 0.01) == 8
    assert side_at(0.6, 100, 0.99) <= 100


def test_a_smaller_batch_shows_the_same_pictures() -> None:
    x = torch.rand(2, 3, 1, 1).expand(2, 3, 32, 32)
    assert resized(x, 32) is x
    torch.testing.assert_close(resized(x, 16), x[..., :16, :16])
    grey = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    torch.testing.assert_close(resized(grey, 8)[..., 2:-2].mean(), torch.tensor(0.5), atol=0.01, rtol=0)


def test_a_network_sees_the_sides_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    from models import fit as loop

    def watched(x: torch.Tensor, side: int) -> torch.Tensor:
        seen.append(side)
        return resized(x, side)

    monkeypatch.setattr(loop, "resized", watched)
    after(job_of(tmp_path, data={"size_px": 32, "channels": 3, "start_share": 0.5}, optim={"epochs": 3}))
    assert (seen[0], seen[-1]) == (16, 32)
    assert seen == sorted(seen)


def test_a_backbone_of_one_size_says_so_before_it_is_trained() -> None:
    spec = input_spec("timm/vit_tiny_patch16_224", 64)
    network = build("timm/vit_tiny_patch16_224", 3, spec)
    with pytest.raises(ModelError, match=r"--data.start-share 0.5: this backbone does not take images of 32 px"):
        check_sides(network, spec, 0.5)
    check_sides(network, spec, 1.0)


def test_smaller_sides_are_tried_where_the_network_is() -> None:
    """A GPU, too; here a device that has shapes alone."""
    spec = input_spec("small/resnet9-8", 32)
    check_sides(build("small/resnet9-8", 3, spec).to("meta"), spec, 0.5)


def test_averaged_weights_are_the_mean_of_the_epochs_ends(tmp_path: Path) -> None:
    plain = job_of(tmp_path / "plain", optim={"epochs": 3})
    second, third = at_the_end_of(plain, 2), after(plain)
    found = after(job_of(tmp_path / "swa", optim={"epochs": 3, "average_last": 0.5}))
    for name in found:
        if "tracked" not in name:
            torch.testing.assert_close(found[name], (second[name] + third[name]) / 2, atol=1e-6, rtol=1e-5)
    described = (tmp_path / "swa" / "model.json").read_text(encoding="utf-8")
    assert '"weights_kept": "averaged"' in described


def test_an_average_that_is_interrupted_goes_on(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"optim": {"epochs": 4, "average_last": 0.8}}
    whole = after(job_of(tmp_path / "whole", **asked))
    parts = job_of(tmp_path / "parts", **asked)
    at_the_end_of(parts, 3)
    found = after(parts)
    assert moved(whole, found) == set()
    assert np.isfinite(found["head.weight"].numpy()).all()
