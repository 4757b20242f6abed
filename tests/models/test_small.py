from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.backbones import build, input_spec
from models.batches import seed_of
from models.errors import ModelError
from models.parts import parts_of
from models.small import PATCH_PX, SMALL, AirBench
from tests.models.examples import job_of

CPU = torch.device("cpu")


def coloured(count: int = 32, channels: int = 3) -> torch.Tensor:
    """Smooth images whose channels vary together: patches that are far from white."""
    rough = torch.randn(count, channels, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(rough, size=24, mode="bicubic")
    return smooth * torch.linspace(0.3, 2, channels).view(1, -1, 1, 1) + smooth.mean(1, keepdim=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_layer_whitens_what_it_was_shown(channels: int) -> None:
    network, images = AirBench(8, 4, channels), coloured(channels=channels)
    network.adapt(images)
    with torch.no_grad():
        seen = (network.whitening(images) - network.whitening(torch.zeros_like(images))).transpose(0, 1).flatten(1).double()
    half = channels * PATCH_PX**2
    torch.testing.assert_close(seen[:half], -seen[half:], atol=1e-4, rtol=1e-4)  # each direction both ways
    covariance = torch.cov(seen[:half])
    assert covariance.diagonal().max() < 1.01
    assert covariance.diagonal()[-1] == pytest.approx(1, abs=0.01), "what varies most is of variance 1"
    assert (covariance - covariance.diagonal().diag()).abs().max() < 0.01


def test_layers_begin_as_the_identity() -> None:
    first = AirBench(30, 4, 3).get_submodule("features.1.0")
    x = torch.randn(2, 24, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(first(x)[:, :24], x)


def test_a_fold_shows_it_training_images_alone(tmp_path: Path) -> None:
    settings = {"model": {"backbone": "small/airbench-16"}, "data": {"size_px": 16}}
    job = job_of(tmp_path, **settings)

    def first(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = parts_of(job, CPU, seed_of(seed)).network
        assert isinstance(network, AirBench)
        return network.whitening.weight.detach().clone()

    assert first(0).equal(first(1)), "it is not drawn"
    job.pixels[:].setflags(write=True)
    job.pixels[job.held_rows] = 0  # type: ignore[index]
    assert first(0).equal(first(1))


@pytest.mark.parametrize(("size_px", "shown"), [(16, 2048), (32, 2048), (64, 512), (128, 128)])
def test_of_large_images_it_is_shown_fewer(size_px: int, shown: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,048 of 128 px took 6 GiB, in each of the folds side by side."""
    seen: list[int] = []
    monkeypatch.setattr(AirBench, "adapt", lambda self, images: seen.append(len(images)))
    job = job_of(tmp_path, model={"backbone": "small/airbench-16"}, data={"size_px": size_px})
    parts_of(replace(job, train_rows=np.arange(3000) % 96), CPU, 0)
    assert seen == [shown]


@pytest.mark.parametrize("name", SMALL)
def test_images_that_are_too_small_are_refused(name: str) -> None:
    fewest = getattr(SMALL[name](classes=2, channels=1), "fewest_px", 1)
    network = build(f"small/{name}", 2, input_spec(f"small/{name}", fewest, 1)).eval()
    assert network(torch.zeros(1, 1, fewest, fewest)).shape == (1, 2)
    if fewest > 1:
        with pytest.raises(ModelError, match=f"takes images of {fewest} px and more, not of {fewest - 1}"):
            build(f"small/{name}", 2, input_spec(f"small/{name}", fewest - 1, 1))
