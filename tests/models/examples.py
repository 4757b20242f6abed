"""Learnable pictures and fold jobs that take a second, for the tests of this room."""

from pathlib import Path
from typing import Any

import numpy as np

from competition.config import Config
from competition.task import Kind, Task
from models.backbones import input_spec
from models.job import FoldJob

CLASSES: dict[Kind, tuple[str, ...]] = {
    "binary": ("no", "yes"),
    "multiclass": ("up", "left", "down"),
    "ordinal": ("dark", "middle", "bright"),
    "multilabel": ("red", "green", "blue"),
    "regression": ("brightness",),
}
METRICS: dict[Kind, str] = {"binary": "roc_auc", "multiclass": "accuracy", "ordinal": "qwk", "multilabel": "roc_auc", "regression": "rmse"}


def pictures(kind: Kind, rows: int = 96, size_px: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 N x S x S x 3 of noise in which something tells the truth (float32 N x K)."""
    generator = np.random.default_rng(seed)
    images = generator.integers(80, 120, (rows, size_px, size_px, 3)).astype(np.float32)
    half = size_px // 2
    if kind == "regression":
        truth = generator.uniform(0, 100, (rows, 1)).astype(np.float32)
        images += truth[:, :, None, None]
    elif kind == "multilabel":  # each label brightens its channel
        truth = (generator.random((rows, 3)) < 0.5).astype(np.float32)
        images += 60 * truth[:, None, None, :]
    elif kind == "ordinal":
        codes = np.arange(rows) % len(CLASSES[kind])
        truth = np.eye(len(CLASSES[kind]), dtype=np.float32)[codes]
        images += 40 * codes[:, None, None, None]
    else:  # each class brightens a side
        codes = np.arange(rows) % len(CLASSES[kind])
        truth = np.eye(len(CLASSES[kind]), dtype=np.float32)[codes]
        images[codes == 0, :half] += 60
        images[codes == 1, :, :half] += 60
        images[codes == 2, half:] += 60
    return np.clip(images, 0, 255).astype(np.uint8), truth


def job_of(
    directory: Path, kind: Kind = "multiclass", rows: int = 96, held: int = 24, fold: int = 0, **settings: dict[str, Any]
) -> FoldJob:
    """A fold of such pictures; settings: sections of the config, over small and quick ones."""
    quick: dict[str, dict[str, Any]] = {
        "data": {"size_px": 8, "channels": 3},
        "augment": {"strength": "none", "symmetry": "none"},
        "model": {"backbone": "small/resnet9-8", "weights": "none"},
        "optim": {"epochs": 2, "batch": 16, "lr": 0.01, "loss": "auto", "warmup": 0.1},
        "machine": {"device": "cpu", "threads": 1, "workers": 0, "save_seconds": 1e9},
    }
    tree: dict[str, Any] = {name: quick.get(name, {}) | settings.get(name, {}) for name in quick.keys() | settings.keys()}
    config = Config.model_validate(tree)
    images, truth = pictures(kind, rows, int(config.data.size_px))
    return FoldJob(
        fold=fold,
        config=config,
        task=Task(kind, CLASSES[kind]),
        metric=METRICS[kind],
        spec=input_spec(config.model.backbone, int(config.data.size_px), int(config.data.channels)),
        pixels=images,
        truth=truth,
        train_rows=np.arange(held, rows),
        held_rows=np.arange(held),
        directory=directory,
        taught=truth,
        tuning_rows=np.arange(held, held + (rows - held) // 4),
    )
