"""How far a fold is, 0..1: by its epochs, and where there is a budget by the time, whichever is further.

The learning rate follows it, so that it reaches its end when the time does, whatever the machine does in between.
"""

import math
import time

from models.together import of_main

HELD_OUT_COST = 0.4  # of a training image, before it was measured
MEASURED_SHARE = 0.1  # of the time so far, that validation may take before the end, where there is a budget
LAST_SECONDS = 1.0  # to write the checkpoint and to end


class Clock:
    """Of one fold. What its steps and its validation take is measured on the way, and kept free at the end.

    Of processes that train together, the main one's is what all go by.
    """

    def __init__(self, epochs: int, steps: int, held_share: float, deadline: float = math.inf, done: int = 0, before: float = 0.0) -> None:
        """steps: an epoch; held_share: held-out rows a training row; deadline: in time.monotonic's seconds; inf: none.

        done, before: the steps and the position that an interrupted fold had reached; what it has left to do is spread over the time left.
        """
        self.epochs, self.steps, self.held_share = epochs, steps, held_share
        self.deadline, self.done, self.before = deadline, done, before
        self.begun = self.measured = time.monotonic()
        self.measuring = 0.0  # seconds that the last validation took
        self.paused = 0.0  # seconds that all of them took
        self.furthest = 0.0

    def position(self, steps_done: int) -> float:
        """0 at the first step, 1 or more where the fold is to end; never less than before."""
        by_steps = self.by_steps(steps_done)
        if self.deadline == math.inf:
            return by_steps
        now = time.monotonic()
        step = (now - self.begun - self.paused) / max(1, steps_done - self.done)
        last = self.measuring or step * self.steps * self.held_share * HELD_OUT_COST
        ends = self.deadline - LAST_SECONDS - last - step
        by_time = self.before + (1 - self.before) * (now - self.begun) / (ends - self.begun) if ends > self.begun else 1.0
        self.furthest = of_main(max(self.furthest, by_steps, by_time))
        return self.furthest

    def by_steps(self, steps_done: int) -> float:
        """The position that so many steps would be, were there no budget."""
        return steps_done / (self.epochs * self.steps)

    def foreseen(self, steps_done: int) -> float:
        """The position at a step to come, as far as is known now: to look ahead moves nothing on."""
        return max(self.furthest, self.by_steps(steps_done))

    def worth_measuring(self) -> bool:
        """Whether a validation between two epochs costs little beside the training since the last."""
        since = time.monotonic() - self.measured
        return self.deadline == math.inf or bool(of_main(self.measuring < since * MEASURED_SHARE))

    def now(self) -> float:
        """Seconds by its own watch, for `measured_since`."""
        return time.monotonic()

    def measured_since(self, began: float) -> None:
        """To be told when a validation, with the saving after it, is over: what it took is known from then on, and is no training time."""
        self.measured = self.now()
        self.measuring = self.measured - began
        self.paused += self.measuring
