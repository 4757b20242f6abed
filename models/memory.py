"""What does not fit into the device's memory goes through the network in parts.

A training batch in parts has the gradient of the whole, which is their sum. What is only looked at is looked at in smaller batches.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from competition.atomic import write_json
from competition.console import say
from competition.processes import PROCESSES
from models.errors import ModelError

T = TypeVar("T")
FILE = "memory.json"  # of a run: into how many parts batches are cut, by the device's name
FEWEST = 2  # images of a part: batch norms learn nothing from one
LESS = "smaller images (--data.size-px), a smaller network (--model.backbone) or half precision (--machine.amp bf16) take less"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's memory is used up."""
    words = (" out of memory", "DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and any(word in str(error) for word in words))


def fitted(images: int, work: Callable[[int], T]) -> T:
    """What work(n) gives, for as many of these images as the memory holds at once: all, half of them, a quarter, ...

    Raises: ModelError where it does not hold one.
    """
    while True:
        try:
            return work(images)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if images <= 1:
            raise ModelError(f"the device's memory does not hold what one image takes: {LESS}")
        images //= 2
        _free()


def in_portions(rows: np.ndarray, batch: int, look: Callable[[np.ndarray], T]) -> Iterator[T]:
    """What look(rows) gives, batch by batch; where the memory does not hold one, it and those after it are smaller.

    Raises: ModelError where it does not hold a single image.
    """
    start = 0
    while start < len(rows):
        asked = min(batch, len(rows) - start)
        held, found = fitted(asked, lambda count: (count, look(rows[start : start + count])))  # noqa: B023 (called before the next turn)
        if held < asked:
            say(f"the device's memory does not hold {asked} images at once: they are looked at {held} at a time")
            batch = held
        start += held
        yield found


class Portions:
    """Into how many parts training batches are cut, so that the device's memory holds one: found on the way, and remembered beside the
    run's folds for the next ones, and for whoever continues them."""

    def __init__(self, name: str, run: Path, device: torch.device) -> None:
        """name: what messages call the fold; run: where it is remembered."""
        self.name, self.path = name, run / FILE
        self.device = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        self.count = int(self._known().get(self.device, 1))

    def cut(self, *batch: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        """The parts of a batch (tensors of N rows), none of them empty."""
        return list(zip(*(whole.tensor_split(min(self.count, len(whole))) for whole in batch), strict=True))

    def fitting(self, images: int, learn: Callable[[bool], T], clear: Callable[[], None]) -> T:
        """What learn(False) gives; where memory runs out, learn(True) in smaller parts, after clear() took back the gradients.

        Raises: ModelError where parts of two images are too large, and where other processes wait for this one's gradient: the same command
        then begins with smaller parts.
        """
        again = False
        while True:
            try:
                return learn(again)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
            self._halve(images)
            again = True
            clear()
            _free()

    def _halve(self, images: int) -> None:
        if images < 2 * self.count * FEWEST:
            raise ModelError(f"{self.name}: the device's memory does not hold what {-(-images // self.count)} images take: {LESS}")
        self.count *= 2
        write_json(self.path, self._known() | {self.device: self.count})
        short, each = f"the memory of {self.device} does not hold a batch of {images}", -(-images // self.count)
        if PROCESSES > 1:
            raise ModelError(f"{self.name}: {short}; the same command goes on from the last saved state, {each} images at a time")
        say(f"{self.name}  {short}: from now on it is {each} images at a time, and their gradients add up to the batch's")

    def _known(self) -> dict[str, int]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _free() -> None:
    """Gives back what an attempt left behind, which may be in pieces too small for the next."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
