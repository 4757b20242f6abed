"""Learn and infer: backbones, augmentation, the loop that trains one fold, checkpoints, test-time views.

Its front door is `python -m models`: backbones, the range test, speed, export, studies. It knows the competition room only. Every module
imports torch, timm or albumentations at its top: import a module of this room where it is used, not before.
"""

import ctypes
import gc
import os
import sys
from importlib import import_module

# albumentations asks the network for a newer version at import
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# onnxruntime reports its use to Microsoft from the first session on
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# threads that spin while they wait starve whoever shares the cores; it counts only when set before torch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
    # What a step frees, the next one takes again. Large tensors would go back to the system, which clears each page that it gives: a third
    # of the time of a batch of 50 images of 200 px. The names are of glibc's malloc.h.
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    mallopt(M_MMAP_THRESHOLD, 2**30)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def import_packages() -> None:
    """Imports what takes longest. What an import makes stays, so that no garbage is looked for: that was a fifth of the time."""
    gc.disable()
    for name in ("torch", "timm", "albumentations"):
        import_module(name)
    gc.enable()
    gc.freeze()
