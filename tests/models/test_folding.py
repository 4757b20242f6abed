from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.backbones import build, input_spec
from models.folding import folded
from models.joint import join_columns


def settled(network: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation mode, with statistics that a training would have left."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, _BatchNorm) and part.running_mean is not None and part.running_var is not None:
            part.running_mean.normal_(0, 0.2, generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def norms(network: object) -> int:
    assert isinstance(network, nn.Module)
    return sum(isinstance(part, _BatchNorm) for part in network.modules())


def images(count: int = 4, size_px: int = 32) -> torch.Tensor:
    return torch.randn(count, 3, size_px, size_px, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("backbone", "left"),
    [
        ("small/resnet9-8", 0),
        ("small/airbench-16", 3),  # those behind a pooling stay
        ("timm/resnet18", 0),
        ("timm/tf_efficientnet_lite0", 0),  # norm and activation in one
        ("timm/mobilenetv3_small_100", 0),
        ("timm/densenet121", 62),  # norms before convolutions stay
        ("torchvision/resnet18", 0),
    ],
)
def test_a_folded_network_gives_the_same(backbone: str, left: int) -> None:
    torch.manual_seed(0)
    network = settled(build(backbone, 3, input_spec(backbone, 32)))
    found = folded(network, (images(2),))
    assert found is not network
    assert norms(network) > norms(found) == left
    with torch.inference_mode():
        for count in (1, 2, 5):
            assert (found(images(count)).softmax(1) - network(images(count)).softmax(1)).abs().max() < 1e-6


def test_columns_join_in() -> None:
    network = build("small/resnet9-8", 3, input_spec("small/resnet9-8", 32))
    join_columns(network, "head", 5, 4, 3)
    settled(network)
    found = folded(network, (images(2), torch.zeros(2, 5)))
    assert norms(found) == 0
    columns = torch.randn(3, 5)
    with torch.inference_mode():
        torch.testing.assert_close(found(images(3), columns), network(images(3), columns), rtol=1e-5, atol=1e-5)


class Forked(nn.Module):
    """A convolution that two look at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.conv(x)
        return (self.norm(seen) + seen).mean((2, 3))


class Odd(Forked):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if float(x.sum()) > 0 else x.amax((2, 3))  # what it does depends on the values


def test_a_convolution_that_others_look_at_stays() -> None:
    network = settled(Forked())
    found = folded(network, (images(2),))
    assert norms(found) == 1
    with torch.inference_mode():
        torch.testing.assert_close(found(images()), network(images()))


@pytest.mark.parametrize("network", [Odd(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())])
def test_what_cannot_be_traced_or_has_nothing_to_fold_stays_itself(network: nn.Module) -> None:
    assert folded(settled(network), (images(2),)) is network


class Watching(nn.Conv2d):
    seen: ClassVar[set[bool]] = set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add(torch.backends.cudnn.allow_tf32)
        return super().forward(x)


def test_both_are_compared_in_full_precision() -> None:
    before = torch.backends.cudnn.allow_tf32
    network = settled(nn.Sequential(Watching(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()))
    assert norms(folded(network, (images(2),))) == 0
    assert Watching.seen == {False}
    assert torch.backends.cudnn.allow_tf32 == before


def test_other_numbers_are_not_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    network = settled(build("small/resnet9-8", 3, input_spec("small/resnet9-8", 32)))
    monkeypatch.setattr("models.folding.fuse_conv_bn_eval", lambda conv, norm: conv)
    assert folded(network, (images(2),)) is network
    assert "batch norms are not folded, since the network gives other numbers then (off by" in capsys.readouterr().out
