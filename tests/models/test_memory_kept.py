"""What freed memory costs: told by the system's own count of the pages that it had to give."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STEPS = """
import models
import resource
import torch

faults = []
for step in range(24):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    activations = [torch.ones(8 * 2**20) for _ in range(4)]
    del activations
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="its C library has no mallopt")
def test_what_a_step_frees_the_next_one_takes_again() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True)
    first, *later = map(int, done.stdout.split())
    assert sum(later[-12:]) < first, "in the first steps it finds the places that all of them fit into"
