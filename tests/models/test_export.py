import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from competition.errors import CompetitionError
from competition.task import KINDS, Kind
from models.__main__ import main
from models.batches import Normalise
from models.checkpoint import load
from models.device import accelerator_for
from models.errors import ModelError
from models.export import EXPORTS, export
from models.fit import fit
from models.infer import predict
from tests.models.examples import job_of

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("backbone", ["small/resnet9-8", "timm/test_resnet", "timm/test_vit", "torchvision/squeezenet1_1"])
def test_any_backbone_gives_the_same_numbers_for_any_number_of_images(backbone: str, kind: str, tmp_path: Path) -> None:
    job = job_of(tmp_path, model={"backbone": backbone}, data={"size_px": 32, "channels": 3}, optim={"epochs": 1})
    fit(job, accelerator_for(job.config.machine))
    path, off = export(tmp_path, kind)
    assert off < 1e-4
    assert json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))["classes"] == list(job.task.classes)
    network, checkpoint = load(tmp_path)
    expected = predict([network], [checkpoint.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, torch.device("cpu")))
    if kind == "onnx":
        session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        found = session.run(None, {"images": job.pixels[job.held_rows]})[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_is_exported_in_its_own_units(kind: Kind, tmp_path: Path) -> None:
    job = job_of(tmp_path, kind, optim={"epochs": 1})
    fit(job, accelerator_for(job.config.machine))
    path, _ = export(tmp_path, "onnx", tmp_path / "out" / "mine.onnx")
    session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    network, checkpoint = load(tmp_path)
    expected = predict([network], [checkpoint.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, torch.device("cpu")))
    np.testing.assert_allclose(session.run(None, {"images": job.pixels[job.held_rows]})[0], expected, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_exported_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="there is no such file; is the fold finished"):
        export(tmp_path, "onnx")
    with pytest.raises(CompetitionError, match="unknown export 'onx': perhaps 'onnx'"):
        export(tmp_path, "onx")
    assert main(["export", str(tmp_path)]) == 2
    assert "is the fold finished" in capsys.readouterr().err


REPORTED = """
import os, socket, sys, threading, time
there = socket.create_server(("127.0.0.1", 0))
asked = []
def hear():
    while True:
        caller = there.accept()[0]
        asked.append(caller.recv(200).partition(b" HTTP")[0].decode())
        caller.close()
threading.Thread(target=hear, daemon=True).start()
os.environ["https_proxy"] = os.environ["http_proxy"] = f"http://127.0.0.1:{there.getsockname()[1]}"
from pathlib import Path
from models.export import export
export(Path(sys.argv[1]), "onnx")
time.sleep(25)
print(asked)
"""


@pytest.mark.slow
def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """By a proxy that listens: ONNX Runtime calls home within some seconds of its first session, where it is let."""
    job = job_of(tmp_path, optim={"epochs": 1})
    fit(job, accelerator_for(job.config.machine))
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    program = [sys.executable, "-c", REPORTED, str(tmp_path)]
    done = subprocess.run(program, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
