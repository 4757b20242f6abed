"""A disk that is full, or shut to this user, at one of the writes of a command: each of them in turn."""

import errno
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from competition.forked import start_script
from tests.patience import until

ROOT = Path(__file__).parent.parent.parent
TRAIN = ["--competition", "digits", "--model.backbone", "small/resnet9-8", "--data.size-px", "8", "--optim.epochs", "1"]
TRAIN += ["--machine.threads", "1"]
COMMANDS = {
    "a fold": ["train.py", *TRAIN, "--fold", "0", "--folds.count", "5"],
    "folds one after another, and their page": ["train.py", *TRAIN, "--fold", "all", "--folds.count", "2", "--machine.parallel-folds", "1"],
    "folds side by side": ["train.py", *TRAIN, "--fold", "0,1", "--folds.count", "3", "--machine.parallel-folds", "2"],
    "predict": ["predict.py", "--output", "s.csv", "--views", "identity"],
}
LEAST = {"a fold": 19, "folds one after another, and their page": 29, "folds side by side": 13, "predict": 5}  # writes of a process
TOLD = {errno.ENOSPC: ("is full", "was filled"), errno.EACCES: ("is not allowed to",)}
# write number REFUSED of a process fails as that of a full disk would; each process tells how many there were
PATCH = """
import os, stat
from pathlib import Path
number, fails, real, count = int(os.environ["REFUSED"]), int(os.environ["FAILS"]), os.fsync, 0
def fsync(descriptor):
    global count
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        count += 1
        Path(os.environ["COUNTS"], str(os.getpid())).write_text(str(count))
        if count == number:
            raise OSError(fails, os.strerror(fails))
    real(descriptor)
os.fsync = fsync
"""
DRIVER = f"""{PATCH}
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
runpy.run_path(os.environ["SCRIPT"], run_name="__main__")
"""


def ran(place: Path, script: str, *flags: str, refused: int = 0, fails: int = 0) -> tuple[int, str]:
    """The exit code of the script in this directory, and what it said."""
    patched, counts, log = place / "patched", place / "counts", place / "said.log"
    for directory in (patched, counts):
        directory.mkdir(parents=True, exist_ok=True)
    (patched / "driver.py").write_text(DRIVER, encoding="utf-8")
    (patched / "sitecustomize.py").write_text(PATCH, encoding="utf-8")  # for the processes that the script starts
    log.unlink(missing_ok=True)
    told = {"REFUSED": refused, "FAILS": fails, "COUNTS": counts, "SCRIPT": ROOT / script, "PYTHONPATH": patched}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        process = start_script(patched / "driver.py", flags, log, {name: str(value) for name, value in told.items()})
    until(lambda: process.poll() is not None, "the command ends")
    return process.poll() or 0, log.read_text(encoding="utf-8")


def writes(place: Path) -> int:
    """The most of a process."""
    return max(int(path.read_text()) for path in (place / "counts").iterdir())


def results(place: Path) -> dict[str, object]:
    """The weights and held-out predictions of all folds, how many rows the ledger has, and the submission."""
    kept: list[Path] = [path for name in ("model.safetensors", "oof.parquet") for path in place.glob(f"runs/digits/*/fold*/{name}")]
    found: dict[str, object] = {str(path.relative_to(place)): path.read_bytes() for path in [*kept, *place.glob("s.csv")]}
    ledger = place / "runs" / "ledger.csv"
    return found | {"ledger": len(pd.read_csv(ledger)) if ledger.is_file() else 0}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fails", [errno.ENOSPC, errno.EACCES], ids=["full", "shut"])
def test_a_write_that_fails_is_told_and_the_same_command_ends_in_the_same_numbers(fails: int, command: str, tmp_path: Path) -> None:
    script, *flags = COMMANDS[command]
    before, whole = tmp_path / "before", tmp_path / "whole"
    before.mkdir()
    if script == "predict.py":
        assert ran(before, *COMMANDS["a fold"])[0] == 0
        shutil.rmtree(before / "counts")
    shutil.copytree(before, whole)
    code, said = ran(whole, script, *flags)
    assert code == 0, said
    expected, count = results(whole), writes(whole)
    assert count >= LEAST[command], "a write is no longer synced to the disk"
    for refused in range(1, count + 1):
        place = shutil.copytree(before, tmp_path / str(refused))
        code, said = ran(place, script, *flags, refused=refused, fails=fails)
        assert "Traceback" not in said, f"write {refused}: {said}"
        assert any(words in said for words in TOLD[fails]), f"write {refused}: {said}"
        assert code == 1 or results(place) == expected, f"write {refused}, without which one can do: {said}"
        assert not list(place.rglob("*.part")), f"write {refused}"
        code, said = ran(place, script, *flags)
        assert code == 0, f"after write {refused}: {said}"
        assert results(place) == expected, f"after write {refused}"
        if "all" in flags:
            (page,) = place.glob("runs/digits/*/report.html")
            assert page.read_text(encoding="utf-8").rstrip().endswith("</html>"), f"after write {refused}"
