"""All finished folds of a run, over all views, as one table of the test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

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
from models.heads import Head
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
    networks, heads = one_body([network for network, _ in loaded], [checkpoint.head for _, checkpoint in loaded])
    networks = [network.to(device, memory_format=torch.channels_last) for network in networks]  # type: ignore[call-overload]
    seen = pixels(
        contest.images, contest.test, first.spec.size_px, first.spec.channels, first.spec.interpolation, machine.cache / contest.name
    )
    autocast = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": None}[amp_of(machine, device)]
    with progress("predicting", len(seen)) as advance:
        probs = predict(
            networks, heads, seen, np.arange(len(seen)), contest.task, Normalise(first.spec, device), names, BATCH, autocast, advance
        )
    return as_table(contest.test["id"].tolist(), probs, contest.task), names


@dataclass(frozen=True)
class Heads:
    """Several heads, each of its part of the raw outputs; a table is the mean of theirs."""

    parts: tuple[Head, ...]

    def table(self, logits: torch.Tensor) -> torch.Tensor:
        """float32 N x K."""
        parts = logits.chunk(len(self.parts), dim=1)
        return torch.stack([head.table(own) for head, own in zip(self.parts, parts, strict=True)]).mean(dim=0)


def one_body(networks: Sequence[nn.Module], heads: Sequence[Head]) -> tuple[list[nn.Module], list[Head] | list[Heads]]:
    """One network for all where they differ in their last layer alone (probes do), so that it looks at each image once; else all."""
    last = str(networks[0].pretrained_cfg.get("classifier"))  # type: ignore[union-attr, operator]
    states = [network.state_dict() for network in networks]
    body = [name for name in states[0] if not name.startswith(f"{last}.")]
    end = dict(networks[0].named_modules()).get(last)
    linear = isinstance(end, nn.Linear) and end.bias is not None
    alike = all(torch.equal(states[0][name], state[name]) for state in states[1:] for name in body)
    if not (linear and alike) or len(networks) == 1:
        return list(networks), list(heads)
    layers = [network.get_submodule(last) for network in networks]
    joined = nn.Linear(layers[0].in_features, sum(len(layer.weight) for layer in layers))  # type: ignore[arg-type]
    with torch.no_grad():
        joined.weight.copy_(torch.cat([layer.weight for layer in layers]))  # type: ignore[list-item]
        joined.bias.copy_(torch.cat([layer.bias for layer in layers]))  # type: ignore[list-item]
    networks[0].set_submodule(last, joined)
    return [networks[0]], [Heads(tuple(heads))]


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
