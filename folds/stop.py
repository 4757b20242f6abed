"""Ctrl-C and SIGTERM as a question that the loop asks at every step, so that a run stops where it can go on."""

import os
import signal
from types import FrameType

from competition.console import errors

PARENT = "TRAIN_PARENT_PID"  # set for the processes that train one fold each, which stop when the one that started them is gone
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class StopRequest:
    """Called: whether to stop. A second Ctrl-C stops at once, and loses what came after the last saved state."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.parent = int(os.environ.get(PARENT, "0"))
        for number in EXIT_CODES:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        if not self.parent:
            errors.print("stopping: saving the state first (once more to stop at once)", markup=False)

    def __call__(self) -> bool:
        if self.parent and os.getppid() != self.parent:
            self.received = signal.SIGTERM
        return self.received is not None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.received or signal.SIGINT]
