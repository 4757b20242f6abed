"""The time that a run may take (--budget), shared out over its folds. Times are those of time.monotonic, in seconds."""

import time

from competition.config import Config, seconds_of

LAST_SECONDS = 3.0  # for the scores and the ledger, after the last fold
PAGE_SECONDS = 12.0  # for the run's page and its end, once all folds are finished, on two slow cores


def end_of(config: Config, started: float) -> float:
    """When the last fold has to be done; inf where there is no budget. started: when this process was."""
    if config.machine.fold_seconds is not None:
        return started + config.machine.fold_seconds
    return started + seconds_of(config.optim.budget) - LAST_SECONDS - PAGE_SECONDS * (config.machine.fold == "all")


def share_of(end: float, folds: int) -> float:
    """Seconds for the next of so many folds that are left, one after the other."""
    return (end - time.monotonic()) / folds
