"""Backbones by name: "timm/NAME", "torchvision/NAME", "small/NAME", "labs/NAME" -> a network and what it wants to be fed.

Legend: N batch, C channels, H, W, K outputs.
"""

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import timm
import timm.data
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from competition.config import ModelConfig
from competition.errors import choose
from models.errors import ModelError
from models.joint import blank, join_columns
from models.labs import LABS
from models.pooling import set_pool, several_dropouts
from models.small import SMALL

GREY_OF_RGB = (0.299, 0.587, 0.114)  # ITU-R BT.601, as image decoders do it
NO_PRETRAINED = (
    "--model.weights none trains from random weights, --model.weights FILE takes a .safetensors file of the backbone that you bring, "
    "and with network the weights are fetched once and kept"
)


@dataclass(frozen=True)
class InputSpec:
    """What a backbone was made to see: a square of size_px, values (x / 255 - mean) / std by channel."""

    size_px: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str  # bilinear, bicubic, ...
    fit: str = "stretch"  # how images that are not square become it (competition/cache.py)


@dataclass(frozen=True)
class Family:
    """One source of backbones.

    names() lists them; native(name) is the input spec of its pretrained weights, 3 channels;
    build(name, outputs, channels, weights, size_px, drop, drop_path) is the network; weights: "none", "pretrained" or a path;
    only_px(name) is the side that it takes alone, in px, None where it takes several.
    """

    names: Callable[[], list[str]]
    native: Callable[[str], InputSpec]
    build: Callable[..., nn.Module]
    only_px: Callable[[str], int | None] = lambda name: None


def split_name(backbone: str) -> tuple[str, str]:
    """("timm", "resnet18") of "timm/resnet18".

    Raises: CompetitionError where the family or the name is unknown, with the nearest that are there.
    """
    family, _, name = backbone.partition("/")
    if not name:
        family, name = "timm", family
    choose("family of backbones", family, FAMILIES)
    known = FAMILIES[family].names()
    if family == "timm":  # timm also takes NAME.TAG for a certain set of weights
        choose("timm backbone", name.split(".")[0], known)
        if "." in name and name not in timm.list_pretrained():
            choose("timm weights", name, timm.list_pretrained(name.split(".")[0] + "*"))
    else:
        choose(f"{family} backbone", name, known)
    return family, name


def input_spec(backbone: str, size_px: int | None = None, channels: int = 3, fit: str = "stretch") -> InputSpec:
    """The backbone's own input, at another size or number of channels where asked; fit: how images become square.

    Raises: ModelError where it takes images of another size alone.
    """
    family, name = split_name(backbone)
    native, only = FAMILIES[family].native(name), FAMILIES[family].only_px(name)
    if only and size_px and size_px != only:
        raise ModelError(
            f"{backbone} takes images of {only} px alone, not of {size_px}: its linear layers are made for them (--data.size-px {only})"
        )
    mean, std = _for_channels(native.mean, channels), _for_channels(native.std, channels)
    return InputSpec(size_px or native.size_px, channels, mean, std, native.interpolation, fit)


def only_px(backbone: str) -> int | None:
    """The side that the backbone takes alone, in px; None where it takes several."""
    family, name = split_name(backbone)
    return FAMILIES[family].only_px(name)


def build(
    backbone: str,
    outputs: int,
    spec: InputSpec,
    weights: str = "none",
    drop: float = 0.0,
    drop_path: float = 0.0,
    pool: str = "native",
    drop_samples: int = 1,
    numbers: int = 0,
    units: int = 0,
) -> nn.Module:
    """The network: N x C x H x W -> N x K. numbers: of the columns that it takes beside each image (N x D), units: of their own layer.

    Raises: ModelError where weights cannot be had or do not fit, or the backbone does not take such input.
    """
    family, name = split_name(backbone)
    check_weights(backbone, weights)
    try:
        hooked = drop_samples > 1 or (family == "torchvision" and drop > 0)  # torchvision's have no such setting
        once = 0.0 if hooked else drop
        network = FAMILIES[family].build(name, outputs, spec.channels, weights, spec.size_px, once, drop_path)
        if pool != "native":
            set_pool(network, family, pool, outputs)
        if family != "timm":
            network.pretrained_cfg = {"classifier": _last(network)}  # type: ignore[assignment]  # where timm's layer-wise rates look for the head
        last: Any = network.pretrained_cfg.get("classifier")  # type: ignore[union-attr, operator]
        if numbers or drop_samples > 1:
            last = last_layer(network)
        if numbers:
            join_columns(network, last, numbers, units, outputs, drop)
        network.eval()
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(1, spec.channels, spec.size_px, spec.size_px), *blank(network)).shape)
    except OSError as error:
        raise ModelError(f"weights {weights!r} of {backbone} cannot be had: {_first_line(error)}. {NO_PRETRAINED}") from error
    except (RuntimeError, ValueError, AssertionError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"{backbone} with {spec.channels} x {spec.size_px} x {spec.size_px} px and weights {weights!r} cannot be built: "
            f"{_first_line(error)}"
        ) from error
    if shape != (1, outputs):
        raise ModelError(f"{backbone} gives {shape} for one image where (1, {outputs}) is needed; it is no classifier")
    if hooked:  # not wrapped: the weights keep their names
        network.get_submodule(last).register_forward_pre_hook(several_dropouts(drop, drop_samples))
    return network


def has_batch_norm(backbone: str, spec: InputSpec) -> bool:
    """Whether the network normalises by the statistics of batches."""
    return any(isinstance(part, _BatchNorm) for part in build(backbone, 1, spec).modules())


def network_of(model: ModelConfig, outputs: int, spec: InputSpec, numbers: int = 0) -> nn.Module:
    """The network that a settled [model] asks for, with so many numbers of columns beside each image; raises as `build` does."""
    dropped = {"drop": model.drop, "drop_path": model.drop_path, "drop_samples": model.drop_samples}
    return build(model.backbone, outputs, spec, model.weights, pool=model.pool, numbers=numbers, units=model.column_units, **dropped)


def last_layer(network: nn.Module) -> str:
    """The name of the linear layer that gives the outputs of a network that `build` made.

    Raises: ModelError where the network ends in something else.
    """
    name: Any = network.pretrained_cfg.get("classifier")  # type: ignore[union-attr, operator]
    if not isinstance(name, str) or not isinstance(network.get_submodule(name), nn.Linear):
        raise ModelError(
            f"{type(network).__name__} does not end in one linear layer, as probes, several dropouts, the head's own rate and columns need "
            "(--data.columns none: images alone)"
        )
    return name


def check_weights(backbone: str, weights: str) -> None:
    """Raises ModelError, with the remedies, where `pretrained` weights can be neither found nor fetched, or a file of weights is none."""
    if weights == "none":
        return
    if weights == "pretrained":
        if why := why_no_pretrained(backbone):
            raise ModelError(f"pretrained weights of {backbone} cannot be had: {why}. {NO_PRETRAINED}")
    elif not Path(weights).is_file():
        raise ModelError(f"--model.weights {weights}: there is no such file; it takes auto, none, pretrained or a .safetensors file")
    elif Path(weights).suffix != ".safetensors":
        raise ModelError(
            f"{weights}: weights are read from .safetensors only, since a pickle can run anything; convert it where you trust it: "
            "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')"
        )


def why_no_pretrained(backbone: str) -> str:
    """Empty where pretrained weights are on disk or their host answers, else why they cannot be had."""
    family, name = split_name(backbone)
    if family in ("small", "labs"):
        return "there are none"
    if family == "timm":
        from huggingface_hub import constants, try_to_load_from_cache

        cfg = timm.get_pretrained_cfg(name)
        if cfg is None or not (cfg.hf_hub_id or cfg.url):
            return "there are none"
        if cfg.hf_hub_id:
            cached = [try_to_load_from_cache(cfg.hf_hub_id, file) for file in ("model.safetensors", "pytorch_model.bin")]
            if any(isinstance(path, str) for path in cached):
                return ""
        address = constants.ENDPOINT if cfg.hf_hub_id else str(cfg.url)
    else:
        from torchvision.models import get_model_weights

        address = str(get_model_weights(name)["DEFAULT"].url)
        if (Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]).is_file():
            return ""
    return _unreachable(address)


def _unreachable(address: str) -> str:
    """Empty where the host takes a connection within 3 s; hub clients themselves retry for most of a minute."""
    import urllib.request

    if urllib.request.getproxies().get("https"):
        return ""
    parts = urlsplit(address)
    try:
        with contextlib.closing(socket.create_connection((parts.hostname or "", parts.port or 443), timeout=3)):
            return ""
    except OSError as error:
        return f"{parts.hostname} does not answer ({error})"


def _for_channels(rgb: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Per-channel statistics for another number of channels: luminance-weighted for grey, repeated beyond RGB."""
    if channels == 1:
        return (sum(part * value for part, value in zip(GREY_OF_RGB, rgb, strict=True)),)
    return tuple(rgb[channel % 3] for channel in range(channels))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _timm_names() -> list[str]:
    return timm.list_models()


def _timm_native(name: str) -> InputSpec:
    cfg = timm.get_pretrained_cfg(name)
    options = timm.data.resolve_data_config(pretrained_cfg=cfg.to_dict() if cfg else {})
    return InputSpec(int(options["input_size"][-1]), 3, tuple(options["mean"]), tuple(options["std"]), options["interpolation"])


def _build_timm(name: str, outputs: int, channels: int, weights: str, size_px: int, drop: float, drop_path: float) -> nn.Module:
    options: dict[str, Any] = {"num_classes": outputs, "in_chans": channels, "drop_rate": drop}
    if drop_path:
        options["drop_path_rate"] = drop_path
    if weights not in ("none", "pretrained"):
        # timm loads strictly only where the outputs are as many as in the file: else a file of another network would load nothing, silently
        options["num_classes"] = _outputs_in(weights, name)
        options["pretrained_cfg_overlay"] = {"file": weights, "num_classes": options["num_classes"], "label_offset": 0}
    network: Any
    try:
        network = timm.create_model(name, pretrained=weights != "none", img_size=size_px, **options)
    except TypeError:  # only backbones of one fixed size take img_size
        network = timm.create_model(name, pretrained=weights != "none", **options)
    if options["num_classes"] != outputs:
        network.reset_classifier(outputs)
    return network


def _outputs_in(weights: str, name: str) -> int:
    """The outputs of the last layer in a file of timm's weights; 0 where the file has no last layer."""
    cfg = timm.get_pretrained_cfg(name)
    heads = (cfg.classifier if cfg else None) or ()
    heads = (heads,) if isinstance(heads, str) else heads
    with safe_open(weights, framework="pt") as file:
        named = set(file.keys())
        rows = [file.get_slice(f"{head}.weight").get_shape()[0] for head in heads if f"{head}.weight" in named]
    return rows[0] if rows else 0


def _torchvision_names() -> list[str]:
    from torchvision import models

    # the two with auxiliary heads give a tuple while training
    return [name for name in models.list_models(module=models) if name not in ("googlenet", "inception_v3")]


def _torchvision_native(name: str) -> InputSpec:
    from torchvision.models import get_model_weights

    preset = get_model_weights(name)["DEFAULT"].transforms()
    return InputSpec(preset.crop_size[0], 3, tuple(preset.mean), tuple(preset.std), preset.interpolation.value)


def _build_torchvision(name: str, outputs: int, channels: int, weights: str, size_px: int, drop: float, drop_path: float) -> nn.Module:
    from torchvision.models import get_model

    options: dict[str, Any] = {"stochastic_depth_prob": drop_path} if drop_path else {}
    sized = name.startswith("vit_") and weights == "none"
    network = get_model(name, weights=None, **options, **({"image_size": size_px} if sized else {}))
    if weights == "pretrained":
        network.load_state_dict(_torchvision_weights(name))
    elif weights != "none":
        _load(network, weights)
    _set_ends(network, channels, outputs)
    return network


def _torchvision_weights(name: str) -> dict[str, Any]:
    """Of the hub or its cache, where they come as a torch file: its tensors alone are read, nothing in it is run.

    Raises: OSError where they cannot be had; RuntimeError for a file of something else.
    """
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(name)["DEFAULT"]
    try:
        return weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch's readers raise many kinds
        raise RuntimeError(f"what lies in torch's cache is no file of weights ({_first_line(error)}); delete it") from None


def _first(network: nn.Module) -> str:
    """The name of the convolution that sees the image; empty where there is none."""
    return next((name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)), "")


def _last(network: nn.Module) -> str:
    """The name of the layer that gives the outputs."""
    return next(name for name, layer in reversed(list(network.named_modules())) if isinstance(layer, nn.Linear | nn.Conv2d))


def _set_ends(network: nn.Module, channels: int, outputs: int) -> None:
    """Makes the network take so many channels, its first weights carried over, and give so many outputs, by a new last layer.

    What fits stays as it is.
    """
    first: Any = network.get_submodule(_first(network))
    if isinstance(first, nn.Conv2d) and (seen := first.in_channels) != channels:
        weight = first.weight.data
        repeated = weight.repeat(1, -(-channels // seen), 1, 1)[:, :channels] * (seen / channels)
        first.weight = nn.Parameter(weight.sum(1, keepdim=True) if channels == 1 else repeated)
        first.in_channels = channels
    last: Any = network.get_submodule(_last(network))
    if len(last.weight) != outputs:
        head = nn.Linear(last.in_features, outputs) if isinstance(last, nn.Linear) else nn.Conv2d(last.in_channels, outputs, 1)
        network.set_submodule(_last(network), head)


def _load(network: nn.Module, weights: str) -> None:
    """Loads every weight of the file; the network takes the file's number of channels and outputs."""
    state = load_file(weights)
    first, last = (state.get(f"{name}.weight") for name in (_first(network), _last(network)))
    if first is not None and last is not None:
        _set_ends(network, first.shape[1], len(last))
    network.load_state_dict(state)


def _filled(network: nn.Module, weights: str, channels: int, outputs: int) -> nn.Module:
    """The network, with the weights of the file where there is one, and ends that fit."""
    if weights != "none":
        _load(network, weights)
        _set_ends(network, channels, outputs)
    return network


def _small_native(name: str) -> InputSpec:
    return InputSpec(32, 3, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")


def _build_small(name: str, outputs: int, channels: int, weights: str, size_px: int, drop: float, drop_path: float) -> nn.Module:
    network = SMALL[name](classes=outputs, channels=channels, drop=drop)
    if size_px < (fewest := getattr(network, "fewest_px", 1)):
        raise ModelError(f"small/{name} takes images of {fewest} px and more, not of {size_px} (--data.size-px)")
    return _filled(network, weights, channels, outputs)


def _labs_native(name: str) -> InputSpec:
    return InputSpec(LABS[name].side_px, 3, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")


def _build_labs(name: str, outputs: int, channels: int, weights: str, size_px: int, drop: float, drop_path: float) -> nn.Module:
    return _filled(LABS[name].network(classes=outputs, channels=channels, drop=drop), weights, channels, outputs)


FAMILIES: dict[str, Family] = {
    "timm": Family(_timm_names, _timm_native, _build_timm),
    "torchvision": Family(_torchvision_names, _torchvision_native, _build_torchvision),
    "small": Family(lambda: list(SMALL), _small_native, _build_small),
    "labs": Family(lambda: list(LABS), _labs_native, _build_labs, lambda name: LABS[name].side_px if LABS[name].only else None),
}
