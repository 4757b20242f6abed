"""`auto` -> values, from the data and the device, each with its reason; and how long a run will take, from measured steps."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from competition.cache import Pixels, pixels
from competition.config import Config
from competition.contest import Competition, Reason
from competition.errors import examples
from competition.metrics import check_metric
from competition.processes import PROCESSES
from competition.settings import read_recipe, validated
from competition.symmetry import symmetry_of, used_symmetry
from competition.tabular import chosen
from models.augment import pipeline
from models.backbones import InputSpec, build, check_weights, has_batch_norm, input_spec, only_px, split_name, why_no_pretrained
from models.batches import chances_of
from models.device import TORCH_TYPE, amp_of, device_of, threads_of
from models.losses import class_weights, loss_for
from models.memory import fitted
from models.optim import check_average, check_optimizer

LOOKED_AT = 32
SMALL_PX = 64  # images up to this side get a small network at their own size


@dataclass(frozen=True)
class Effort:
    """What `auto` may cost. Of sizes in px, the first is for a CPU, the second for a GPU; larger images are shrunk to it.

    seen: training images that a network from scratch should have been shown, over all epochs (one with pretrained weights a third of them).
    """

    small: str  # for images up to SMALL_PX, and without pretrained weights
    large: tuple[str, str]
    scratch_px: int
    size_px: tuple[int, int]
    seen: int
    most_epochs: tuple[int, int]  # from scratch, and from pretrained weights
    strength: str


EFFORTS = {
    "quick": Effort(
        small="small/resnet9-8",
        large=("timm/tf_efficientnet_lite0", "timm/efficientnet_b0"),
        scratch_px=64,
        size_px=(96, 160),
        seen=15_000,
        most_epochs=(30, 5),
        strength="light",
    ),
    "standard": Effort(
        small="small/resnet9-16",
        large=("timm/tf_efficientnet_lite0", "timm/efficientnet_b0"),
        scratch_px=96,
        size_px=(128, 224),
        seen=30_000,
        most_epochs=(60, 12),
        strength="medium",
    ),
    "strong": Effort(
        small="small/resnet9-32",
        large=("timm/tf_efficientnet_lite0", "timm/tf_efficientnetv2_s"),
        scratch_px=128,
        size_px=(192, 384),
        seen=90_000,
        most_epochs=(120, 25),
        strength="heavy",
    ),
}
PLANNED = ("data.size_px", "optim.epochs", "optim.batch", "optim.lr", "augment.strength", "augment.symmetry")  # what a budget may change
SMALLER_PX = (96, 64, 48)
ENOUGH_EPOCHS = (8, 2)  # from scratch, and from pretrained weights: rather smaller images than fewer
FEW, LONG_SECONDS = 8, 0.2  # images of a first measured step, and what is long for them
TRAINED_SHARE = 0.75  # of the time; the rest is for starting, augmentation and validation
PROBED = "small/pixels"  # where there are no pretrained weights to probe
PROBED_PX = 96  # to what smaller images are enlarged where there are


def resolve(config: Config, contest: Competition, seconds: float = math.inf, threads: int | None = None) -> tuple[Config, list[Reason]]:
    """The config with nothing left `auto` but symmetry (which needs the decoded pixels), [folds] (settled before) and [machine]; and why.

    seconds: that one fold may take, on so many threads (none: those of [machine]). What a run with a budget chose before stays.

    Raises: CompetitionError or ModelError for names and weights that cannot be had.
    """
    reasons: list[Reason] = []
    side, channels = look(contest)
    config = _what(config, contest, side, channels, reasons)
    if config.optim.budget and not config.optim.planned and config.optim.method == "train":
        config = _planned_before(config, contest)
    if config.data.size_px == "auto":
        config = _size(config, contest, side, seconds, threads, reasons)
    if config.optim.method == "train":
        config = _how(config, contest, reasons)
    return config, reasons


def _what(config: Config, contest: Competition, side: int, native_channels: int, reasons: list[Reason]) -> Config:
    """Columns, channels, backbone, weights, loss: what no measurement and no budget changes."""
    data, model, optim = config.data, config.model, config.optim
    channels, backbone, weights = data.channels, model.backbone, model.weights
    if channels == "auto":
        channels = native_channels
        reasons.append(Reason("channels", str(channels), f"{min(LOOKED_AT, len(contest.train))} training images looked at"))
    tabular = chosen(contest.tabular, config)
    columns = tabular.names if tabular else data.columns if contest.tabular is None else ("none",)
    if tabular and data.columns == ("auto",):
        why = "training and test rows have them: they join what the backbone sees; --data.columns none: images alone"
        reasons.append(Reason("columns", examples(columns), why))
    if backbone == "auto":
        backbone, why = _backbone(side, weights, device_of(config.machine), EFFORTS[optim.effort], optim.method == "probe")
        reasons.append(Reason("backbone", backbone, why))
    backbone = "/".join(split_name(backbone))
    if weights == "auto":
        missing = why_no_pretrained(backbone)
        weights = "none" if missing else "pretrained"
        reasons.append(Reason("weights", weights, missing or "pretrained weights are within reach"))
    else:
        check_weights(backbone, weights)
    loss = loss_for(optim.loss, contest.task)[0]
    class_weights(optim.class_weights, contest.truth, contest.task)  # an error now, where they do not fit
    metric = check_metric(contest.metric, contest.task)
    asked = (contest.settled or config.competition).model_copy(update={"slug": contest.name, "metric": metric, "task": contest.task.kind})
    return config.model_copy(
        update={
            "competition": asked,
            "data": data.model_copy(update={"channels": channels, "columns": columns}),
            "model": model.model_copy(update={"backbone": backbone, "weights": weights}),
            "optim": optim.model_copy(update={"loss": loss}),
        }
    )


def _size(config: Config, contest: Competition, side: int, seconds: float, threads: int | None, reasons: list[Reason]) -> Config:
    """The side of the squares that the network sees, for images of `side` px."""
    device, effort, backbone = device_of(config.machine), EFFORTS[config.optim.effort], config.model.backbone
    if only := only_px(backbone):
        reasons.append(Reason("size", f"{only} px", f"{backbone} takes no other"))
        return config.model_copy(update={"data": config.data.model_copy(update={"size_px": only})})
    small, probed = split_name(backbone)[0] == "small", config.optim.method == "probe"
    if small:
        size_px = min(max(8, side), effort.scratch_px)
    else:
        size_px = min(effort.size_px[device.type != "cpu"], 32 * max(1, round(side / 32)))
        size_px = max(size_px, PROBED_PX) if probed else size_px
    why = f"images of {side} px, {backbone} on {device.type}"
    if seconds < math.inf and not probed:
        size_px, told = _size_within(config, contest, size_px, seconds, threads)
        why = f"{why}: {told}"
    reasons.append(Reason("size", f"{size_px} px", why))
    return config.model_copy(update={"data": config.data.model_copy(update={"size_px": size_px})})


def _how(config: Config, contest: Competition, reasons: list[Reason]) -> Config:
    """Batch, epochs, learning rate and augmentation, for images of a size that is settled."""
    optim, size_px, effort = config.optim, int(config.data.size_px), EFFORTS[config.optim.effort]
    scratch, rows = config.model.weights == "none", len(contest.train)
    whence = "from scratch" if scratch else "from pretrained weights"
    batch, epochs, lr, strength = optim.batch, optim.epochs, optim.lr, config.augment.strength
    if batch == "auto":
        batch = _batch(rows, size_px)
        reasons.append(Reason("batch", str(batch), f"{rows:,} training images of {size_px} px"))
    if epochs == "auto":
        most, least = effort.most_epochs[not scratch], 6 if scratch else 3
        if optim.budget:
            epochs = 2 * most
            reasons.append(Reason("epochs", f"up to {epochs}", f"as many as there is time for, {whence}"))
        else:
            epochs = int(np.clip(round((effort.seen if scratch else effort.seen / 3) / rows), least, most))
            reasons.append(Reason("epochs", str(epochs), f"{rows:,} training images, {whence}"))
    if lr == "auto":
        normed = not scratch and has_batch_norm(
            config.model.backbone, input_spec(config.model.backbone, size_px, int(config.data.channels))
        )
        lr = float(f"{_rate(optim.optimizer, scratch, normed) * (int(batch) / 64) ** 0.5:.2g}")
        reasons.append(Reason("learning rate", str(lr), f"{optim.optimizer} {whence}{', with batch norm' * normed}, batch {batch}"))
    if strength == "auto":
        strength = "light" if size_px <= 16 else effort.strength
        reasons.append(Reason("augmentation", strength, f"{size_px} px"))
    check_average(optim)
    check_optimizer(optim.optimizer)  # what does not fit is an error now, not in the first batch
    chances_of(optim.sampler, contest.truth, contest.task)
    pipeline(strength, size_px, "none", config.augment.extra, int(config.data.channels))
    return config.model_copy(
        update={
            "augment": config.augment.model_copy(update={"strength": strength}),
            "optim": optim.model_copy(update={"batch": batch, "epochs": epochs, "lr": lr}),
        }
    )


def _batch(rows: int, size_px: int) -> int:
    return int(np.clip(2 ** round(np.log2(max(1, rows / 40))), 16, 128 if size_px <= SMALL_PX else 32))


def prepare(
    config: Config, contest: Competition, seconds: float = math.inf, threads: int | None = None
) -> tuple[Config, InputSpec, Pixels, list[Reason]]:
    """The config with only [machine] left `auto`, what the network is fed, all training images (uint8 N x S x S x C), the reasons.

    seconds, threads: as for `resolve`.
    """
    config, reasons = resolve(config, contest, seconds, threads)
    spec = input_spec(config.model.backbone, int(config.data.size_px), int(config.data.channels), config.data.fit)
    cache = config.machine.cache / contest.name
    seen = pixels(contest.images, contest.train, spec.size_px, spec.channels, spec.interpolation, cache, config.machine.most_gib, spec.fit)
    if config.augment.symmetry == "auto":
        symmetry = symmetry_of(seen, contest.task.strata(contest.truth), cache)
        reasons.append(symmetry)
        config = config.model_copy(update={"augment": config.augment.model_copy(update={"symmetry": symmetry.value})})
    return config, spec, seen, reasons


def plan_lines(
    config: Config, contest: Competition, directory: Path, asked: list[int], pending: list[int], at_once: int, device: torch.device
) -> list[list[str]]:
    """What is about to be done, as rows of a name and a text."""
    named = {fold: str(fold) if fold < config.folds.count else "full" for fold in asked}
    finished = [named[fold] for fold in asked if fold not in pending]
    lines = [
        ["competition", f"{contest.name}: {len(contest.train):,} training rows, {len(contest.test):,} test images"],
        ["task", f"{contest.task.kind}, {len(contest.task.classes)} classes, scored by {contest.metric}"],
        [
            "folds",
            f"{', '.join(named[fold] for fold in pending) or 'none'} of {config.folds.count}, {config.folds.scheme}"
            + (f"; finished before: {', '.join(finished)}" if finished else ""),
        ],
        ["backbone", f"{config.model.backbone}, weights {config.model.weights}, {config.data.size_px} px, {config.data.channels} channels"],
        _method_line(config),
        [
            "device",
            f"{device.type}, mixed precision {amp_of(config.machine, device)}, {at_once} fold{'s' * (at_once > 1)} at once"
            + (f", {PROCESSES} processes together" if PROCESSES > 1 else ""),
        ],
        ["run", str(directory)],
    ]
    if config.optim.budget:
        lines.append(["time", f"{config.optim.budget} for all"])
    elif pending and config.optim.method == "train":
        share = 1 - 1 / config.folds.count
        each = share + (1 - share) / 3  # a held-out image costs about a third of a training image
        shown = len(contest.train) * each * int(config.optim.epochs)
        minutes = seconds_per_image(config, len(contest.task.classes)) * shown * len(pending) / 60
        lines.append(["time", f"about {minutes / min(at_once, 1.3):.1f} minutes, by the network's own steps"])
    return lines


def _method_line(config: Config) -> list[str]:
    optim, augment = config.optim, config.augment
    weighed = f", class weights {optim.class_weights}" if optim.class_weights != "none" else ""
    if optim.method == "probe":
        return ["probe", f"a regularised linear model of what the backbone gives{weighed}; each image is looked at once"]
    return [
        "training",
        f"{optim.epochs} epochs, batch {optim.batch}, {optim.optimizer}, lr {optim.lr}, {optim.schedule}; loss {optim.loss}{weighed}"
        + (f", sampler {optim.sampler}" if optim.sampler != "plain" else "")
        + f"; augmentation {augment.strength}, symmetry {used_symmetry(augment.symmetry, augment.strength)}",
    ]


def look(contest: Competition) -> tuple[int, int]:
    """The middle of the longer sides in px, and the channels (1 only where all are grey), of some training images."""
    chosen = np.unique(np.linspace(0, len(contest.train) - 1, min(LOOKED_AT, len(contest.train))).astype(int))
    shapes = [contest.images.read(key).shape for key in contest.train["image"].iloc[chosen]]
    return int(np.median([max(shape[:2]) for shape in shapes])), max(shape[2] for shape in shapes)


def seconds_per_image(config: Config, outputs: int, threads: int | None = None) -> float:
    """Seconds a training image costs this device and network, in the precision of training, from a warm-up and the faster of two steps.

    On a CPU the warm-up has a few images; where these take long, they are all that is measured.
    Of processes that train together, each does a part of the images at the same time. What it took of a GPU's memory is given back, for
    the processes that train.
    """
    seconds = _seconds_per_image(config, outputs, threads)
    torch.cuda.empty_cache()
    return seconds


def _seconds_per_image(config: Config, outputs: int, threads: int | None) -> float:
    device = device_of(config.machine)
    autocast = TORCH_TYPE.get(amp_of(config.machine, device))
    torch.set_num_threads(threads or threads_of(config.machine))
    spec = input_spec(config.model.backbone, int(config.data.size_px), int(config.data.channels))
    network = build(config.model.backbone, outputs, spec).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    x = torch.zeros(int(config.optim.batch), spec.channels, spec.size_px, spec.size_px, device=device).contiguous(
        memory_format=torch.channels_last
    )

    def step(images: int) -> float:
        started = time.perf_counter()
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            outputs = network(x[:images])
        outputs.float().square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def each(images: int) -> float:
        few = min(images, FEW) if device.type == "cpu" else images
        measured = few if step(few) > LONG_SECONDS else images
        return min(step(measured), step(measured)) / measured / PROCESSES

    return fitted(len(x), each)


def _planned_before(config: Config, contest: Competition) -> Config:
    """The config with what is left `auto` named as planned, and chosen as the same command chose it before, where it did."""
    planned = tuple(key for key in PLANNED if getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) == "auto")
    config = config.model_copy(update={"optim": config.optim.model_copy(update={"planned": planned})})
    before = config.run_directory(contest.name) / "config.toml"
    if not before.is_file():
        return config
    run = validated(Config, read_recipe(str(before)), str(before))
    for section, name in (key.split(".") for key in planned):
        update = {name: getattr(getattr(run, section), name)}
        config = config.model_copy(update={section: getattr(config, section).model_copy(update=update)})
    return config


def _size_within(config: Config, contest: Competition, most: int, seconds: float, threads: int | None) -> tuple[int, str]:
    """The largest size up to `most` px at which a fold sees its images often enough in the time, and why.

    An image costs a CPU as much in any batch, and a GPU less in a large one.
    """
    small, seconds = split_name(config.model.backbone)[0] == "small", max(0.0, seconds)  # a budget may be used up before it begins
    sizes = [most, *(size for size in SMALLER_PX if size < most and (not small or most > SMALL_PX))]
    batch = 16
    if device_of(config.machine).type != "cpu":
        batch = _batch(len(contest.train), most) if config.optim.batch == "auto" else config.optim.batch
    trial = config.model_copy(
        update={"data": config.data.model_copy(update={"size_px": most}), "optim": config.optim.model_copy(update={"batch": batch})}
    )
    each = seconds_per_image(trial, len(contest.task.classes), threads) / most**2
    shown = TRAINED_SHARE * seconds / each / (len(contest.train) * (1 - 1 / config.folds.count))
    needed = ENOUGH_EPOCHS[config.model.weights != "none"]
    size = next((size for size in sizes if shown / size**2 >= needed), sizes[-1])
    return size, f"about {shown / size**2:.1f} epochs of it in {seconds:.0f} s a fold, as measured"


def _backbone(side: int, weights: str, device: torch.device, effort: Effort, probed: bool) -> tuple[str, str]:
    """A backbone for images of this size, and why: a pretrained one where they are large (or to be probed) and its weights can be had."""
    large = effort.large[device.type != "cpu"]
    without = (PROBED, "linear in the pixels") if probed else (effort.small, "it learns fast without pretrained weights")
    if side <= SMALL_PX and not probed:
        return effort.small, f"images of {side} px"
    if weights == "none":
        return without
    if weights == "auto" and (missing := why_no_pretrained(large)):
        return without[0], f"{without[1]}, and those of {large} cannot be had: {missing}"
    return large, f"images of {side} px, on {device.type}"


def _rate(optimizer: str, scratch: bool, normed: bool) -> float:
    """A rate that is rarely wrong for batch 64. normed: by batch norm, with which pretrained weights bear a higher one."""
    if optimizer.startswith(("sgd", "momentum", "nesterov")):
        return 0.05 if scratch else 0.01
    return 3e-3 if scratch else 1.4e-3 if normed else 5e-4
