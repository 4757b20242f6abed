from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.backbones import build, input_spec, last_layer
from models.checkpoint import load
from models.device import accelerator_for
from models.errors import ModelError
from models.fit import fit
from models.pooling import GeM
from tests.models.examples import job_of

POOLS = ("avg", "max", "catavgmax", "gem")


def test_a_generalised_mean_goes_from_the_mean_to_the_maximum() -> None:
    x = torch.rand(2, 3, 4, 4) + 0.1
    torch.testing.assert_close(GeM(power=1.0)(x), x.mean(dim=(2, 3), keepdim=True))
    torch.testing.assert_close(GeM(power=100.0)(x), x.amax(dim=(2, 3), keepdim=True), rtol=0.05, atol=0)
    assert GeM(power=3.0)(x).shape == (2, 3, 1, 1)
    gem = GeM()
    gem(x).sum().backward()
    assert gem.power.grad is not None, "it is learned"


@pytest.mark.parametrize(
    ("backbone", "pool"),
    [(f"timm/{name}", pool) for name in ("test_resnet", "test_efficientnet") for pool in POOLS] + [("timm/test_convnext", "gem")],
)
def test_a_fold_with_any_pooling_comes_back_from_its_checkpoint(backbone: str, pool: str, tmp_path: Path) -> None:
    job = job_of(tmp_path, model={"backbone": backbone, "pool": pool}, data={"size_px": 32, "channels": 3}, optim={"epochs": 1})
    fit(job, accelerator_for(job.config.machine))
    network, _ = load(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in network.state_dict().items())
    assert any("power" in name for name in saved) is (pool == "gem")


def test_pretrained_weights_stay_where_the_pooling_changes(tmp_path: Path) -> None:
    spec = input_spec("timm/test_resnet", 32)
    known = build("timm/test_resnet", 1000, spec)
    save_file(known.state_dict(), tmp_path / "w.safetensors")
    plain = build("timm/test_resnet", 3, spec, str(tmp_path / "w.safetensors"))
    for pool, times in (("gem", 1), ("catavgmax", 2)):
        network = build("timm/test_resnet", 3, spec, str(tmp_path / "w.safetensors"), pool=pool)
        assert torch.equal(network.state_dict()["conv1.0.weight"], known.state_dict()["conv1.0.weight"])
        width = plain.get_submodule(last_layer(plain)).weight.shape[1]  # type: ignore[union-attr, index]
        assert network.get_submodule(last_layer(network)).weight.shape == (3, times * width)


@pytest.mark.parametrize("backbone", ["timm/test_vit", "small/resnet9-8", "torchvision/resnet18"])
def test_a_backbone_that_cannot_pool_so_says_it(backbone: str) -> None:
    size_px = None if backbone == "timm/test_vit" else 32
    with pytest.raises(ModelError, match=r"--model.pool gem: this backbone has no pooling that could be changed"):
        build(backbone, 3, input_spec(backbone, size_px), pool="gem")


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "small/resnet9-8"])
def test_several_masks_waver_less_than_one(backbone: str) -> None:
    spec = input_spec(backbone, 32)
    x = torch.rand(64, 3, 32, 32)

    def outputs(masks: int) -> torch.Tensor:
        """What 40 looks in training mode give, batch norms held."""
        torch.manual_seed(0)
        network = build(backbone, 3, spec, drop=0.5, drop_samples=masks).eval()
        still = network(x)
        network.get_submodule(last_layer(network)).train()
        for name, part in network.named_modules():
            part.training = part.training or name.endswith("drop")
        looks = torch.stack([network(x) for _ in range(40)])
        torch.testing.assert_close(looks.mean(dim=0), still, atol=0.2 * float(still.abs().max()) + 0.05, rtol=0)
        return looks.std(dim=0).mean()

    with torch.inference_mode():
        once, often = outputs(1), outputs(16)
    if backbone == "small/resnet9-8":  # timm drops by a function of the network's own mode
        assert float(often) == pytest.approx(float(once) / 4, rel=0.2), "as the root of their number"
    assert float(often) > 0
