"""Scripts as processes of their own; they are real."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from competition import forked
from competition.forked import PACKAGES, Script, start_script
from tests.patience import PATIENCE_SECONDS, until

ROOT = Path(__file__).parent.parent.parent
TELLS = """
import json, multiprocessing, os, sys
early = "torch" in sys.modules
print(json.dumps({
    "argv": sys.argv, "place": os.getcwd(), "name": __name__, "input": sys.stdin.read(), "early": early,
    "more": os.environ["MORE"], "kept": os.environ["KEPT"], "gone": "GONE" in os.environ,
    "parent": multiprocessing.parent_process().pid, "session": os.getsid(0) == os.getpid(),
}))
import beside
print("and an error", file=sys.stderr)
"""
STOPS = """
import sys, time
from pathlib import Path
from competition.stop import StopRequest
stop = StopRequest()
Path(sys.argv[1]).touch()
while not stop():
    time.sleep(0.05)
Path(sys.argv[2]).write_text(str(stop.exit_code))
sys.exit(stop.exit_code)
"""


def ended(script: Script) -> int:
    until(lambda: script.poll() is not None, "it ends")
    return script.poll() or 0


def written(where: Path, text: str) -> Path:
    path = where / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(params=["forked", "started anew"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As on Linux, and as elsewhere."""
    if request.param == "started anew":
        monkeypatch.setattr(forked, "CONTEXT", forked.multiprocessing.get_context("spawn"))
    elif not forked.LINUX:
        pytest.skip("Linux alone has it")
    return request.param


def test_a_script_is_run_as_python_would(either: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words, place and environment are those of now, not those of when the packages were imported; its log is added to."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "beside.py").touch()
    script, log = written(tmp_path / "code", TELLS), tmp_path / "new" / "log"
    monkeypatch.setenv("GONE", "1")
    assert ended(start_script(script, [], log, {"MORE": "one", "KEPT": "1"})) == 0
    monkeypatch.delenv("GONE")
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.chdir(tmp_path)
    assert ended(start_script(script, ["--fold", "2"], log, {"MORE": "two"})) == 0
    first, _, told, error = log.read_text().splitlines()
    assert json.loads(first)["gone"]
    assert json.loads(told) == {
        "argv": [str(script), "--fold", "2"],
        "place": str(tmp_path),
        "more": "two",
        "kept": "kept",
        "gone": False,
        "early": either == "forked",
        "parent": os.getpid(),
        "session": True,
        "name": "__main__",
        "input": "",
    }
    assert error == "and an error"


ENDS = {
    "well": ("", 0),
    "with a code": ("import sys; sys.exit(3)", 3),
    "by an error": ("raise ValueError('the reason')", 1),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}


@pytest.mark.parametrize("case", ENDS)
def test_how_it_ended_is_its_exit_code(case: str, tmp_path: Path) -> None:
    text, code = ENDS[case]
    log = tmp_path / "log"
    assert ended(start_script(written(tmp_path, text), [], log, {})) == code
    assert ("ValueError: the reason" in log.read_text()) == (case == "by an error")


def test_terminate_is_a_question_that_it_answers(either: str, tmp_path: Path) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    script = start_script(written(tmp_path, STOPS), [str(begun), str(done)], tmp_path / "log", {"PYTHONPATH": str(ROOT)})
    until(begun.exists, "it begins")
    assert script.poll() is None
    script.terminate()
    script.terminate()
    assert ended(script) == 128 + signal.SIGTERM
    assert done.read_text() == "143"


def test_it_stops_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    starts = f"""
from pathlib import Path
from competition.forked import start_script
if __name__ == "__main__":
    start_script(Path({str(written(tmp_path, STOPS))!r}), [{str(begun)!r}, {str(done)!r}], Path({str(tmp_path / "log")!r}), {{}})
    time.sleep({PATIENCE_SECONDS})
"""
    (tmp_path / "starts.py").write_text(starts, encoding="utf-8")
    starter = subprocess.Popen([sys.executable, str(tmp_path / "starts.py")], env=os.environ | {"PYTHONPATH": str(ROOT)})
    until(begun.exists, "it begins")
    starter.kill()
    starter.wait()
    until(done.exists, "it stops")


def test_what_is_imported_ahead_leaves_cuda_alone() -> None:
    """A process that is forked from one that has started CUDA cannot use it."""
    asks = f"""
import importlib, torch
def count(*given): raise SystemExit("asked for GPUs")
torch._C._cuda_getDeviceCount = torch._C._cuda_init = count
for name in {PACKAGES}: importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", asks], check=True)
