"""Rows of the pixel cache -> batches. A training batch leaves its worker as one uint8 array; normalising happens on the device.

Every batch draws from a seed of its own, (run seed, epoch, step): the same whatever the number of workers, never repeated, and a
resumed run goes on with exactly the batches that it had not seen.

Legend: N batch, S side in px, C channels.
"""

from collections.abc import Iterator

import albumentations as A
import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from models.backbones import InputSpec


def seed_of(*parts: int) -> int:
    """A well-mixed seed of 31 bits from several numbers, the same everywhere."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1)


class TrainBatches(Dataset):
    """Batch number (epoch, step) -> (uint8 N x S x S x C, the rows it shows)."""

    def __init__(
        self, pixels: np.ndarray, rows: np.ndarray, transform: A.Compose, batch: int, seed: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        """rows: which rows of pixels to train on; share: (this process, number of processes), each takes its part of every batch."""
        self.pixels, self.rows, self.transform = pixels, rows, transform
        self.batch, self.seed, self.share = min(batch, len(rows)), seed, share
        self._order = (-1, rows)  # the epoch whose order it is

    @property
    def steps(self) -> int:
        """Batches an epoch. Rows that do not fill a last batch wait for the next epoch's order."""
        return len(self.rows) // self.batch

    def __getitem__(self, number: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, step = number
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self.seed, epoch)).permutation(self.rows))
        process, processes = self.share
        rows = self._order[1][step * self.batch : (step + 1) * self.batch][process::processes]
        self.transform.set_random_seed(seed_of(self.seed, epoch, step, process))
        images = np.stack([self.transform(image=self.pixels[row])["image"] for row in rows])
        if images.ndim == 3:  # some steps drop the axis of a single channel
            images = images[..., None]
        return torch.from_numpy(images), torch.from_numpy(rows)

    def stream(self, epoch: int, step: int, epochs: int, workers: int, pin: bool) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All batches from (epoch, step) to the end of the last epoch, one after another; workers live for the whole of it."""
        numbers = [(e, s) for e in range(epoch, epochs) for s in range(step if e == epoch else 0, self.steps)]
        loader: DataLoader = DataLoader(
            self, batch_size=None, sampler=numbers, num_workers=workers, pin_memory=pin, worker_init_fn=_alone if workers else None
        )  # type: ignore[arg-type]
        return iter(loader)


def _alone(worker: int) -> None:
    """A worker computes on one thread; the process that trains has the others."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def in_order(pixels: np.ndarray, rows: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
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
