"""Which of the processes that train together this is, and its share of the machine, as what started them set it.

That is torchrun, accelerate launch, or mpirun (by which accelerate launch starts several on CPUs; the names of Intel's and Open MPI).
"""

import os
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
CPU_LIMITS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))  # of a container: microseconds of a core, of so many
LIMITS = {  # of a container: the file of its limit, that of its use, and what counts in it (the rest can be had back)
    "memory.max": ("memory.stat", "anon"),
    "memory/memory.limit_in_bytes": ("memory/memory.stat", "total_rss"),
}


def _told(otherwise: int, *names: str) -> int:
    return next((int(os.environ[name]) for name in names if name in os.environ), otherwise)


PROCESSES = _told(1, "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
LAUNCHED = PROCESSES > 1 or "LOCAL_RANK" in os.environ  # torchrun may also start a single one
RANK = _told(0, "RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK") if LAUNCHED else 0  # 0: the main process, which alone writes and speaks
_is_worker = False
ON_THIS_MACHINE = _told(1, "LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE")


def cores() -> int:
    """Cores for this process: those that it may run on, as many of them as its container has the time of, shared out over the processes of
    this machine; one for a worker."""
    if _is_worker:
        return 1
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in CPU_LIMITS:
        try:
            quota, period = (int(word) for name in files for word in (CGROUP / name).read_text().split())
        except (OSError, ValueError):  # there is none: it is another system's, or "max"
            continue
        there = min(there, quota // period) if quota > 0 else there
    return max(1, there // ON_THIS_MACHINE)


def free_memory() -> int:
    """Bytes that this process and those that it starts may still take: what the machine has left, less where a container has a limit."""
    free = psutil.virtual_memory().available
    for limit, (use, what) in LIMITS.items():
        try:
            used = dict(line.split() for line in (CGROUP / use).read_text().splitlines())
            free = min(free, int((CGROUP / limit).read_text()) - int(used[what]))
        except (OSError, ValueError, KeyError):  # there is none: it is another system's, or "max"
            continue
    return max(0, free)


def become_worker() -> None:
    """From now on this process has one core: it is one of several that prepare batches for another."""
    global _is_worker
    _is_worker = True
