"""All finished folds of a run, over all views, as one table of the test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from competition.cache import pixels
from competition.config import DeviceConfig
from competition.console import progress
from competition.contest import Competition
from competition.errors import choose, examples
from competition.tables import as_table
from models.batches import Normalise
from models.checkpoint import Checkpoint, load
from models.columns import beside, numbers_of
from models.device import amp_of, device_of, looked_at_once, threads_of
from models.engines import ready
from models.errors import ModelError
from models.heads import Head
from models.infer import predict
from models.joint import Joint
from models.tta import VIEW_SETS, VIEWS_OF_SYMMETRY


def predict_test(folds: Sequence[Path], contest: Competition, views: str, machine: DeviceConfig) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table of the test images, the mean over folds and views, and the names of the views.

    folds: directories of finished folds of one run. views: a name of VIEW_SETS, or auto: what the run's augmentation allows.

    Raises: ModelError where a checkpoint is damaged, about other classes than the competition's, or needs columns that it has not.
    """
    loaded = [load(directory) for directory in folds]
    first = loaded[0][1]
    for directory, (_, checkpoint) in zip(folds, loaded, strict=True):
        _require_fit(directory, checkpoint, first, contest)
    device = device_of(machine)
    torch.set_num_threads(threads_of(machine))
    names = VIEW_SETS[VIEWS_OF_SYMMETRY[first.symmetry] if views == "auto" else choose("set of views", views, VIEW_SETS)]
    numbers = [None if contest.tabular is None else numbers_of(checkpoint.columns, contest.tabular.test) for _, checkpoint in loaded]
    networks, heads, numbers = one_body([network for network, _ in loaded], [checkpoint.head for _, checkpoint in loaded], numbers)
    networks = [network.to(device, memory_format=torch.channels_last) for network in networks]  # type: ignore[call-overload]
    spec, cache = first.spec, machine.cache / contest.name
    seen = pixels(contest.images, contest.test, spec.size_px, spec.channels, spec.interpolation, cache, machine.most_gib, spec.fit)
    normalise = Normalise(first.spec, device)
    few = torch.arange(min(2, len(seen)))
    looks = [(normalise(torch.from_numpy(np.array(seen[: len(few)]))), *beside(own, device)(few)) for own in numbers]
    last = [network.eval() for network in networks]
    forwards = ready(last, looks, machine.inference, len(seen) * len(names), threads_of(machine), folds)
    autocast = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": None}[amp_of(machine, device)]
    with progress("predicting", len(seen)) as advance:
        probs = predict(
            forwards,
            heads,
            seen,
            np.arange(len(seen)),
            contest.task,
            normalise,
            names,
            looked_at_once(spec.size_px, device),
            autocast,
            advance,
            numbers,
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


def one_body(
    networks: Sequence[nn.Module], heads: Sequence[Head], numbers: Sequence[np.ndarray | None]
) -> tuple[list[nn.Module], list[Head] | list[Heads], list[np.ndarray | None]]:
    """One network for all where they differ in their last layer alone (probes do), so that it looks at each image once; else all.

    numbers: of each network the columns of all rows (float32, D a row); each fold has its own, by its training rows.
    """
    last = str(networks[0].pretrained_cfg.get("classifier"))  # type: ignore[union-attr, operator]
    states = [network.state_dict() for network in networks]
    body = [name for name in states[0] if name not in (f"{last}.weight", f"{last}.bias")]
    end = dict(networks[0].named_modules()).get(last)
    linear = isinstance(end, nn.Linear) and end.bias is not None and not (isinstance(end, Joint) and end.units)
    alike = all(torch.equal(states[0][name], state[name]) for state in states[1:] for name in body)
    if not (linear and alike) or len(networks) == 1:
        return list(networks), list(heads), list(numbers)
    layers: list[Any] = [network.get_submodule(last) for network in networks]
    told = [own for own in numbers if own is not None]
    seen, outputs = layers[0].in_features - (told[0].shape[1] if told else 0), sum(len(layer.weight) for layer in layers)
    joined = Joint(seen, sum(own.shape[1] for own in told), 0, outputs) if told else nn.Linear(seen, outputs)
    with torch.no_grad():
        of_columns = torch.block_diag(*[layer.weight[:, seen:] for layer in layers])
        joined.weight.copy_(torch.cat([torch.cat([layer.weight[:, :seen] for layer in layers]), of_columns], dim=1))
        joined.bias.copy_(torch.cat([layer.bias for layer in layers]))
    networks[0].set_submodule(last, joined)
    return [networks[0]], [Heads(tuple(heads))], [np.hstack(told) if told else None]


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
    wanted, there = [column.name for column in checkpoint.columns], contest.tabular.names if contest.tabular else ()
    if missing := [name for name in wanted if name not in there]:
        raise ModelError(
            f"{directory}: was trained with the columns {examples(wanted)}; {contest.name} has {examples(missing)} no longer in both its "
            "training and its test rows (python -m competition inspect tells why)"
        )
    if wanted != [column.name for column in first.columns]:
        raise ModelError(f"{directory}: takes other columns ({examples(wanted)}) than the run's first fold; it is no fold of this run")
