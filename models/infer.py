"""Networks + images + views -> probabilities.

Legend: N images, S side in px, C channels, K columns of the table.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn

from competition.cache import Pixels
from competition.task import Task
from models.batches import Normalise, in_order
from models.columns import beside
from models.memory import in_portions
from models.tta import VIEWS


class TableHead(Protocol):
    """What raw outputs become a table by (models/heads.py)."""

    def table(self, logits: torch.Tensor) -> torch.Tensor: ...


def predict(
    networks: Sequence[Callable[..., torch.Tensor]],
    heads: Sequence[TableHead],
    pixels: Pixels | np.ndarray,
    rows: np.ndarray,
    task: Task,
    normalise: Normalise,
    views: Sequence[str] = ("identity",),
    batch: int = 64,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    numbers: Sequence[np.ndarray | None] = (),
) -> np.ndarray:
    """float32 N x K, the mean over networks and views of probabilities; each image is read and normalised once for all of them.

    networks: or what else gives their raw outputs (models/engines.py).

    numbers: of each network the columns of all rows of pixels (float32, D a row), None for one that takes images alone; empty: all do.

    Raises: ModelError where the device's memory does not hold what one image takes.
    """
    parts: list[torch.Tensor] = []
    beside_of = [beside(own, normalise.device) for own in numbers or [None] * len(networks)]
    for network in networks:
        if isinstance(network, nn.Module):
            network.eval()

    def look(shown: np.ndarray) -> torch.Tensor:
        (images,) = in_order(pixels, shown, len(shown))
        x = normalise(images)
        seen = [VIEWS[view](x) for view in views]
        told = [look_up(torch.from_numpy(shown)) for look_up in beside_of]
        total = sum(
            head.table(network(each, *columns)) for each in seen for network, head, columns in zip(networks, heads, told, strict=True)
        )
        return (total / (len(seen) * len(networks))).float()  # type: ignore[operator]

    with torch.inference_mode(), torch.autocast(normalise.device.type, dtype=autocast, enabled=autocast is not None):
        for table in in_portions(rows, batch, look):
            parts.append(table)
            progress(len(table))
    return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, len(task.classes)), dtype=np.float32)
