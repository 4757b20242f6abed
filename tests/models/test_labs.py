import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from models.__main__ import main
from models.backbones import build, input_spec
from models.errors import ModelError
from models.labs import LABS, MLP_UNITS


def conv(inputs: int, outputs: int, side: int) -> int:
    return (inputs * side * side + 1) * outputs


def norm(maps: int) -> int:
    return 2 * maps


def linear(*units: int) -> int:
    return sum((before + 1) * after for before, after in pairwise(units))


# (channels, classes) and the parameters, by hand
PARAMETERS: dict[str, tuple[int, int, int]] = {
    "mri-cnn": (1, 4, conv(1, 32, 3) + norm(32) + conv(32, 64, 3) + norm(64) + 4 * (conv(64, 64, 3) + norm(64)) + linear(64, 64, 64, 4)),
    **{f"mlp-{kind}-{units}": (1, 10, linear(28 * 28, units, 10)) for kind in ("sigmoid", "relu") for units in MLP_UNITS},
    "cifar-vgg": (3, 10, sum(conv(*maps, 3) for maps in pairwise((3, 32, 64, 128, 128, 256, 256))) + linear(256 * 4 * 4, 256, 64, 10)),
    "simple-cnn": (3, 10, conv(3, 6, 5) + conv(6, 16, 5) + linear(400, 120, 10)),
    "bn-cnn": (3, 10, conv(3, 16, 3) + norm(16) + conv(16, 32, 3) + norm(32) + conv(32, 64, 3) + norm(64) + linear(1024, 256, 10)),
    "pool-cnn-max": (3, 10, conv(3, 16, 3) + norm(16) + conv(16, 32, 3) + norm(32) + linear(2048, 256, 10)),
    "pool-cnn-average": (3, 10, conv(3, 16, 3) + norm(16) + conv(16, 32, 3) + norm(32) + linear(2048, 256, 10)),
    "cancer-baseline": (3, 2, conv(3, 16, 5) + conv(16, 16, 5) + conv(16, 3, 3) + linear(3 * 64 * 64, 64, 2)),
}
TOLD = {"mri-cnn": 175_812, "simple-cnn": 52_202}  # as the studies themselves printed them


def network_of(name: str, drop: float = 0.0) -> nn.Module:
    channels, classes, _ = PARAMETERS[name]
    return build(f"labs/{name}", classes, input_spec(f"labs/{name}", channels=channels), drop=drop)


@pytest.mark.parametrize("name", LABS)
def test_the_parameters_are_those_counted_by_hand(name: str) -> None:
    count = sum(weight.numel() for weight in network_of(name).parameters())
    assert count == PARAMETERS[name][2]
    assert count == TOLD.get(name, count)


def sides_of(name: str) -> list[int]:
    """The sides of the maps that the convolutions give, one after another."""
    network, sides = network_of(name), list[int]()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    channels = PARAMETERS[name][0]
    with torch.inference_mode():
        network(torch.zeros(1, channels, LABS[name].side_px, LABS[name].side_px))
    return sides


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("mri-cnn", [224, 113, 113, 58, 30, 15]),
        ("cifar-vgg", [32, 32, 16, 16, 8, 8]),
        ("simple-cnn", [28, 10]),
        ("bn-cnn", [32, 16, 8]),
        ("pool-cnn-max", [32, 16]),
        ("cancer-baseline", [256, 128, 64]),
    ],
)
def test_the_maps_have_the_sides_that_they_had(name: str, sides: list[int]) -> None:
    assert sides_of(name) == sides


def test_max_and_average_pooling_differ_in_nothing_else() -> None:
    ours, other = network_of("pool-cnn-max"), network_of("pool-cnn-average")
    other.load_state_dict(ours.state_dict())
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    kinds = [{type(layer) for layer in network.modules()} for network in (ours, other)]
    assert kinds[0] ^ kinds[1] == {nn.MaxPool2d, nn.AvgPool2d}
    with torch.inference_mode():
        assert not ours(picture).allclose(other(picture))


def test_a_hidden_layer_computes_what_is_written_on_paper() -> None:
    network = network_of("mlp-sigmoid-16")
    first, last = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    x = torch.rand(5, 1, 28, 28)
    with torch.inference_mode():
        hidden = 1 / (1 + torch.exp(-(x.flatten(1) @ first.weight.T + first.bias)))
        torch.testing.assert_close(network(x), hidden @ last.weight.T + last.bias)


@pytest.mark.parametrize("name", [name for name in LABS if LABS[name].only])
def test_another_side_is_refused_kindly(name: str) -> None:
    side = LABS[name].side_px
    with pytest.raises(ModelError, match=rf"labs/{name} takes images of {side} px alone, not of 48: .*\(--data.size-px {side}\)"):
        input_spec(f"labs/{name}", 48)


def test_a_network_that_averages_its_maps_takes_any_side() -> None:
    spec = input_spec("labs/mri-cnn", 64, 1)
    assert build("labs/mri-cnn", 4, spec)(torch.zeros(1, 1, 64, 64)).shape == (1, 4)


@pytest.mark.parametrize("name", LABS)
def test_the_summary_names_shapes_and_parameters_of_each_layer(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    channels, classes, parameters = PARAMETERS[name]
    side = LABS[name].side_px
    assert main(["summary", f"labs/{name}", "--size", str(side), "--channels", str(channels), "--classes", str(classes)]) == 0
    told = capsys.readouterr().out
    assert f"Total params: {parameters:,}" in told
    for layer in network_of(name).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            count = sum(map(torch.numel, layer.parameters()))
            assert any(type(layer).__name__ in line and f" {count:,}" in line for line in told.splitlines()), layer
    assert f"[1, {classes}]" in told


def test_the_summary_of_the_mri_network_shows_its_sides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "labs/mri-cnn", "--size", "224", "--channels", "1", "--classes", "4"]) == 0
    told = capsys.readouterr().out
    for maps, side in ((32, 224), (64, 113), (64, 58), (64, 30), (64, 15)):
        assert f"[1, {maps}, {side}, {side}]" in told


@pytest.mark.parametrize("name", LABS)
def test_it_begins_by_guessing_about_evenly(name: str) -> None:
    """A loss of about ln K before anything was learned."""
    torch.manual_seed(0)
    network, (channels, classes, _) = network_of(name), PARAMETERS[name]
    x = torch.randn(4, channels, LABS[name].side_px, LABS[name].side_px)
    with torch.inference_mode():
        loss = nn.functional.cross_entropy(network.train()(x), torch.arange(4) % classes)
    assert float(loss) == pytest.approx(math.log(classes), rel=0.35)
