"""What processes that train one fold together (torchrun, accelerate launch) tell each other, beside the gradients.

The main one alone writes files, and decides what depends on the time. A process that was started by itself passes through everything here
as if it were not there.
"""

import atexit
import gc
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from competition.config import DeviceConfig
from competition.errors import InputError
from competition.processes import LAUNCHED, RANK

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")


def join(machine: DeviceConfig) -> None:
    """Waits until all are there."""
    if LAUNCHED:
        import torch.distributed.nn  # noqa: F401 (imported later, its functions would hold the group, as a default, beyond the end)

        from models.device import accelerator_for

        accelerator_for(machine)
        atexit.register(_leave)


def _leave() -> None:
    """Ends torch's threads while Python is still there: one that frees a tensor later aborts the process, whose exit code is lost."""
    from torch.distributed import destroy_process_group

    destroy_process_group()
    gc.collect()  # the group ends with the last that holds it, networks that were trained among them


@contextmanager
def main_first() -> Iterator[None]:
    """Its body runs in the main process, then in the others. What the main one fails by ends all of them, and it alone says so."""
    if not LAUNCHED:
        yield
    elif RANK == 0:
        failed = None
        try:
            yield
        except BaseException as error:
            failed = error if isinstance(error, KeyboardInterrupt) else SystemExit(2 if isinstance(error, InputError) else 1)
            raise
        finally:
            _told(failed)
            if failed:
                atexit.register(_told, None)
    else:
        if failed := _told(None):
            _told(None)  # until it has said so: a launcher ends all with the first
            raise failed
        yield


def from_main(work: Callable[..., T], *given: Any) -> T:
    """What `work` of what is given comes to in the main process, which alone does it."""
    found: Any = None
    with main_first():
        if RANK == 0:
            found = work(*given)
    return _told(found) if LAUNCHED else found


@contextmanager
def entered_by_main(context: AbstractContextManager[T]) -> Iterator[T]:
    """What the context gives the main process, which alone enters it."""
    with ExitStack() as entered:
        yield from_main(lambda: entered.enter_context(context))


def largest(value: float) -> float:
    """The largest that any process has."""
    if not LAUNCHED:
        return value
    import torch

    told = torch.tensor([value], dtype=torch.float64)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    return told.item()


def of_main(value: float) -> float:
    """The main process's value."""
    return largest(value if RANK == 0 else -math.inf)


def gathered(part: np.ndarray) -> np.ndarray:
    """The parts of all processes, one after another."""
    if not LAUNCHED:
        return part
    from accelerate.utils import gather_object

    return np.concatenate(gather_object([part]))


def share_buffers(network: "nn.Module") -> None:
    """Gives all processes the main one's buffers (statistics of batch norms): each has seen other images."""
    if LAUNCHED:
        from accelerate.utils import broadcast

        broadcast(list(network.buffers()))


def _told(what: T) -> T:
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([what])[0]
