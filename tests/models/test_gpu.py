"""Mixed precision, memory and resuming on a CUDA device: `pytest -m gpu`."""

import csv
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.columns import beside
from models.device import accelerator_for, amp_of, device_of
from models.fit import fit
from models.heads import Head
from models.infer import predict
from models.job import Fitted, FoldJob, Stopped
from models.parts import Parts, parts_of
from tests.models.examples import job_of

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def fitted(directory: Path, amp: str, stops_after: int | None = None, **optim: object) -> tuple[Fitted, FoldJob]:
    machine = {"device": "cuda", "amp": amp, "workers": 0, "save_seconds": 1e9}
    settings = {"optim": {"epochs": 8, **optim}, "augment": {"strength": "light"}, "machine": machine}
    job = job_of(directory, rows=480, held=96, **settings)
    left = iter(range(stops_after if stops_after is not None else 10**9))
    return fit(job, accelerator_for(job.config.machine), lambda: next(left, None) is None), job


def losses(job: FoldJob) -> np.ndarray:
    with (job.directory / "history.csv").open(encoding="utf-8", newline="") as file:
        return np.array([float(row["train_loss"]) for row in csv.DictReader(file)])


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_learns_as_full_precision_does(tmp_path: Path, amp: str) -> None:
    whole, its = fitted(tmp_path / "off", "off")
    mixed, others = fitted(tmp_path / amp, amp)
    assert whole.score > 0.95
    assert mixed.score > whole.score - 0.03
    assert losses(others)[:2] == pytest.approx(losses(its)[:2], rel=0.1)


def test_mixed_precision_needs_less_memory(tmp_path: Path) -> None:
    needed = {}
    for amp in ("off", "bf16"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        fitted(tmp_path / amp, amp, epochs=1, batch=256)
        needed[amp] = torch.cuda.max_memory_allocated()
    assert needed["bf16"] < needed["off"]


def test_a_fold_gives_its_memory_back(tmp_path: Path) -> None:
    left = []
    for fold in range(3):
        fitted(tmp_path / str(fold), "bf16", epochs=1)
        left.append(torch.cuda.memory_allocated())
    assert left[2] <= left[0] + 2**20


def test_a_fold_begun_in_full_precision_goes_on_in_half(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fitted(tmp_path, "off", stops_after=30)
    assert fitted(tmp_path, "fp16")[0].score > 0.9


def test_images_may_be_smaller_at_first(tmp_path: Path) -> None:
    job = job_of(tmp_path, data={"size_px": 32, "channels": 3, "start_share": 0.5}, machine={"device": "cuda", "workers": 0})
    assert fit(job, accelerator_for(job.config.machine)).score > 0


@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_a_stopped_fold_goes_on(tmp_path: Path, amp: str) -> None:
    whole, its = fitted(tmp_path / "whole", amp)
    with pytest.raises(Stopped):
        fitted(tmp_path / "parts", amp, stops_after=30)
    assert (tmp_path / "parts" / "resume" / "state.safetensors").is_file()
    parts, others = fitted(tmp_path / "parts", amp)
    assert losses(others) == pytest.approx(losses(its), rel=0.1)
    assert parts.score == pytest.approx(whole.score, abs=0.03)


def test_a_compiled_network_learns_on_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its CUDA graphs would overwrite the gradients that parts add up to."""
    from models import fit as loop

    begun = itertools.count()

    def short(*given: Any) -> Parts:
        parts = parts_of(*given)

        def cost(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            if next(begun) > 8 and len(y) > 4:  # its graphs are there by then
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return parts.cost(outputs, y)

        return replace(parts, cost=cost)

    monkeypatch.setattr(loop, "parts_of", short)
    job = job_of(tmp_path / "fold0", rows=480, held=96, optim={"epochs": 8}, machine={"device": "cuda", "workers": 0, "compile": True})
    assert fit(job, accelerator_for(job.config.machine)).score > 0.8
    assert json.loads((tmp_path / "memory.json").read_text()).popitem()[1] == 4


def test_what_a_step_looks_up_does_not_make_the_device_wait(tmp_path: Path) -> None:
    cuda = torch.device("cuda")
    parts = parts_of(job_of(tmp_path), cuda, seed=0)
    look_up, head = beside(np.ones((96, 4), np.float32), cuda), Head("identity", (1.0, 2.0), (3.0, 4.0))
    rows, raw = torch.arange(8).pin_memory(), torch.zeros(8, 2, device=cuda)
    torch.cuda.set_sync_debug_mode("error")
    try:
        parts.truth_of(rows)
        look_up(rows)
        head.table(raw)
        parts.head.table(raw)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_device_predicts_as_the_cpu_does(tmp_path: Path) -> None:
    from models.batches import Normalise
    from models.checkpoint import load

    _, job = fitted(tmp_path, "off")
    network, checkpoint = load(tmp_path)
    both = [
        predict([network.to(device)], [checkpoint.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, torch.device(device)))
        for device in ("cpu", "cuda")
    ]
    assert np.abs(both[0] - both[1]).max() < 1e-3  # TF32 convolutions


def test_auto_takes_the_device_and_what_it_does_fast(tmp_path: Path) -> None:
    machine = job_of(tmp_path, machine={"device": "auto"}).config.machine
    assert device_of(machine).type == "cuda"
    assert amp_of(machine, device_of(machine)) in ("bf16", "fp16")
