"""What the processes of test_together.py run, each of them: python -m torch.distributed.run ... -m tests.models.several DIRECTORY."""

import atexit
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from competition.config import DeviceConfig
from competition.processes import RANK
from models.device import accelerator_for
from models.fit import fit
from models.job import Fitted, FoldJob, Stopped
from models.together import join, largest
from tests.models.examples import job_of

SGD: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "epochs": 3, "batch": 16}
NO_NORM: dict[str, Any] = {"model": {"backbone": "timm/test_vit"}, "data": {"size_px": 32, "channels": 3}}
FROZEN: dict[str, Any] = {"model": {"freeze_norm": True, "freeze": ("features.0",)}}
ALIKE: dict[str, dict[str, Any]] = {  # whose parts of a batch are together what the whole is
    "plain": {**NO_NORM, "optim": SGD},
    "parts of different sizes": {**NO_NORM, "optim": SGD | {"batch": 15}},
    "accumulated": {**NO_NORM, "optim": SGD | {"batch": 12, "accumulate": 4}},
    "class weights": {**NO_NORM, "optim": SGD | {"class_weights": "balanced"}},
    "averaged, the best kept": {**NO_NORM, "optim": SGD | {"ema": 0.5, "keep": "best"}},
    "norms and a part frozen": {**FROZEN, "optim": SGD},
    "last layer first": {**FROZEN, "optim": SGD | {"head_first": 0.4}},
}
NORMS: dict[str, Any] = {"optim": {"epochs": 3}}


def job_for(directory: Path, **settings: Any) -> FoldJob:
    """Rows that two processes cannot share out evenly, of classes that differ in number."""
    job = job_of(directory, rows=97, held=25, **settings)
    job.truth[30:45] = job.truth[0]
    return job


def trained(job: FoldJob, stop: Callable[[], bool] = lambda: False) -> Fitted:
    return fit(job, accelerator_for(job.config.machine), stop)


def threads() -> str:
    """The names of all threads of this process, also of those that Python does not know."""
    return " ".join(path.read_text(encoding="utf-8").strip() for path in Path("/proc/self/task").glob("*/comm"))


def main() -> None:
    place, asked = Path(sys.argv[1]), [0]
    atexit.register(lambda: (place / f"threads of {RANK}").write_text(threads(), encoding="utf-8"))
    join(DeviceConfig(device="cpu"))
    for name, settings in ALIKE.items():
        trained(job_for(place / name, **settings))
    norms = trained(job_for(place / "norms", **NORMS))
    np.save(place / f"norms of {RANK}.npy", norms.probs)

    def stop() -> bool:
        """Process 1 alone is asked to."""
        asked[0] += 1
        return largest(RANK == 1 and asked[0] > 6) > 0

    for name in ("again", "alone"):  # the first goes on at once, the second in one process
        asked[0] = 0
        job = job_for(place / name, **ALIKE["plain"])
        try:
            trained(job, stop)
        except Stopped:
            (place / f"{name} stopped {RANK}").write_text(str(asked[0]), encoding="utf-8")
    largest(0)  # until the state is saved
    trained(job_for(place / "again", **ALIKE["plain"]))

    clock = job_for(place / "clock", optim={"epochs": 1000})
    trained(replace(clock, deadline=time.monotonic() + (3 if RANK == 0 else 0)))


if __name__ == "__main__":
    main()
