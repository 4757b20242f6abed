import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn

from competition.errors import CompetitionError
from models.backbones import FAMILIES, InputSpec, build, input_spec, only_px, split_name
from models.errors import ModelError
from models.labs import LABS
from models.small import SMALL

TIMM = ["timm/test_resnet", "timm/test_vit", "timm/test_efficientnet", "timm/test_convnext"]
TORCHVISION = ["torchvision/mobilenet_v3_small", "torchvision/shufflenet_v2_x0_5", "torchvision/squeezenet1_0"]
NAMES = [*(f"small/{name}" for name in SMALL), *(f"labs/{name}" for name in LABS), *TIMM, *TORCHVISION]
LOADABLE = [
    "small/resnet9-8",
    "labs/simple-cnn",
    "timm/test_resnet",
    "timm/test_vit",
    "torchvision/shufflenet_v2_x0_5",
    "torchvision/squeezenet1_0",
]


def side_of(backbone: str) -> int:
    """A small side, in px, that the backbone takes."""
    if backbone.startswith("labs/"):
        return only_px(backbone) or 64
    return 16 if backbone.startswith("small/") else 64


def spec_of(backbone: str, channels: int = 3) -> InputSpec:
    return input_spec(backbone, side_of(backbone), channels)


def weights_file(network: nn.Module, path: Path) -> str:
    save_file({name: value.contiguous().clone() for name, value in network.state_dict().items()}, path)
    return str(path)


def before_the_head(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the last layer is given."""
    last = next(layer for layer in reversed(list(network.modules())) if isinstance(layer, nn.Linear | nn.Conv2d))
    seen: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network.eval()(images)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("backbone", NAMES)
def test_a_backbone_takes_any_channels_and_gives_any_outputs(backbone: str, channels: int) -> None:
    network = build(backbone, 7, spec_of(backbone, channels))
    side = side_of(backbone)
    images = torch.rand(2, channels, side, side)
    assert network.train()(images).shape == (2, 7)
    assert network.eval()(images).shape == (2, 7)


@pytest.mark.parametrize("backbone", NAMES)
def test_dropout_acts_in_training_only_and_keeps_the_names_of_the_weights(backbone: str) -> None:
    spec = spec_of(backbone)
    network = build(backbone, 3, spec, drop=0.9)
    assert list(network.state_dict()) == list(build(backbone, 3, spec).state_dict())
    images = torch.rand(4, 3, spec.size_px, spec.size_px)
    assert network.eval()(images).equal(network(images))
    for module in network.modules():  # else batch norm alone makes the difference
        module.train(isinstance(module, nn.Dropout | nn.Linear | nn.Conv2d) or not list(module.parameters(recurse=False)))
    network.training = True  # timm's networks ask themselves
    assert not network(images).equal(network(images))


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "torchvision/convnext_tiny"])
def test_stochastic_depth_reaches_the_backbone(backbone: str) -> None:
    spec = input_spec(backbone, 32)
    network = build(backbone, 3, spec, drop_path=0.5)
    kinds = {type(layer).__name__ for layer in network.modules()}
    assert kinds & {"DropPath", "StochasticDepth"}


def test_the_input_is_the_backbones_own() -> None:
    spec = input_spec("timm/tf_efficientnet_lite0")
    cfg = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert cfg is not None
    assert spec == InputSpec(224, 3, cfg.mean, cfg.std, "bicubic")
    assert spec.mean == (0.5, 0.5, 0.5)
    other = input_spec("timm/test_resnet")
    assert other.size_px == 160
    assert input_spec("torchvision/mobilenet_v3_small") == InputSpec(224, 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear")
    assert input_spec("timm/tf_efficientnet_lite0", 96).size_px == 96


def test_the_statistics_of_other_channels_come_from_those_of_colour() -> None:
    rgb = input_spec("timm/resnet18")
    grey, five = input_spec("timm/resnet18", channels=1), input_spec("timm/resnet18", channels=5)
    assert grey.mean == pytest.approx((0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406,))
    assert five.std == (*rgb.std, *rgb.std[:2])


def test_a_name_without_family_is_one_of_timm() -> None:
    assert split_name("resnet18") == ("timm", "resnet18")
    assert split_name("timm/resnet18.a1_in1k") == ("timm", "resnet18.a1_in1k")


@pytest.mark.parametrize(
    ("backbone", "match"),
    [
        ("tim/resnet18", "unknown family of backbones 'tim': perhaps 'timm'"),
        ("timm/resnet81", "unknown timm backbone 'resnet81': perhaps 'resnet18'"),
        ("timm/resnet18.a1_in2k", "unknown timm weights 'resnet18.a1_in2k': perhaps 'resnet18.a1_in1k'"),
        ("torchvision/mobilenet_v3_smal", "unknown torchvision backbone .* perhaps 'mobilenet_v3_small'"),
        ("small/resnet9-15", "unknown small backbone .* perhaps 'resnet9-16'"),
        ("", "unknown timm backbone ''"),
    ],
)
def test_an_unknown_name_lists_the_nearest(backbone: str, match: str) -> None:
    with pytest.raises(CompetitionError, match=match):
        split_name(backbone)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_listed_name_can_be_asked_for(family: str) -> None:
    names = FAMILIES[family].names()
    assert names
    for name in names[:: max(1, len(names) // 20)]:
        assert split_name(f"{family}/{name}") == (family, name)
        assert input_spec(f"{family}/{name}").size_px > 0


@pytest.mark.parametrize("backbone", LOADABLE)
def test_weights_of_a_file_come_back_with_other_outputs(backbone: str, tmp_path: Path) -> None:
    spec = spec_of(backbone)
    images = torch.rand(2, 3, spec.size_px, spec.size_px)
    source = build(backbone, 5, spec)
    file = weights_file(source, tmp_path / "weights.safetensors")
    for outputs in (5, 3, 1000):
        loaded = build(backbone, outputs, spec, weights=file)
        assert loaded(images).shape == (2, outputs)
        torch.testing.assert_close(before_the_head(loaded, images), before_the_head(source, images))
    with torch.inference_mode():
        torch.testing.assert_close(build(backbone, 5, spec, weights=file)(images), source(images), msg="as many outputs keep the head")


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("backbone", LOADABLE)
def test_weights_of_a_file_serve_other_channels(backbone: str, channels: int, tmp_path: Path) -> None:
    """A grey picture is an RGB one with three equal channels: the features agree. Beyond RGB channels repeat, and the sum is kept."""
    spec = spec_of(backbone)
    source = build(backbone, 5, spec)
    loaded = build(backbone, 3, spec_of(backbone, channels), weights=weights_file(source, tmp_path / "weights.safetensors"))
    grey = torch.rand(2, 1, spec.size_px, spec.size_px)
    three, many = grey.expand(-1, 3, -1, -1), grey.expand(-1, channels, -1, -1)
    if channels == 1:
        torch.testing.assert_close(before_the_head(loaded, many), before_the_head(source, three), rtol=1e-4, atol=1e-4)
    assert before_the_head(loaded, many).isfinite().all()


@pytest.mark.parametrize("backbone", LOADABLE)
def test_weights_of_a_grey_network_serve_a_grey_one(backbone: str, tmp_path: Path) -> None:
    spec = spec_of(backbone, 1)
    source = build(backbone, 5, spec)
    images = torch.rand(2, 1, spec.size_px, spec.size_px)
    loaded = build(backbone, 3, spec, weights=weights_file(source, tmp_path / "weights.safetensors"))
    torch.testing.assert_close(before_the_head(loaded, images), before_the_head(source, images))


def test_weights_at_half_precision_become_full(tmp_path: Path) -> None:
    spec = spec_of("timm/test_resnet")
    source = build("timm/test_resnet", 5, spec)
    save_file(
        {name: value.half() if value.is_floating_point() else value for name, value in source.state_dict().items()},
        tmp_path / "a.safetensors",
    )
    loaded = build("timm/test_resnet", 4, spec, weights=str(tmp_path / "a.safetensors"))
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("backbone", LOADABLE)
@pytest.mark.parametrize("case", ["another network", "cut", "no safetensors", "another width"])
def test_a_wrong_file_is_an_error_and_never_loads_nothing(backbone: str, case: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    spec = spec_of(backbone)
    file = weights_file(build("timm/test_efficientnet", 4, spec_of("timm/test_efficientnet")), path)
    if case == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif case == "no safetensors":
        path.write_bytes(b"these are no weights")
    elif case == "another width":
        state = {name: torch.cat([value, value]) if value.ndim else value for name, value in build(backbone, 4, spec).state_dict().items()}
        save_file(state, path)
    with pytest.raises(ModelError, match=f"{backbone}.*cannot be built"):
        build(backbone, 3, spec, weights=file)


def test_what_is_no_safetensors_file_is_refused_by_its_name(tmp_path: Path) -> None:
    spec = spec_of("timm/test_resnet")
    pickled = tmp_path / "weights.pth"
    torch.save(build("timm/test_resnet", 3, spec).state_dict(), pickled)
    with pytest.raises(ModelError, match=r"read from \.safetensors only, since a pickle can run anything; convert it .*weights_only=True"):
        build("timm/test_resnet", 3, spec, weights=str(pickled))
    with pytest.raises(ModelError, match=r"there is no such file; it takes auto, none, pretrained or a .safetensors file"):
        build("timm/test_resnet", 3, spec, weights="pretraind")


def test_a_size_that_the_backbone_cannot_take_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"small/resnet9-8 with 3 x 2 x 2 px .* cannot be built"):
        build("small/resnet9-8", 3, input_spec("small/resnet9-8", 2))


def test_pretrained_weights_without_a_network_fail_quickly_and_name_the_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    started = time.monotonic()
    remedies = (
        "pretrained weights of timm/test_resnet cannot be had: 127.0.0.1 does not answer .*--model.weights none .*--model.weights FILE"
    )
    with pytest.raises(ModelError, match=remedies):
        build("timm/test_resnet", 3, spec_of("timm/test_resnet"), weights="pretrained")
    assert time.monotonic() - started < 5


def test_small_backbones_have_no_pretrained_weights() -> None:
    with pytest.raises(ModelError, match="pretrained weights of small/resnet9-8 cannot be had: there are none"):
        build("small/resnet9-8", 3, spec_of("small/resnet9-8"), weights="pretrained")


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_hub_that_answers_but_has_not_the_weights_is_an_error_that_names_the_remedies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"http://127.0.0.1:{server.server_port}" + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(ModelError, match=r"weights 'pretrained' of timm/test_resnet cannot be had: .*--model.weights none"):
            build("timm/test_resnet", 3, spec_of("timm/test_resnet"), weights="pretrained")
        server.shutdown()


def test_the_first_layer_for_grey_sums_that_for_colour() -> None:
    """So that equal statistics give equal features; see the statistics above."""
    spec = spec_of("torchvision/shufflenet_v2_x0_5")
    torch.manual_seed(0)
    colour = build("torchvision/shufflenet_v2_x0_5", 3, spec)
    torch.manual_seed(0)
    grey = build("torchvision/shufflenet_v2_x0_5", 3, spec_of("torchvision/shufflenet_v2_x0_5", 1))
    whole, single = (next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d)).weight for network in (colour, grey))
    np.testing.assert_allclose(whole.detach().sum(1, keepdim=True), single.detach(), rtol=1e-5)
