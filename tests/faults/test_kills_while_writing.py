"""kill -9 while files are written: what was said to be there is there, nothing half-written is read, and the next process goes on."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages.journal import JournalFileBackend

from competition import spans
from competition.atomic import HOST
from competition.files import Files
from folds.scores import COLUMNS, gather, read_ledger, record
from models.study import _cut_short
from submissions.check import check
from submissions.log import log_path, read_log
from submissions.write import facts_path
from tests.builders import make_table
from tests.faults.writing import CONTEST, WRITERS, opened, run
from tests.patience import until
from tests.security.noise import pack_noise

ROOT = Path(__file__).parent.parent.parent
KILLS = 10  # of each kind of file


def told(place: Path) -> list[object]:
    """What was said to be written, after it was."""
    return [json.loads(path.read_text()) for path in sorted((place / "told").glob("*.json"), key=lambda path: int(path.stem))]


def ledger_holds(place: Path) -> None:
    found = read_ledger(place / "runs")
    assert list(found.columns) == COLUMNS
    assert set(told(place)) <= set(found["run"])
    assert found["run"].is_unique
    assert (found["git"] == found["run"].str.replace("run", "git")).all(), "whole lines"


def run_holds(place: Path) -> None:
    found = opened(place)
    oof = found.oof(CONTEST.task)
    assert len(oof) == sum((found.fold_of() == fold).sum() for fold in found.finished_folds())
    ledger = read_ledger(place / "runs")
    assert len(ledger) <= 1


def submission_holds(place: Path) -> None:
    path = place / "runs" / CONTEST.name / "submissions" / "one.csv"
    assert path.exists() or not facts_path(path).exists(), "facts come after what they are of"
    if path.exists():
        assert check(path, CONTEST) == []
    assert set(told(place)) <= {row.id for row in read_log(log_path(place / "runs", CONTEST.name))}


def cache_holds(place: Path) -> None:
    for path in (place / "cache").glob("*.npy"):
        kept = np.load(path, mmap_mode="r", allow_pickle=False)
        assert kept.shape == (300, 24, 24, 3)
        assert (kept == kept[0, 0, 0, 0]).all(), "each image is whole"


def journal_holds(place: Path) -> None:
    assert len(told(place)) == len(set(map(str, told(place))))


HOLDS: dict[str, Callable[[Path], None]] = {
    "ledger": ledger_holds,
    "run": run_holds,
    "submission": submission_holds,
    "cache": cache_holds,
    "journal": journal_holds,
}


def test_each_kind_of_file_is_looked_at() -> None:
    assert HOLDS.keys() == WRITERS.keys()


@pytest.fixture(scope="module")
def after_kills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where writers were killed, of each kind so many; what must hold was looked at after each."""
    place = tmp_path_factory.mktemp("killed")
    seed = time.time_ns() % 10**9
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.writing", str(place)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    moments: dict[str, list[str]] = {name: [] for name in WRITERS}
    try:
        for kill in range(KILLS):
            for number, (name, holds) in enumerate(HOLDS.items()):
                turns = kill % 2  # half of them in a first turn, the others after one
                process.stdin.write(f"{name} {seed + 100 * kill + number} {turns}\n")
                process.stdin.flush()
                moments[name].append(process.stdout.readline().strip())
                try:
                    holds(place / name)
                except BaseException:
                    print(f"seed {seed}, kill {kill} of {name}; killed after so many seconds: {moments}")
                    raise
    finally:
        process.communicate()
    print(f"seed {seed}; killed after so many seconds: {moments}")
    assert len(moments["ledger"]) == KILLS
    return place


def test_fifty_kills_lose_nothing_that_was_said_to_be_written(after_kills: Path) -> None:
    assert all(told(after_kills / name) for name in ("ledger", "submission", "journal")), "and something was"
    assert opened(after_kills / "run").finished_folds()
    assert list((after_kills / "cache" / "cache").glob("*.npy"))


def test_a_run_that_was_killed_ten_times_ends_in_the_same_numbers(after_kills: Path, tmp_path: Path) -> None:
    killed = after_kills / "run"
    for turn in range(5):
        run(killed, turn)
        run(tmp_path, turn)
    scores = [gather(opened(place), CONTEST) for place in (killed, tmp_path)]
    assert scores[0] == scores[1]
    tables = [opened(place).oof(CONTEST.task) for place in (killed, tmp_path)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(opened(killed).test(CONTEST.task)[0], make_table(CONTEST), check_index_type=False)


def test_what_the_killed_left_is_swept_up(after_kills: Path) -> None:
    """By whoever writes the same file next."""
    (after_kills / "ledger" / "runs" / ".ledger.csv.elsewhere.1.2.part").touch()  # of a machine that shares the disk: its own to clear away
    record(after_kills / "ledger" / "runs", dict.fromkeys(COLUMNS, "the last"))
    parts = [path.name for path in (after_kills / "ledger" / "runs").glob(".*.part")]
    assert parts == [".ledger.csv.elsewhere.1.2.part"]


def test_a_study_goes_on_after_its_journal_was_cut(after_kills: Path) -> None:
    path = after_kills / "journal" / "journal.log"
    with path.open("ab") as file:
        file.write(b'{"op_code": 4, "worker')  # as a full disk leaves it
    path.with_name("journal.log.lock").unlink(missing_ok=True)
    _cut_short(path)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    held = optuna.create_study(storage=storage, study_name="one", load_if_exists=True)
    before = len(held.trials)
    held.tell(held.ask(), 0.7)
    again = optuna.load_study(storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))), study_name="one")
    assert len(again.trials) == before + 1 > 1


OPENS = """
import sys, time
from pathlib import Path
from competition import spans
from competition.files import Files

spans.IN_MEMORY_BYTES = 2**20
files = Files(Path(sys.argv[1]))
Path(sys.argv[2]).touch()
time.sleep(600)
"""


@pytest.mark.parametrize("kind", [".tar.gz", ".7z"])
def test_what_killed_processes_have_unpacked_goes_with_the_next_one(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, home, noise = tmp_path / f"data{kind}", tmp_path / "temporary", np.random.default_rng(0).bytes(3 * 2**20)
    home.mkdir()
    pack_noise(path, noise)
    odd = home / "competition.x.\u00b2.y.part", home / f"competition.{HOST}.{'9' * 30}.y.part"
    for each in odd:
        each.mkdir()

    def opening(name: str) -> tuple[subprocess.Popen[bytes], Path]:
        """A process that has it open, and its directory."""
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(home)}
        process = subprocess.Popen([sys.executable, "-c", OPENS, str(path), str(tmp_path / name)], env=environment)
        until((tmp_path / name).exists, "it is unpacked")
        return process, next(home.glob(f"competition.*.{process.pid}.*.part"))

    (killed, left), (alive, held) = opening("killed"), opening("alive")
    try:
        killed.kill()
        killed.wait()
        assert left.exists()
        monkeypatch.setattr(tempfile, "tempdir", str(home))
        monkeypatch.setattr(spans, "IN_MEMORY_BYTES", 2**20)
        files = Files(path)
        assert not left.exists()
        assert {each for each in home.iterdir() if f".{os.getpid()}." not in each.name} == {held, *odd}
        assert files.read("b.bin") == noise
    finally:
        alive.kill()
        alive.wait()
