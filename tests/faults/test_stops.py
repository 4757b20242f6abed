"""SIGTERM and lost processes: what is half-written goes, what is finished stays, and the same command goes on with the same numbers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from competition.cache import Undecoded
from competition.errors import CompetitionError
from competition.files import Files
from competition.images import FileImages
from models import fit as loop
from models.checkpoint import load_state
from models.errors import ModelError
from models.fit import STATE
from models.job import FoldJob, Stopped
from models.probe import probe
from tests.layouts import picture
from tests.models.examples import job_of
from tests.models.test_fit import accelerator_for, history, run, weights
from tests.patience import until

ROOT = Path(__file__).parent.parent.parent
WRITES = """
import sys, time
from pathlib import Path
from competition.atomic import replacing
from competition.console import guarded

def work():
    with replacing(Path(sys.argv[1])) as part:
        part.write_text("half")
        time.sleep(600)
    return 0

sys.exit(guarded(work))
"""


def same_weights(one: FoldJob, other: FoldJob) -> bool:
    mine, others = weights(one), weights(other)
    return all(value.equal(others[name]) for name, value in mine.items())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_is_ended_leaves_nothing_half_written(number: signal.Signals, code: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("as it was")
    command = [sys.executable, "-c", WRITES, str(path)]
    running = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    until(lambda: any(part.read_text() for part in tmp_path.glob(".*.part")), "it is half-written")
    running.send_signal(number)
    said = running.communicate(timeout=60)[1]
    assert (running.returncode, said) == (code, "stopped\n")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "as it was"


VALIDATED: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged epochs": {"average_last": 0.7},
    "the best kept, accumulated": {"keep": "best", "accumulate": 2, "ema": 0.5},
}


@pytest.mark.parametrize("case", VALIDATED)
def test_a_stop_within_a_validation_ends_as_if_it_had_not_been(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would take longer than a machine that is taken back has: the state is saved, and each validation is cut off once."""
    whole = job_of(tmp_path / "whole" / "fold0", optim={"epochs": 3} | VALIDATED[case])
    fitted = run(whole)
    parts = replace(whole, directory=tmp_path / "parts" / "fold0")
    monkeypatch.setattr(loop, "STOP_SECONDS", -1.0)
    places, lets = list[tuple[int, int]](), [True]

    def stop() -> bool:
        """Asked for whenever held-out rows are looked at, but for the look that comes after it was."""
        if sys._getframe(1).f_code.co_name != "looked":
            return False
        lets[0] = not lets[0]
        return not lets[0]

    resumed = None
    while resumed is None:
        try:
            resumed = run(parts, stop)
        except Stopped:
            state = load_state(parts.directory / STATE) or {}
            places.append((state["epoch"], state["step"]))
    assert places[:3] == [(0, 4), (1, 4), (2, 4)], "with all steps of the epoch done"
    np.testing.assert_array_equal(resumed.probs, fitted.probs)
    assert same_weights(whole, parts)
    rows, same = ([{**row, "seconds": 0} for row in history(job)] for job in (whole, parts))
    assert rows == same


def test_a_probe_stops_while_it_looks(tmp_path: Path) -> None:
    job = job_of(tmp_path / "fold0", optim={"method": "probe"}, machine={"cache": tmp_path})
    with pytest.raises(Stopped):
        probe(job, accelerator_for(job.config.machine), lambda: True)
    assert np.isfinite(probe(job, accelerator_for(job.config.machine)).probs).all()


def workers() -> list[psutil.Process]:
    """The processes that prepare batches for this one."""
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


def when(step: int, do: Callable[[], object]) -> Callable[[], bool]:
    """No stop; but at the nth question something is done."""
    asked = [0]

    def stop() -> bool:
        asked[0] += 1
        if asked[0] == step:
            do()
        return False

    return stop


@pytest.fixture
def worked(tmp_path: Path) -> tuple[FoldJob, FoldJob]:
    """A fold that was trained without workers, and the same with two, to be trained."""
    alone = job_of(tmp_path / "alone" / "fold0", optim={"epochs": 4}, augment={"strength": "light"})
    run(alone)
    machine = alone.config.machine.model_copy(update={"workers": 2, "save_seconds": 0.0})
    return alone, replace(alone, directory=tmp_path / "two" / "fold0", config=alone.config.model_copy(update={"machine": machine}))


def test_a_killed_worker_costs_the_steps_since_the_last_saved_state(
    worked: tuple[FoldJob, FoldJob], capsys: pytest.CaptureFixture[str]
) -> None:
    alone, two = worked
    before = {child.pid for child in workers()}

    def kill() -> None:
        victim = next(child for child in workers() if child.pid not in before)
        victim.kill()
        psutil.wait_procs([victim], timeout=10)

    run(two, when(3, kill))
    told = capsys.readouterr().out
    assert "fold 0  a process that prepares batches is gone: DataLoader worker" in told
    assert "goes on at epoch" in told
    assert same_weights(alone, two)


def test_workers_that_are_lost_again_and_again_are_an_error_that_says_what_to_do(worked: tuple[FoldJob, FoldJob]) -> None:
    two, before = worked[1], {child.pid for child in workers()}

    def kill() -> bool:
        lost = [child for child in workers() if child.pid not in before]
        for victim in lost:
            victim.kill()
        psutil.wait_procs(lost, timeout=10)
        return False

    with pytest.raises(ModelError, match=r"processes that prepare batches are lost \(DataLoader worker .*--machine.workers 0 does without"):
        run(two, kill)


def test_a_signal_to_all_processes_leaves_the_main_one_its_workers(
    worked: tuple[FoldJob, FoldJob], capsys: pytest.CaptureFixture[str]
) -> None:
    """As at the end of a job, or by Ctrl-C in a terminal: who trains decides, and saves."""
    alone, two = worked
    before = {child.pid for child in workers()}

    def end() -> None:
        for child in workers():
            if child.pid not in before:
                child.send_signal(signal.SIGTERM)
                child.send_signal(signal.SIGINT)

    run(two, when(3, end))
    assert "is gone" not in capsys.readouterr().out
    assert same_weights(alone, two)


def not_kept(place: Path, count: int) -> tuple[FoldJob, Path]:
    """A fold with so many workers whose images are decoded anew each time (from the cache, nothing would be missed), and one of them."""
    (place / "photos").mkdir()
    keys = [f"{number}.png" for number in range(96)]
    for number, key in enumerate(keys):
        (place / "photos" / key).write_bytes(picture(number))
    job = job_of(place / "run" / "fold0", optim={"epochs": 5}, machine={"workers": count, "save_seconds": 0.0})
    source = FileImages(Files(place / "photos"))
    pixels = Undecoded(source, keys, (8, 3, "bilinear", "stretch"), place / "none")
    return replace(job, pixels=pixels), place / "photos" / keys[50]


@pytest.mark.parametrize("count", [0, 2])
def test_an_image_that_vanishes_is_named_and_training_goes_on_once_it_is_back(count: int, tmp_path: Path) -> None:
    job, lost = not_kept(tmp_path, count)
    whole = replace(job, directory=tmp_path / "whole" / "fold0")
    run(whole)
    with pytest.raises(CompetitionError) as told:
        run(job, when(3, lambda: lost.rename(tmp_path / "aside")))
    assert "50.png" in str(told.value)
    assert "Traceback" not in str(told.value)
    (tmp_path / "aside").rename(lost)
    run(job)
    assert same_weights(whole, job)


@pytest.mark.parametrize("count", [0, 2])
def test_an_image_that_changes_between_epochs_is_named(count: int, tmp_path: Path) -> None:
    job, changed = not_kept(tmp_path, count)
    with pytest.raises(CompetitionError, match=r"image '50.png' was changed since this command began; put it back, or the same") as told:
        run(job, when(3, lambda: changed.write_bytes(picture(7))))
    assert "Traceback" not in str(told.value)
