import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from models.device import accelerator_for
from models.errors import ModelError
from models.fit import fit
from models.job import Stopped
from models.loggers import LOGGERS, MLFLOW_RUN, show_pictures
from tests.faults.disks import filled, mounted
from tests.models.examples import job_of


@pytest.mark.parametrize("name", [name for name, logger in LOGGERS.items() if find_spec(logger.package) is None])
def test_one_that_is_not_installed_is_told_before_the_training(name: str, tmp_path: Path) -> None:
    job = job_of(tmp_path, machine={"loggers": [name]})
    with pytest.raises(ModelError, match=f"--machine.loggers {name} needs a further package: pip install {name}"):
        fit(job, accelerator_for(job.config.machine))


def test_none_at_all(tmp_path: Path) -> None:
    job = job_of(tmp_path, machine={"loggers": []})
    fit(job, accelerator_for(job.config.machine))
    assert (tmp_path / "history.csv").is_file()
    assert not (tmp_path / "tensorboard").exists()


def test_one_that_fails_is_left_out_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Gone:
        def log(self, values: dict[str, float], step: int) -> None:
            raise ConnectionError("no route to host")

    monkeypatch.setitem(LOGGERS, "wandb", SimpleNamespace(package="json", opened=lambda job, epoch: Gone()))
    job = job_of(tmp_path, machine={"loggers": ["wandb", "tensorboard"]}, optim={"epochs": 3})
    fit(job, accelerator_for(job.config.machine))
    assert capsys.readouterr().out.count("fold 0  wandb is left out from here on: no route to host") == 1
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_full_disk_leaves_tensorboard_out_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(tmp_path, machine={"loggers": ["tensorboard"]}, optim={"epochs": 3})
    picture = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    with mounted(tmp_path / "tensorboard") as disk, filled(disk):
        fit(job, accelerator_for(job.config.machine))
    with mounted(tmp_path / "run") as disk, filled(disk):
        show_pictures(disk, {"losses": lambda: picture}, job.config.machine)
    out, errors = capsys.readouterr()
    assert out.count("fold 0  tensorboard is left out from here on: [Errno 28] No space left on device") == 1
    assert out.count("pictures  tensorboard is left out from here on: [Errno 28] No space left on device") == 1
    assert "Traceback" not in errors
    assert len((tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
def test_weights_and_biases_has_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    job = job_of(tmp_path / "cats" / "run-1" / "fold0", machine={"loggers": ["wandb"]})
    fit(job, accelerator_for(job.config.machine))
    (written,) = job.directory.glob("wandb/offline-run-*-run-1-fold0/*.wandb")
    content = written.read_bytes()
    assert b"held_out_loss" in content
    assert b"optim.lr" in content


@pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed")
def test_mlflow_has_each_epoch_once_also_of_a_resumed_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes the whole of mlflow
    job = job_of(tmp_path / "cats" / "run-1" / "fold0", machine={"loggers": ["mlflow"]}, optim={"epochs": 3})
    left = [7]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    with pytest.raises(Stopped):
        fit(job, accelerator_for(job.config.machine), stop)
    fit(job, accelerator_for(job.config.machine))
    run = (job.directory / MLFLOW_RUN).read_text(encoding="utf-8").strip()
    found = sys.modules["mlflow"].MlflowClient().get_metric_history(run, "held_out_loss")
    assert [metric.step for metric in found] == [1, 2, 3]
