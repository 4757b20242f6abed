"""A disk that is full, or shut to this user, at one of the writes of a fold: each of them in turn."""

import errno
import sys
from pathlib import Path

import pandas as pd
import pytest

from competition.forked import start_script
from tests.patience import until

ROOT = Path(__file__).parent.parent.parent
FLAGS = ["--competition", "digits", "--fold", "0", "--folds.count", "5", "--model.backbone", "small/resnet9-8", "--data.size-px", "8"]
FLAGS += ["--optim.epochs", "1", "--machine.threads", "1"]
TOLD = {errno.ENOSPC: ("is full", "was filled"), errno.EACCES: ("is not allowed to",)}
# train.py, whose write number REFUSED fails as that of a full disk would; it tells how many there were
DRIVER = f"""
import os, runpy, stat, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
number, fails, real, count = int(os.environ["REFUSED"]), int(os.environ["FAILS"]), os.fsync, 0
def fsync(descriptor):
    global count
    count += stat.S_ISREG(os.fstat(descriptor).st_mode)
    if count == number and stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(fails, os.strerror(fails))
    real(descriptor)
os.fsync = fsync
try:
    runpy.run_path({str(ROOT / "train.py")!r}, run_name="__main__")
finally:
    Path("writes").write_text(str(count))
"""


def trained(place: Path, refused: int = 0, fails: int = 0) -> tuple[int, str]:
    """The exit code of train.py in this directory, and what it said."""
    place.mkdir(exist_ok=True)
    driver, log = place / "driver.py", place / "said.log"
    driver.write_text(DRIVER, encoding="utf-8")
    log.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        script = start_script(driver, FLAGS, log, {"REFUSED": str(refused), "FAILS": str(fails)})
    until(lambda: script.poll() is not None, "the command ends")
    return script.poll() or 0, log.read_text(encoding="utf-8")


def results(place: Path) -> tuple[bytes, bytes, int]:
    """The weights, the held-out predictions, and how many rows the ledger has."""
    (fold,) = place.glob("runs/digits/*/fold0")
    ledger = place / "runs" / "ledger.csv"
    return (fold / "model.safetensors").read_bytes(), (fold / "oof.parquet").read_bytes(), len(pd.read_csv(ledger))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fails", [errno.ENOSPC, errno.EACCES], ids=["full", "shut"])
def test_a_write_that_fails_is_told_and_the_same_command_ends_in_the_same_numbers(fails: int, tmp_path: Path) -> None:
    code, said = trained(tmp_path / "whole")
    assert code == 0, said
    expected, writes = results(tmp_path / "whole"), int((tmp_path / "whole" / "writes").read_text())
    assert writes > 8, "settings, folds, states, weights, predictions, the ledger"
    for refused in range(1, writes + 1):
        place = tmp_path / str(refused)
        code, said = trained(place, refused, fails)
        assert "Traceback" not in said, f"write {refused}: {said}"
        assert any(words in said for words in TOLD[fails]), f"write {refused}: {said}"
        assert code == 1 or results(place) == expected, f"write {refused}, without which one can do: {said}"
        assert not list(place.rglob("*.part")), f"write {refused}"
        code, said = trained(place)
        assert code == 0, f"after write {refused}: {said}"
        assert results(place) == expected, f"after write {refused}"
