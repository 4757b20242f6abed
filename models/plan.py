"""`auto` -> values, from the data and the device, each with its reason; and how long a run will take, from measured steps."""

import time
from pathlib import Path

import numpy as np
import torch

from competition.cache import pixels
from competition.config import Config
from competition.contest import Competition, Reason
from competition.metrics import check_metric
from competition.symmetry import find_symmetry
from models.augment import pipeline
from models.backbones import InputSpec, build, check_weights, input_spec, split_name, why_no_pretrained
from models.device import amp_of, device_of, threads_of
from models.losses import loss_for
from models.optim import check_optimizer

LOOKED_AT = 32
SMALL_PX = 64  # images up to this side get a small network at their own size
SMALL_BACKBONE = "small/resnet9-16"
SCRATCH_PX = 96  # larger ones are shrunk to this for it
SEEN = 30_000  # training images that a network from scratch should have been shown at the least, over all epochs


def resolve(config: Config, contest: Competition) -> tuple[Config, list[Reason]]:
    """The config with nothing left `auto` but symmetry (which needs the decoded pixels) and [machine], and why.

    Raises: CompetitionError or ModelError for names and weights that cannot be had.
    """
    device = device_of(config.machine)
    reasons: list[Reason] = []

    def chosen(what: str, value: object, why: str) -> None:
        reasons.append(Reason(what, str(value), why))

    data, model, optim = config.data, config.model, config.optim
    side, native_channels = look(contest)
    channels = data.channels
    if channels == "auto":
        channels = native_channels
        chosen("channels", channels, f"{min(LOOKED_AT, len(contest.train))} training images looked at")
    backbone, weights = model.backbone, model.weights
    if backbone == "auto":
        backbone, why = _backbone(side, weights, device)
        chosen("backbone", backbone, why)
    family, name = split_name(backbone)
    backbone = f"{family}/{name}"
    if weights == "auto":
        missing = why_no_pretrained(backbone)
        weights = "none" if missing else "pretrained"
        chosen("weights", weights, missing or "pretrained weights are within reach")
    else:
        check_weights(backbone, weights)
    size_px = data.size_px
    if size_px == "auto":
        most = 128 if device.type == "cpu" else 224
        size_px = min(max(8, side), SCRATCH_PX) if family == "small" else min(most, 32 * max(1, round(side / 32)))
        chosen("size", f"{size_px} px", f"images of {side} px, {backbone} on {device.type}")
    small = size_px <= SMALL_PX
    scratch = weights == "none"
    batch = optim.batch
    if batch == "auto":
        batch = int(np.clip(2 ** round(np.log2(max(1, len(contest.train) / 40))), 16, 128 if small else 32))
        chosen("batch", batch, f"{len(contest.train):,} training images of {size_px} px")
    epochs = optim.epochs
    if epochs == "auto":
        most, least = (60, 6) if scratch else (12, 3)
        epochs = int(np.clip(round((SEEN if scratch else SEEN / 3) / len(contest.train)), least, most))
        chosen("epochs", epochs, f"{len(contest.train):,} training images, {'from scratch' if scratch else 'from pretrained weights'}")
    lr = optim.lr
    if lr == "auto":
        lr = _rate(optim.optimizer, scratch) * (int(batch) / 64) ** 0.5
        lr = float(f"{lr:.2g}")
        chosen("learning rate", lr, f"{optim.optimizer} {'from scratch' if scratch else 'from pretrained weights'}, batch {batch}")
    strength = config.augment.strength
    if strength == "auto":
        strength = "light" if size_px <= 16 else "medium"
        chosen("augmentation", strength, f"{size_px} px")
    check_optimizer(optim.optimizer)
    loss = loss_for(optim.loss, contest.task)[0]
    metric = check_metric(contest.metric, contest.task)
    pipeline(
        strength, int(size_px), "none", config.augment.extra, int(channels)
    )  # an argument that does not fit is an error now, not in the first batch
    asked = (contest.settled or config.competition).model_copy(update={"slug": contest.name, "metric": metric, "task": contest.task.kind})
    return config.model_copy(
        update={
            "competition": asked,
            "data": data.model_copy(update={"size_px": size_px, "channels": channels}),
            "augment": config.augment.model_copy(update={"strength": strength}),
            "model": model.model_copy(update={"backbone": backbone, "weights": weights}),
            "optim": optim.model_copy(update={"batch": batch, "epochs": epochs, "lr": lr, "loss": loss}),
        }
    ), reasons


def prepare(config: Config, contest: Competition) -> tuple[Config, InputSpec, np.ndarray, list[Reason]]:
    """The config with only [machine] left `auto`, what the network is fed, all training images (uint8 N x S x S x C), the reasons."""
    config, reasons = resolve(config, contest)
    spec = input_spec(config.model.backbone, int(config.data.size_px), int(config.data.channels))
    seen = pixels(contest.images, contest.train, spec.size_px, spec.channels, spec.interpolation, config.machine.cache / contest.name)
    if config.augment.symmetry == "auto":
        symmetry = find_symmetry(seen, contest.task.strata(contest.truth))
        reasons.append(symmetry)
        config = config.model_copy(update={"augment": config.augment.model_copy(update={"symmetry": symmetry.value})})
    return config, spec, seen, reasons


def plan_lines(
    config: Config, contest: Competition, directory: Path, asked: list[int], pending: list[int], at_once: int, device: torch.device
) -> list[list[str]]:
    """What is about to be done, as rows of a name and a text."""
    optim, augment = config.optim, config.augment
    finished = [fold for fold in asked if fold not in pending]
    lines = [
        ["competition", f"{contest.name}: {len(contest.train):,} training rows, {len(contest.test):,} test images"],
        ["task", f"{contest.task.kind}, {len(contest.task.classes)} classes, scored by {contest.metric}"],
        [
            "folds",
            f"{', '.join(map(str, pending)) or 'none'} of {config.folds.count}, {config.folds.scheme}"
            + (f"; finished before: {', '.join(map(str, finished))}" if finished else ""),
        ],
        ["backbone", f"{config.model.backbone}, weights {config.model.weights}, {config.data.size_px} px, {config.data.channels} channels"],
        [
            "training",
            f"{optim.epochs} epochs, batch {optim.batch}, {optim.optimizer}, lr {optim.lr}, {optim.schedule}; "
            f"augmentation {augment.strength}, symmetry {augment.symmetry}",
        ],
        ["device", f"{device.type}, mixed precision {amp_of(config.machine, device)}, {at_once} fold{'s' * (at_once > 1)} at once"],
        ["run", str(directory)],
    ]
    if pending:
        share = 1 - 1 / config.folds.count
        shown = (
            len(contest.train) * (share + (1 - share) / 3) * int(optim.epochs)
        )  # a held-out image costs about a third of a training image
        minutes = seconds_per_image(config, len(contest.task.classes)) * shown * len(pending) / 60
        lines.append(["time", f"about {minutes / min(at_once, 1.3):.1f} minutes, by the network's own steps"])
    return lines


def look(contest: Competition) -> tuple[int, int]:
    """The middle of the longer sides in px, and the channels (1 only where all are grey), of some training images."""
    chosen = np.unique(np.linspace(0, len(contest.train) - 1, min(LOOKED_AT, len(contest.train))).astype(int))
    shapes = [contest.images.read(key).shape for key in contest.train["image"].iloc[chosen]]
    return int(np.median([max(shape[:2]) for shape in shapes])), max(shape[2] for shape in shapes)


def seconds_per_image(config: Config, outputs: int) -> float:
    """Seconds a training image costs this device and network, from one warm-up step and the faster of two more."""
    device = device_of(config.machine)
    torch.set_num_threads(threads_of(config.machine))
    spec = input_spec(config.model.backbone, int(config.data.size_px), int(config.data.channels))
    network = build(config.model.backbone, outputs, spec).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    x = torch.zeros(int(config.optim.batch), spec.channels, spec.size_px, spec.size_px, device=device).contiguous(
        memory_format=torch.channels_last
    )
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        network(x).square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return min(taken[1:]) / len(x)


def _backbone(side: int, weights: str, device: torch.device) -> tuple[str, str]:
    """A backbone for images of this size, and why: a pretrained one where they are large and its weights can be had."""
    large = "timm/tf_efficientnet_lite0" if device.type == "cpu" else "timm/efficientnet_b0"
    if side <= SMALL_PX:
        return SMALL_BACKBONE, f"images of {side} px"
    if weights == "none":
        return SMALL_BACKBONE, "it learns fast without pretrained weights"
    if weights == "auto" and (missing := why_no_pretrained(large)):
        return SMALL_BACKBONE, f"it learns fast without pretrained weights, and those of {large} cannot be had: {missing}"
    return large, f"images of {side} px, on {device.type}"


def _rate(optimizer: str, scratch: bool) -> float:
    """A rate that is rarely wrong for batch 64."""
    if optimizer.startswith(("sgd", "momentum", "nesterov")):
        return 0.05 if scratch else 0.01
    return 3e-3 if scratch else 5e-4
