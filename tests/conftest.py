"""Set before anything imports torch or albumentations: it counts only then."""

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait starve the other tests
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
