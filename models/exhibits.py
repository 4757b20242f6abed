"""What a fold's network sees, as arrays for a page to show: a batch as it is trained on, its first layer, and where it looks.

foldK/exhibits.npz holds, as far as there is something to show:
    seen         uint8 n x P x P x C   training images after augmentation and mixing
    seen_labels  text n
    filters      uint8 m x h x w x C   what the first layer responds to, each from its least weight (0) to its largest (255)
    cam_ids      text k                held-out images
    cam_images   uint8 k x P x P x C
    cams         uint8 k x h x w       where the network looks in them (Grad-CAM)

Legend: N batch, S side in px, P that of what is shown, C channels, K columns of the table, L raw outputs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import nn

from competition.atomic import replacing
from competition.cache import pixels
from competition.config import Config, DeviceConfig
from competition.console import say
from competition.contest import Competition
from competition.errors import InputError
from competition.notable import notable
from competition.settings import validated
from competition.task import Task
from models.batches import Normalise, seed_of
from models.checkpoint import Checkpoint, load
from models.columns import beside, numbers_of
from models.device import device_of
from models.grad_cam import grad_cam
from models.job import FoldJob, job_of_all
from models.mixing import mixing
from models.parts import batches_of

FILE = "exhibits.npz"
SHOWN = 24  # images of a batch
SHOWN_FILTERS = 64
SHOWN_PX = 160
AT_ONCE = 8  # images, whose gradients are kept
FEW_NAMES = 2  # labels under one picture


def exhibit(folds: Iterable[Path], contest: Competition, machine: DeviceConfig) -> None:
    """Writes them for those of these folds (their directories) that have none yet. What fails is told and left out: the folds are done."""
    for directory in folds:
        if not (directory / FILE).is_file():
            try:
                write_exhibits(directory, contest, machine)
            except (InputError, OSError, RuntimeError) as error:
                say(f"{directory}: nothing is shown of its network: {error}")


def write_exhibits(directory: Path, contest: Competition, machine: DeviceConfig) -> Path:
    """The file that was written for a finished fold.

    What cannot be shown is left out.

    Raises: ModelError where its checkpoint is damaged.
    """
    network, checkpoint = load(directory)
    config = validated(Config, checkpoint.config, str(directory / "model.json"))
    spec, cache = checkpoint.spec, machine.cache / contest.name
    seen = pixels(contest.images, contest.train, spec.size_px, spec.channels, spec.interpolation, cache, machine.most_gib, spec.fit)
    table = pd.read_parquet(directory / "oof.parquet")
    held = pd.Series(np.arange(len(contest.train)), index=contest.train["id"]).reindex(table["id"]).dropna().to_numpy(dtype=np.int64)
    job = replace(job_of_all(config, contest, spec, seen), train_rows=np.setdiff1d(np.arange(len(seen)), held), held_rows=held)
    shown = {"filters": filters(network, spec.channels)}
    if config.optim.method == "train" and len(job.train_rows):
        fold = int(table["fold"].iloc[0]) if len(table) else 0
        shown |= _batch(job, seed_of(config.seed, fold))
    if len(held) == len(table) > 0:
        probs = table[list(contest.task.classes)].to_numpy(np.float32)
        shown |= _where_it_looks(network, checkpoint, job, contest, probs, machine)
    with replacing(directory / FILE) as part, part.open("wb") as file:
        np.savez_compressed(file, **{name: array for name, array in shown.items() if len(array)})  # type: ignore[arg-type]
    return directory / FILE


def filters(network: nn.Module, channels: int) -> np.ndarray:
    """uint8 m x h x w x C: the first layer's weights as pictures, where it looks at pixels; C is 1 or 3. Of others, none."""
    first = next((part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)), None)
    none = np.zeros((0, 1, 1, 1), np.uint8)
    if first is None:
        return none
    weight = first.weight.detach().float().cpu()
    if isinstance(first, nn.Linear):  # of a whole picture, pixel by pixel
        side = round((weight.shape[1] / channels) ** 0.5)
        if side * side * channels != weight.shape[1]:
            return none
        weight = weight.unflatten(1, (channels, side, side))
    if weight.shape[1] not in (1, 3):
        weight = weight.mean(dim=1, keepdim=True)
    if weight.shape[2] * weight.shape[3] < 4:
        return none
    weight = weight[:SHOWN_FILTERS]
    low, high = weight.amin((1, 2, 3), keepdim=True), weight.amax((1, 2, 3), keepdim=True)
    return ((weight - low) / (high - low).clamp(min=1e-12) * 255).round().byte().permute(0, 2, 3, 1).numpy()


def _batch(job: FoldJob, seed: int) -> Mapping[str, np.ndarray]:
    """The first batch of the first epoch, as the fold was given it."""
    images, rows = batches_of(job, seed)[0, 0, False]
    x, y = images.permute(0, 3, 1, 2).float(), torch.from_numpy(job.truth[rows.numpy()])
    mix = mixing(job.config.augment, job.task)
    if mix:
        torch.manual_seed(seed_of(seed, 0, 0))
        x, y = mix(x, y)
    shown = x[:SHOWN].round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return {"seen": _small(shown), "seen_labels": np.array([label(row, job.task) for row in y[:SHOWN].numpy()])}


def label(truth: np.ndarray, task: Task) -> str:
    """What one row (K) of a table says in a few words: its classes, with their shares where they are mixed, or its numbers."""
    if task.kind == "regression":
        return ", ".join(f"{value:.4g}" for value in truth[:FEW_NAMES])
    order = np.argsort(-truth, kind="stable")
    named = [(task.classes[place], float(truth[place])) for place in order if truth[place] > 0.005]
    told = [name if share > 0.995 else f"{name} {share:.0%}" for name, share in named[:FEW_NAMES]]
    return ", ".join(told) + (f", {len(named) - FEW_NAMES} more" if len(named) > FEW_NAMES else "") or "none"


def _where_it_looks(
    network: nn.Module, checkpoint: Checkpoint, job: FoldJob, contest: Competition, probs: np.ndarray, machine: DeviceConfig
) -> Mapping[str, np.ndarray]:
    """Grad-CAM of what the network says of the held-out images that are worth a look."""
    device = device_of(machine)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    places = np.unique(np.concatenate(list(notable(job.truth[job.held_rows], probs, job.task).values())))
    rows, normalise = job.held_rows[places], Normalise(checkpoint.spec, device)
    numbers = None if contest.tabular is None else numbers_of(checkpoint.columns, contest.tabular.train)
    look_up, chosen = beside(numbers, device), torch.from_numpy(probs[places].argmax(axis=1)).to(device)
    heats: list[np.ndarray] = []
    for few, best in zip(np.split(rows, range(AT_ONCE, len(rows), AT_ONCE)), chosen.split(AT_ONCE), strict=True):

        def wanted(outputs: torch.Tensor, best: torch.Tensor = best) -> torch.Tensor:
            of_class = outputs if outputs.shape[1] == len(job.task.classes) else checkpoint.head.table(outputs)
            return of_class.gather(1, best[:, None])

        given = (normalise(torch.from_numpy(np.asarray(job.pixels[few]))), *look_up(torch.from_numpy(few)))
        heat = grad_cam(network, given, wanted)
        if heat is None:
            return {}
        heats.append((heat * 255).round().byte().cpu().numpy())
    images = _small(np.asarray(job.pixels[rows]))
    return {"cam_ids": contest.train["id"].to_numpy()[rows].astype(str), "cam_images": images, "cams": np.concatenate(heats)}


def _small(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """uint8 N x P x P x C, C 1 or 3, of uint8 N x S x S x C: no larger than a page shows them."""
    side = min(SHOWN_PX, images[0].shape[0])
    few = [image if image.shape[2] in (1, 3) else image[..., :3] if image.shape[2] > 3 else image[..., :1] for image in images]
    shrunk = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in few]
    return np.stack([image if image.ndim == 3 else image[..., None] for image in shrunk])
