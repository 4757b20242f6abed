"""Set before anything imports torch, albumentations or onnxruntime: it counts only then."""

import os
import signal

import pytest

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait starve the other tests
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests import onnxruntime too
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `make test &` has it ignored, also by what the tests start

# begun first, so that neither worker is left with one of them at the end
LONGEST = ("test_ray", "test_end_to_end", "test_together", "test_study", "test_layouts_end_to_end")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
