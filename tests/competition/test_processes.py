from pathlib import Path

import psutil
import pytest

from competition import processes
from competition.processes import cores, free_memory

V2 = {"memory.max": "3000", "memory.stat": "anon 1000\nfile 1900\n"}
V1 = {"memory/memory.limit_in_bytes": "5000", "memory/memory.stat": "cache 3000\ntotal_rss 4500\n"}
CONTAINERS: dict[str, tuple[dict[str, str], int | None]] = {
    "its limit, less what it uses; what it has of files can be had back": (V2, 2000),
    "the same, of the older kind": (V1, 500),
    "all is used": (V2 | {"memory.stat": "anon 3100"}, 0),
    "no limit": (V2 | {"memory.max": "max"}, None),
    "a limit above what there is": (V2 | {"memory.max": str(2**62)}, None),
    "no container": ({}, None),
    "nothing that can be read": ({"memory.max": "3000", "memory.stat": "odd"}, None),
}


def written(place: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(content)


@pytest.mark.parametrize("case", CONTAINERS)
def test_free_memory_is_that_of_the_container(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, free = CONTAINERS[case]
    written(tmp_path, files)
    monkeypatch.setattr(processes, "CGROUP", tmp_path)
    there = psutil.virtual_memory()
    found = free_memory()
    assert found == free if free is not None else there.available / 2 < found <= there.total


TIME: dict[str, tuple[dict[str, str], int | None]] = {
    "two cores' time": ({"cpu.max": "200000 100000"}, 2),
    "one and a half": ({"cpu.max": "150000 100000"}, 1),
    "less than one": ({"cpu.max": "50000 100000"}, 1),
    "no limit": ({"cpu.max": "max 100000"}, None),
    "the older kind": ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
    "the older kind, no limit": ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "no container": ({}, None),
}


@pytest.mark.parametrize("case", TIME)
def test_cores_are_those_that_the_container_has_the_time_of(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, limit = TIME[case]
    written(tmp_path, files)
    monkeypatch.setattr(processes, "CGROUP", tmp_path / "none")
    there = cores()
    monkeypatch.setattr(processes, "CGROUP", tmp_path)
    assert cores() == (there if limit is None else min(limit, there))
