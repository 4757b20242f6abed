"""Networks + images + views -> probabilities.

Legend: N images, S side in px, C channels, K columns of the table.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from competition.task import Task
from models.batches import Normalise, in_order
from models.tta import VIEWS


def to_probs(logits: torch.Tensor, task: Task, scale: tuple[float, float] = (0.0, 1.0)) -> torch.Tensor:
    """N x K of the table: softmax, sigmoid, or the number itself (scale: its mean and spread over the training rows)."""
    logits = logits.float()
    if task.one_of_many:
        return logits.softmax(dim=1)
    if task.kind == "multilabel":
        return logits.sigmoid()
    return logits * scale[1] + scale[0]


def predict(
    networks: Sequence[nn.Module],
    scales: Sequence[tuple[float, float]],
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
            total = sum(to_probs(network(each), task, scale) for each in seen for network, scale in zip(networks, scales, strict=True))
            parts.append((total / (len(seen) * len(networks))).float())  # type: ignore[operator]
            progress(len(images))
    return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, len(task.classes)), dtype=np.float32)
