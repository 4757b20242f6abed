"""All finished folds of a run, over all views, as one table of the test images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from competition.cache import pixels
from competition.config import DeviceConfig
from competition.console import progress
from competition.contest import Competition
from competition.errors import choose
from competition.tables import as_table
from models.batches import Normalise
from models.checkpoint import Checkpoint, load
from models.device import amp_of, device_of, threads_of
from models.errors import ModelError
from models.infer import predict
from models.tta import VIEW_SETS, VIEWS_OF_SYMMETRY

BATCH = 64


def predict_test(folds: Sequence[Path], contest: Competition, views: str, machine: DeviceConfig) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table of the test images, the mean over folds and views, and the names of the views.

    folds: directories of finished folds of one run. views: a name of VIEW_SETS, or auto: what the run's augmentation allows.

    Raises: ModelError where a checkpoint is damaged or about other classes than the competition's.
    """
    loaded = [load(directory) for directory in folds]
    first = loaded[0][1]
    for directory, (_, checkpoint) in zip(folds, loaded, strict=True):
        _require_fit(directory, checkpoint, first, contest)
    device = device_of(machine)
    torch.set_num_threads(threads_of(machine))
    names = VIEW_SETS[VIEWS_OF_SYMMETRY[first.symmetry] if views == "auto" else choose("set of views", views, VIEW_SETS)]
    networks = [network.to(device, memory_format=torch.channels_last) for network, _ in loaded]  # type: ignore[call-overload]
    seen = pixels(
        contest.images, contest.test, first.spec.size_px, first.spec.channels, first.spec.interpolation, machine.cache / contest.name
    )
    autocast = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": None}[amp_of(machine, device)]
    with progress("predicting", len(seen)) as advance:
        scales = [checkpoint.scale for _, checkpoint in loaded]
        probs = predict(
            networks, scales, seen, np.arange(len(seen)), contest.task, Normalise(first.spec, device), names, BATCH, autocast, advance
        )
    return as_table(contest.test["id"].tolist(), probs, contest.task), names


def _require_fit(directory: Path, checkpoint: Checkpoint, first: Checkpoint, contest: Competition) -> None:
    if checkpoint.task != contest.task:
        raise ModelError(
            f"{directory}: was trained for a {checkpoint.task.kind} task of {len(checkpoint.task.classes)} classes, "
            f"{contest.name} is now a {contest.task.kind} task of {len(contest.task.classes)}, or their order differs: train it again"
        )
    if checkpoint.spec != first.spec:
        raise ModelError(
            f"{directory}: sees images another way ({checkpoint.spec}) than the run's first fold ({first.spec}); it is no fold of this run"
        )
