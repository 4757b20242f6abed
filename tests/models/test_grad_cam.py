import pytest
import torch
from torch import nn

from models.backbones import build, input_spec
from models.grad_cam import FEWEST, grad_cam

SIDE = 64
BACKBONES = ["small/resnet9-8", "small/airbench-16", "timm/test_resnet", "timm/test_vit", "torchvision/shufflenet_v2_x0_5"]


def images(count: int = 2, side: int = SIDE) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def first_output(outputs: torch.Tensor) -> torch.Tensor:
    return outputs[:, 0]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_kind_of_backbone_has_a_map_a_picture(backbone: str) -> None:
    torch.manual_seed(0)
    heat = grad_cam(build(backbone, 3, input_spec(backbone, SIDE)), (images(),), first_output)
    assert heat is not None
    assert heat.shape[0] == 2
    assert min(heat.shape[1:]) >= FEWEST
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_a_class_token_still_hears_the_others_where_it_is_asked() -> None:
    """After the last attention no token of the image has a say any more."""
    torch.manual_seed(0)
    heat = grad_cam(build("timm/vit_tiny_patch16_224", 3, input_spec("timm/vit_tiny_patch16_224", SIDE)).eval(), (images(),), first_output)
    assert heat is not None
    assert heat.shape == (2, 4, 4)
    assert heat.amax((1, 2)).tolist() == [1, 1]


def test_by_hand() -> None:
    """Two channels, seen as they are and averaged: each speaks by its weight, and what speaks against is left out."""
    network = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1, bias=False))
    network[0].weight.data = torch.eye(2)[..., None, None]
    network[3].weight.data = torch.tensor([[2.0, -1.0]])
    x = torch.rand(3, 2, 5, 6, generator=torch.Generator().manual_seed(1))
    heat = grad_cam(network, (x,), first_output)
    expected = (2 * x[:, 0] - x[:, 1]).relu()
    assert heat is not None
    torch.testing.assert_close(heat, expected / expected.amax((1, 2), keepdim=True))


def test_each_picture_has_the_map_that_it_has_alone() -> None:
    network = build("small/resnet9-8", 3, input_spec("small/resnet9-8", 32))
    both, alone = (grad_cam(network, (images(2, 32)[:count],), first_output) for count in (2, 1))
    assert both is not None
    assert alone is not None
    torch.testing.assert_close(both[:1], alone)


def test_without_a_grid_there_is_no_map_and_nothing_stays_hooked() -> None:
    network = build("small/pixels", 3, input_spec("small/pixels", 2))
    assert grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), (images(1, 2),), first_output) is None
    assert grad_cam(network, (images(1, 2),), first_output) is not None, "sixteen positions a side, though enlarged"
    assert not any(module._forward_hooks for module in network.modules())
