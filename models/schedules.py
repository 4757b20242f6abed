"""The learning rate as a pure function of how far a run is: progress 0..1 -> a factor 0..1 of its highest value.

Pure, so that a resumed run needs no state and a plan can be drawn before it is run. timm's hold state,
and it has no one-cycle.
"""

import math
from collections.abc import Callable, Sequence


def cosine(progress: float, warmup: float) -> float:
    """Up in a line during `warmup` (a share of the run), then down half a cosine to 0."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / max(1e-9, 1 - warmup)))


def onecycle(progress: float, warmup: float) -> float:
    """From 1/25 up half a cosine to 1 at `warmup`, down half a cosine to 1/10,000.

    Source: Smith and Topin 2018, as in torch's OneCycleLR.
    """
    if progress < warmup:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * progress / warmup))
    return 1e-4 + (1 - 1e-4) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / max(1e-9, 1 - warmup)))


def constant(progress: float, warmup: float) -> float:
    """Up in a line during `warmup`, then level."""
    return min(1.0, progress / warmup) if warmup else 1.0


def plateau_factor(losses: Sequence[float], patience: int) -> float:
    """A tenth for every `patience` + 1 epochs in a row whose held-out loss was not below the best before them by at least 0.01 %."""
    factor, best, waited = 1.0, math.inf, 0
    for loss in losses:
        if loss < best * (1 - 1e-4):
            best, waited = loss, 0
        else:
            waited += 1
            if waited > patience:
                factor, waited = factor / 10, 0
    return factor


SCHEDULES: dict[str, Callable[[float, float], float]] = {  # (progress, warmup) -> factor
    "cosine": cosine,
    "onecycle": onecycle,
    "constant": constant,
    "plateau": constant,  # times plateau_factor of the epochs so far
}
