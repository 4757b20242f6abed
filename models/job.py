"""What one fold is given, what it comes to, and the checkpoint that it leaves: the same for every way of fitting it (models/methods.py).

Legend: N images, S side in px, C channels, K columns of the table.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from competition.cache import Pixels
from competition.config import Config
from competition.contest import Competition
from competition.symmetry import used_symmetry
from competition.tabular import Tabular, chosen
from competition.task import Task
from models import checkpoint
from models.backbones import InputSpec
from models.columns import Column, fit_columns, numbers_of
from models.heads import Head

VERSIONS = ("torch", "timm", "torchvision", "albumentations", "numpy")


class Stopped(Exception):
    """The fold was asked to stop and has saved its state; the same command goes on from there."""


@dataclass(frozen=True)
class FoldJob:
    """What one fold is made of. pixels: uint8 N x S x S x C of all training images; truth: float32 N x K; rows index both.

    more_pixels: uint8 P x S x S x C of further images. taught: float32 (N + P) x K, what is trained on, where it differs from the truth;
    train_rows index it. What is held out is scored on the truth. tuning_rows: those of train_rows that another fold holds out, for
    what is chosen within training. tabular: the columns that join the images; its training rows are those of pixels, its test rows those of
    more_pixels. deadline: in time.monotonic's seconds, by which the checkpoint is to be written.
    """

    fold: int
    config: Config  # resolved: nothing in it is `auto` but [machine]
    task: Task
    metric: str
    spec: InputSpec
    pixels: Pixels | np.ndarray
    truth: np.ndarray
    train_rows: np.ndarray
    held_rows: np.ndarray
    directory: Path
    taught: np.ndarray
    tuning_rows: np.ndarray
    more_pixels: Pixels | np.ndarray | None = None
    tabular: Tabular | None = None
    deadline: float = math.inf

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"fold {self.fold}" if len(self.held_rows) else "full"

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """How the columns become numbers, by the training rows alone: neither what is held out nor test rows play a part."""
        return fit_columns(self.tabular, self.train_rows[self.train_rows < len(self.truth)]) if self.tabular else ()

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """float32 (N + P) x D of the columns; None where there are none."""
        if self.tabular is None:
            return None
        cells = [self.tabular.train] if self.more_pixels is None else [self.tabular.train, self.tabular.test]
        return numbers_of(self.columns, pd.concat(cells, ignore_index=True))


def job_of_all(
    config: Config, contest: Competition, spec: InputSpec, pixels: Pixels | np.ndarray, directory: Path | None = None
) -> FoldJob:
    """All training rows and none held out, of which a fold is a part. config: resolved; directory: if it is to be fitted."""
    rows = np.arange(len(pixels))
    tabular = chosen(contest.tabular, config)
    given = (0, config, contest.task, contest.metric, spec, pixels, contest.truth, rows, rows[:0])
    return FoldJob(*given, directory or Path(), contest.truth, rows, tabular=tabular)


@dataclass(frozen=True)
class Fitted:
    """What a fold came to. probs: float32 N x K of the held-out rows; seconds: of training and validation, interruptions left out."""

    probs: np.ndarray
    score: float
    seconds: float
    weights_kept: str  # last, averaged or best


def table_loss(task: Task, head: Head, truth: np.ndarray, probs: np.ndarray) -> float:
    """The log loss, a row or (of several labels) a value; of a regression the squared error in units of the spread. Both: N x K."""
    if task.kind == "regression":
        return float(((head.scaled(probs) - head.scaled(truth)) ** 2).mean())
    clipped = np.clip(probs, 1e-7, 1 - 1e-7)
    each = -truth * np.log(clipped) - (0 if task.one_of_many else (1 - truth) * np.log(1 - clipped))
    return float(each.sum(axis=1).mean() if task.one_of_many else each.mean())


def save_checkpoint(job: FoldJob, network: nn.Module, head: Head, weights_kept: str) -> None:
    """Writes model.safetensors and model.json into the job's directory."""
    augment = job.config.augment
    described = checkpoint.Checkpoint(
        backbone=job.config.model.backbone,
        task=job.task,
        spec=job.spec,
        head=head,
        weights_kept=weights_kept,
        symmetry=used_symmetry(augment.symmetry, augment.strength, job.config.optim.method),
        config=job.config.model_dump(mode="json", exclude={"machine"}),
        versions={name: version(name) for name in VERSIONS},
        columns=job.columns,
    )
    checkpoint.save(job.directory, network, described)
