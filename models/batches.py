"""Rows of the pixel cache -> batches. A training batch leaves its worker as one uint8 array; normalising happens on the device.

Every batch draws from a seed of its own, (run seed, epoch, step): the same whatever the number of workers, never repeated, and a
resumed run goes on with exactly the batches that it had not seen.

Legend: N batch, S side in px, C channels.
"""

import signal
from collections.abc import Callable, Iterator
from mmap import mmap
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from competition.cache import Pixels
from competition.errors import InputError
from competition.processes import become_worker
from competition.task import Task
from models.backbones import InputSpec
from models.batchwise import Batchwise
from models.errors import ModelError

LAST_SECONDS = 5  # that a worker lives on after it was told to end


def seed_of(*parts: int) -> int:
    """A well-mixed seed of 31 bits from several numbers, the same everywhere."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1)


class OfFiles:
    """Pickled with the names of its memory maps, not with what is in them: where workers are spawned (macOS, Windows), each opens them
    anew."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: _File(value) if _is_whole_file(value) else value for name, value in vars(self).items()}


class _File:
    def __init__(self, mapped: np.memmap) -> None:
        self.path = str(mapped.filename)

    def __reduce__(self) -> tuple[Callable[..., np.memmap], tuple[str, str]]:
        return np.lib.format.open_memmap, (self.path, "r")


def _is_whole_file(value: object) -> bool:
    return isinstance(value, np.memmap) and isinstance(value.base, mmap)  # a part's base is the whole


class Joined(OfFiles):
    """Two pixel caches (uint8 N x S x S x C and P x S x S x C) as one of N + P rows, without a copy in memory."""

    def __init__(self, first: Pixels | np.ndarray, second: Pixels | np.ndarray) -> None:
        self.first, self.second = first, second

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers, copied."""
        taken = np.empty((len(rows), *self.first.shape[1:]), np.uint8)
        late = rows >= len(self.first)
        taken[~late], taken[late] = self.first[rows[~late]], self.second[rows[late] - len(self.first)]
        return taken


class TrainBatches(OfFiles, Dataset):
    """Batch number (epoch, step, whether it is a calm one) -> (uint8 N x S x S x C, the rows it shows)."""

    def __init__(
        self,
        pixels: Pixels | np.ndarray | Joined,
        rows: np.ndarray,
        transform: A.Compose,
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
        chances: np.ndarray | None = None,
        calm: A.Compose | None = None,
    ) -> None:
        """rows: which rows of pixels to train on; share: (this process, number of processes), each takes its part of every batch.

        chances: of each of rows to be drawn, sum 1; None: an epoch shows each row once. calm: what transforms the calm batches.

        Raises: ModelError where a batch has not an image for each process.
        """
        self.transform, self.calm = Batchwise(transform), Batchwise(transform if calm is None else calm)
        self.pixels, self.rows, self.chances = pixels, rows, chances
        self.batch, self.seed, self.share = min(batch, len(rows)), seed, share
        if 0 < self.batch < share[1]:
            raise ModelError(
                f"a batch of {self.batch} images (--optim.batch {batch}, {len(rows)} rows) is not enough for {share[1]} processes"
            )
        self._order = (-1, rows)  # the epoch whose order it is

    @property
    def steps(self) -> int:
        """Batches an epoch. Rows that do not fill a last batch wait for the next epoch's order."""
        return len(self.rows) // self.batch

    def __getitem__(self, number: tuple[int, int, bool]) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, step, calm = number
        if self._order[0] != epoch:
            generator = np.random.default_rng((self.seed, epoch))
            drawn = self.rows if self.chances is None else generator.choice(self.rows, len(self.rows), p=self.chances)
            self._order = (epoch, generator.permutation(drawn))
        process, processes = self.share
        rows = self._order[1][step * self.batch : (step + 1) * self.batch][process::processes]
        transform = self.calm if calm else self.transform
        images = transform(np.asarray(self.pixels[rows]), seed_of(self.seed, epoch, step, process))
        return torch.from_numpy(images), torch.from_numpy(rows)

    def stream(
        self, epoch: int, step: int, epochs: int, workers: int, pin: bool, calm: Callable[[int], bool] = lambda done: False
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All batches from (epoch, step) to the end of the last epoch, one after another; workers live for the whole of it.

        calm(steps done before it): whether a batch is a calm one.
        """
        places = ((e, s) for e in range(epoch, epochs) for s in range(step if e == epoch else 0, self.steps))
        numbers = ((e, s, calm(e * self.steps + s)) for e, s in places)
        loader: DataLoader = DataLoader(
            self, batch_size=None, sampler=numbers, num_workers=workers, pin_memory=pin, worker_init_fn=_alone if workers else None
        )
        return _as_raised(iter(loader))  # begun now: it draws from torch's generator, which each step sets anew


def _as_raised(loaded: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """What was loaded; of an image that cannot be read, what was said of it in the process that prepares batches, without a traceback."""
    try:
        yield from loaded
    except InputError as error:
        raise type(error)(str(error).rpartition(f"{type(error).__name__}: ")[2].strip()) from None


def chances_of(sampler: str, truth: np.ndarray, task: Task) -> np.ndarray | None:
    """Of each row (truth: float32 N x K) to be drawn, float64 N, sum 1: each class as often as the others; None: each row once.

    A row of several labels is drawn as often as its rarest one asks for, one without labels as if that were a class too. Where a row is of
    one class, that is its likeliest.

    Raises: ModelError for a regression, which has no classes.
    """
    if sampler == "plain":
        return None
    if task.kind == "regression":
        raise ModelError(f"--optim.sampler {sampler}: a regression has no classes to draw from")
    holds = truth == truth.max(axis=1, keepdims=True) if task.one_of_many else truth > 0.5
    holds = np.column_stack([holds, ~holds.any(axis=1)])
    chances = np.where(holds, 1 / np.maximum(1, holds.sum(axis=0)), 0).max(axis=1)
    return chances / chances.sum()


def _alone(worker: int) -> None:
    """A worker computes on one thread; the process that trains has the others, and decides when both end: a signal that reaches all
    processes (Ctrl-C, the end of a job) leaves that one what it needs for the step in hand."""
    become_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *told: signal.alarm(LAST_SECONDS))
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def in_order(pixels: Pixels | np.ndarray, rows: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
    """uint8 N x S x S x C, all rows once, unchanged, in the order given."""
    for start in range(0, len(rows), batch):
        yield torch.from_numpy(np.ascontiguousarray(pixels[rows[start : start + batch]]))


class Normalise:
    """uint8 N x S x S x C on any device -> float32 N x C x S x S there, (x / 255 - mean) / std, in channels-last memory."""

    def __init__(self, spec: InputSpec, device: torch.device) -> None:
        shape = (1, spec.channels, 1, 1)
        self.factor = (1 / (255 * torch.tensor(spec.std, dtype=torch.float64))).float().view(shape).to(device)
        self.shift = (
            (-torch.tensor(spec.mean, dtype=torch.float64) / torch.tensor(spec.std, dtype=torch.float64)).float().view(shape).to(device)
        )
        self.device = device

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        moved = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        return torch.addcmul(self.shift, moved.float(), self.factor)
