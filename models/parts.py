"""What a fold is trained with, from its job: network, head, batches, loss. One set-up for the loop, the range test and the bench.

Legend: N batch, C channels, S side in px, K columns of the table, D numbers of the columns, L outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from models.augment import pipeline
from models.backbones import last_layer, network_of
from models.batches import Joined, Normalise, TrainBatches, chances_of
from models.columns import beside, width_of
from models.finetune import Freezing
from models.heads import Head, head_for
from models.job import FoldJob
from models.losses import class_weights, loss_for, smooth
from models.mixing import Mix, mixing

LOOKED_AT = 2048  # images, of up to LOOKED_AT_PX; of larger ones as many as have no more pixels
LOOKED_AT_PX = 32


@runtime_checkable
class Adapting(Protocol):
    """A network whose first layer is set by what images look like, before it is trained."""

    def adapt(self, images: torch.Tensor) -> None:
        """images: normalised, N x C x S x S."""
        ...


@dataclass(frozen=True)
class Parts:
    """network is bare, on the device, in channels-last memory. cost: outputs (N x L) and truth (N x K) -> a scalar, the batch's mean."""

    network: nn.Module
    freezing: Freezing  # what of it learns when; it is put into training mode by this
    head: Head
    batches: TrainBatches
    normalise: Normalise
    mix: Mix | None
    cost: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    truth_of: Callable[[torch.Tensor], torch.Tensor]  # rows -> N x K on the device, smoothed
    columns_of: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]  # rows -> N x D on the device, if there are columns


def parts_of(job: FoldJob, device: torch.device, seed: int, share: tuple[int, int] = (0, 1)) -> Parts:
    """The parts, the network's weights drawn from torch's generator, the batches from the seed.

    share: (this process, number of processes) of those that train together.

    Raises: ModelError for settings that do not fit.
    """
    config, task, spec = job.config, job.task, job.spec
    optim = config.optim
    loss = loss_for(optim.loss, task)[1]
    head = head_for(loss.link, task, job.taught[job.train_rows])
    network = network_of(config.model, head.outputs(task), spec, width_of(job.columns))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    normalise = Normalise(spec, device)
    truth = torch.from_numpy(head.scaled(job.taught)).to(device)
    weights = class_weights(optim.class_weights, job.taught[job.train_rows], task)
    weights = None if weights is None else weights.to(device)
    if config.model.weights == "none" and isinstance(network, Adapting):
        most = min(LOOKED_AT, max(1, LOOKED_AT * LOOKED_AT_PX**2 // spec.size_px**2))
        few = np.random.default_rng(seed).permutation(job.train_rows[job.train_rows < len(job.pixels)])[:most]
        network.adapt(normalise(torch.from_numpy(np.asarray(job.pixels[np.sort(few)]))))
    return Parts(
        network=network,
        freezing=Freezing(network, config.model, last_layer(network) if optim.head_first else "", optim.head_first),
        head=head,
        batches=batches_of(job, seed, share),
        normalise=normalise,
        mix=mixing(config.augment, task),
        cost=lambda outputs, y: loss.function(outputs, y, weights),
        truth_of=lambda rows: smooth(truth[rows.to(device, non_blocking=True)], optim.label_smoothing, task),
        columns_of=beside(job.numbers, device),
    )


def batches_of(job: FoldJob, seed: int, share: tuple[int, int] = (0, 1)) -> TrainBatches:
    """The batches that a job is trained on."""
    augment, optim, spec = job.config.augment, job.config.optim, job.spec
    transform = pipeline(augment.strength, spec.size_px, augment.symmetry, augment.extra, spec.channels)
    calm = pipeline("light", spec.size_px, augment.symmetry, (), spec.channels) if augment.strength != "none" else transform
    chances = chances_of(optim.sampler, job.taught[job.train_rows], job.task)
    shown = job.pixels if job.more_pixels is None else Joined(job.pixels, job.more_pixels)
    return TrainBatches(shown, job.train_rows, transform, int(optim.batch), seed, share, chances, calm)
