"""Waiting for what another process does."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 240  # a machine may be busy with other things


def until(ready: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)
