"""Networks + images + views -> probabilities.

Legend: N images, S side in px, C channels, K columns of the table.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn

from competition.task import Task
from models.batches import Normalise, in_order
from models.tta import VIEWS


class TableHead(Protocol):
    """What raw outputs become a table by (models/heads.py)."""

    def table(self, logits: torch.Tensor) -> torch.Tensor: ...


def predict(
    networks: Sequence[nn.Module],
    heads: Sequence[TableHead],
    pixels: np.ndarray,
    rows: np.ndarray,
    task: Task,
    normalise: Normalise,
    views: Sequence[str] = ("identity",),
    batch: int = 64,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """float32 N x K, the mean over networks and views of probabilities; each image is read and normalised once for all of them."""
    parts: list[torch.Tensor] = []
    for network in networks:
        network.eval()
    with torch.inference_mode(), torch.autocast(normalise.device.type, dtype=autocast, enabled=autocast is not None):
        for images in in_order(pixels, rows, batch):
            x = normalise(images)
            seen = [VIEWS[view](x) for view in views]
            total = sum(head.table(network(each)) for each in seen for network, head in zip(networks, heads, strict=True))
            parts.append((total / (len(seen) * len(networks))).float())  # type: ignore[operator]
            progress(len(images))
    return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, len(task.classes)), dtype=np.float32)
