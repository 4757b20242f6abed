"""A device whose memory runs out: torch's own error, raised for batches above a size, at the beginning, the end and on the way back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from models.batches import Normalise
from models.checkpoint import load
from models.errors import ModelError
from models.infer import predict
from models.job import FoldJob
from models.memory import FILE, fitted, in_portions, out_of_memory
from models.plan import seconds_per_image
from models.probe import probe
from models.tta import VIEW_SETS
from tests.models.examples import job_of
from tests.models.test_fit import NO_BATCH_NORM, accelerator_for, after, history, run, weights

CPU = torch.device("cpu")
ALIKE: dict[str, Any] = {"model": {"backbone": NO_BATCH_NORM}, "data": {"size_px": 32, "channels": 3}}
SGD: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "epochs": 2, "batch": 16}
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB"


@contextmanager
def holding(most: int, where: str = "first layer") -> Iterator[list[int]]:
    """Within it no more images than this get through a network's first or last layer, or back to its first; the sizes that did not."""
    refused: list[int] = []

    def refuse(images: int) -> None:
        if images > most:
            refused.append(images)
            raise torch.OutOfMemoryError(FULL)

    def before(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, nn.Conv2d if where == "first layer" else nn.Linear):
            refuse(len(given[0]) if where == "first layer" or given[0].ndim == 2 else 0)

    def behind(module: nn.Module, given: tuple[torch.Tensor, ...], gives: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d) and gives.requires_grad:
            gives.register_hook(lambda gradient: refuse(len(gradient)))

    hook = register_module_forward_hook(behind) if where == "way back" else register_module_forward_pre_hook(before)
    try:
        yield refused
    finally:
        hook.remove()


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "at the first layer": ("first layer", {}),
    "at the last layer": ("last layer", {}),
    "on the way back, with gradients of some layers there": ("way back", {}),
    "within accumulated steps": ("way back", {"batch": 12, "accumulate": 4}),
    "sharpness-aware": ("first layer", {"sam": 0.05, "accumulate": 2}),
    "class weights, averaged": ("last layer", {"class_weights": "balanced", "ema": 0.5}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_batch_that_does_not_fit_is_learnt_from_in_parts(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The gradient is that of the whole batch, so that the weights end where they would have."""
    where, optim = CASES[case]
    whole, short = (job_of(tmp_path / name / "fold0", **ALIKE, optim=SGD | optim) for name in ("whole", "short"))
    run(whole)
    with holding(5, where) as refused:
        run(short)
    batch = int(short.config.optim.batch)
    told = capsys.readouterr().out
    assert told.count(f"does not hold a batch of {batch}: from now on") == 2, "by halves, twice"
    assert f"{batch // 4} images at a time, and their gradients add up" in told
    assert json.loads((tmp_path / "short" / FILE).read_text()) == {"cpu": 4}
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(short)[name], value, rtol=1e-3, atol=1e-5)
    losses, same = ([row["train_loss"] for row in history(job)] for job in (whole, short))
    assert losses == pytest.approx(same, rel=1e-4)
    assert len([images for images in refused if images == batch]) <= 2, "an epoch later it is known"


class Graphed(nn.Module):
    """What CUDA graphs would be on a CPU: as torch/_inductor/cudagraph_trees.py has it, they refuse to add to a gradient that is theirs."""

    def __init__(self, network: nn.Module, graphs: bool) -> None:
        super().__init__()
        self.network, self.graphs = network, graphs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.graphs and any(weight.grad is not None for weight in self.parameters()):
            raise RuntimeError("accessing gradient tensor output of CUDAGraphs that has been overwritten")
        return self.network(x)


def test_a_compiled_network_learns_in_parts_without_cuda_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def compiled(network: nn.Module, device: torch.device, graphs: bool = True) -> nn.Module:
        asked.append(graphs)
        return Graphed(network, graphs)

    whole, short = (
        job_of(tmp_path / name / "fold0", **ALIKE, optim=SGD, machine={"compile": name == "short"}) for name in ("whole", "short")
    )
    run(whole)
    monkeypatch.setattr("models.fit.compiled", compiled)
    with holding(5):
        run(short)
    assert asked == [True, False, False]
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(short)[name], value, rtol=1e-3, atol=1e-5)


def test_it_is_remembered_by_the_next_fold_and_by_who_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Batch norms see the parts: the numbers are then those of a fold that has had parts from its beginning, bit for bit."""
    first = job_of(tmp_path / "run" / "fold0")
    with holding(8):
        run(first)
        capsys.readouterr()
    second = replace(first, fold=1, directory=tmp_path / "run" / "fold1")
    with holding(8), pytest.raises(RuntimeError, match="stop"):
        run(second, raising(after(2)))
    with holding(8):
        run(second)
    assert "from now on" not in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_text('{"cpu": 2}')
    other = replace(first, directory=tmp_path / "other" / "fold0")
    run(other)
    assert all(value.equal(weights(other)[name]) for name, value in weights(first).items())


def raising(stop: Callable[[], bool]) -> Callable[[], bool]:
    def asked() -> bool:
        if stop():
            raise RuntimeError("stop")
        return False

    return asked


@pytest.mark.parametrize("text", ["", "no json", "[1]"])
def test_what_was_remembered_wrongly_does_no_harm(text: str, tmp_path: Path) -> None:
    job = job_of(tmp_path / "run" / "fold0", optim={"epochs": 1})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / FILE).write_text(text)
    assert np.isfinite(run(job).probs).all()


def test_a_memory_that_holds_hardly_anything_is_an_error_that_says_what_takes_less(tmp_path: Path) -> None:
    with holding(1), pytest.raises(ModelError, match=r"fold 0: the device's memory does not hold what 2 images take: .*--data.size-px"):
        run(job_of(tmp_path / "fold0"))


def test_other_errors_of_a_step_are_what_they_are(tmp_path: Path) -> None:
    def differ(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if len(given[0]) == 16:
            raise RuntimeError("shapes differ")

    hook = register_module_forward_pre_hook(differ)
    try:
        with pytest.raises(RuntimeError, match="shapes differ"):
            run(job_of(tmp_path / "fold0"))
    finally:
        hook.remove()
    assert not (tmp_path / FILE).exists()


def test_images_are_looked_at_as_many_at_once_as_there_is_memory_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(tmp_path / "fold0", optim={"epochs": 1})
    run(job)
    network, checkpoint = load(job.directory)
    given = ([network], [checkpoint.head], job.pixels, np.arange(90), job.task, Normalise(job.spec, CPU), VIEW_SETS["flips"])
    whole, seen = predict(*given, batch=40), list[int]()
    with holding(13) as refused:
        np.testing.assert_allclose(predict(*given, batch=40, progress=seen.append), whole, rtol=1e-5, atol=1e-6)
    assert (refused, seen) == ([40, 20], [10] * 9)
    assert capsys.readouterr().out.count("does not hold 40 images at once: they are looked at 10 at a time") == 1
    with holding(0), pytest.raises(ModelError, match=r"does not hold what one image takes: .*--model.backbone"):
        predict(*given)


def test_a_probe_and_the_plan_find_their_way_too(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"optim": {"method": "probe", "batch": 32}}

    def probed(name: str) -> FoldJob:
        job = job_of(tmp_path / name / "fold0", **ALIKE, **settings, machine={"cache": tmp_path / name})
        return replace(job, config=job.config.model_copy(update={"competition": job.config.competition.model_copy(update={"slug": "a"})}))

    whole, short = probed("whole"), probed("short")
    expected = probe(whole, accelerator_for(whole.config.machine))
    with holding(7):
        found = probe(short, accelerator_for(short.config.machine))
        assert seconds_per_image(short.config, 3) > 0
    np.testing.assert_allclose(found.probs, expected.probs, atol=1e-3)


def test_fewer_and_fewer() -> None:
    tried: list[int] = []

    def work(images: int) -> str:
        tried.append(images)
        if images > 6:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)")
        return "done"

    assert fitted(100, work) == "done"
    assert tried == [100, 50, 25, 12, 6]
    shown: list[list[int]] = list(in_portions(np.arange(7), 3, lambda rows: rows.tolist()))
    assert shown == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_portions(np.arange(0), 3, lambda rows: rows)) == []


SAYS: dict[str, tuple[BaseException, bool]] = {
    "CUDA": (torch.OutOfMemoryError(FULL), True),
    "MPS": (RuntimeError("MPS backend out of memory"), True),
    "a CPU": (RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"), True),
    "another": (RuntimeError("CUDA error: device-side assert triggered"), False),
    "no RuntimeError": (ValueError(FULL), False),
}


@pytest.mark.parametrize("case", SAYS)
def test_who_says_that_memory_is_used_up(case: str) -> None:
    error, says = SAYS[case]
    assert out_of_memory(error) == says
