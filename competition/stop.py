"""Ctrl-C and SIGTERM as a question that the loop asks at every step, so that a run stops where it can go on."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from types import FrameType

from competition.console import complain

STARTER = "TRAIN_PARENT_PID"  # set where that process started this one as a command, and looks after it
PART = "TRAIN_PART"  # set where this one trains a fold of a run that its starter tells people of
WAIT = "TRAIN_WAIT_SECONDS"  # set where a process that was lost may still be saving its state: how long its successor waits for it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Called: whether to stop. A second Ctrl-C stops at once, and loses what came after the last saved state."""

    def __init__(self, agreed: Callable[[float], float] = float) -> None:
        """agreed: given the signal that came here (0: none), that of the several processes that ask at the same step."""
        self.received: signal.Signals | None = None
        self.agreed, self.signal = agreed, 0
        self.is_part = PART in os.environ
        self.before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def over(self) -> None:
        """From here on a signal ends the process as it did before there was a state to save."""
        for number, handler in self.before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        if not self.is_part:
            complain("stopping: saving the state first (once more to stop at once)")

    def __call__(self) -> bool:
        if _left_alone():
            self.received = signal.SIGTERM
        self.signal = int(self.agreed(self.received or 0))
        return self.signal > 0

    @property
    def exit_code(self) -> int:
        return 128 + self.signal


def _left_alone() -> bool:
    """Whether the process that started this one, and looks after it, is gone."""
    if starter := multiprocessing.parent_process():
        return not starter.is_alive()
    return STARTER in os.environ and os.getppid() != int(os.environ[STARTER])
