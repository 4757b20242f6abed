import os
import subprocess
import sys
from pathlib import Path

import pytest

from competition.config import MachineConfig
from competition.machines import Host, Tail, cores, hosts_of

ROOT = Path(__file__).parent.parent.parent


def test_this_machine_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("competition.machines.free_memory", lambda: 5)
    assert hosts_of(MachineConfig(), 2) == [Host(cores(), 2, 5)]


def test_a_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    said = Tail(path)
    assert said() == []
    with path.open("a", encoding="utf-8") as file:
        for written, lines in (("one\ntw", ["one"]), ("", []), ("o\n±\n", ["two", "±"])):
            file.write(written)
            file.flush()
            assert said() == lines
    assert Tail(path)() == [], "what was there before is no news"


def test_without_ray_its_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError", encoding="utf-8")
    asks = "from competition.config import MachineConfig; from competition.machines import hosts_of; hosts_of(MachineConfig(engine='ray'))"
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    asked = subprocess.run(
        [sys.executable, "-c", asks], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert "CompetitionError: --machine.engine ray needs a further package: pip install 'podium[ray]'" in asked.stderr
