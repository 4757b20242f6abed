import pytest
import torch

from competition.config import MachineConfig
from competition.processes import cores
from models.device import MOST_AT_ONCE, accelerator_for, amp_of, compiled, device_of, gpus_of, looked_at_once, threads_of, workers_of
from models.errors import ModelError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "capability", "amp"),
    [
        ("auto", CPU, None, "off"),
        ("auto", GPU, (9, 0), "bf16"),
        ("auto", GPU, (8, 0), "bf16"),
        ("auto", GPU, (7, 5), "fp16"),
        ("auto", torch.device("mps"), None, "off"),
        ("off", GPU, (9, 0), "off"),
        ("bf16", CPU, None, "bf16"),
        ("fp16", GPU, (9, 0), "fp16"),
    ],
)
def test_mixed_precision_is_what_the_device_does_fast(
    asked: str, device: torch.device, capability: tuple[int, int] | None, amp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)  # no GPU is needed to ask
    assert amp_of(MachineConfig.model_validate({"amp": asked}), device) == amp


def test_half_precision_needs_a_gpu() -> None:
    with pytest.raises(ModelError, match=r"--machine.amp fp16 needs a GPU; on a CPU there are bf16 and off"):
        amp_of(MachineConfig(amp="fp16"), CPU)


@pytest.mark.parametrize("asked", ["gpu", "cuda:99", "CPU", "cpu:0", ""])
def test_a_device_that_is_not_there_is_an_error(asked: str) -> None:
    with pytest.raises(ModelError, match=f"--machine.device {asked}: this machine has cpu"):
        device_of(MachineConfig(device=asked))


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert device_of(MachineConfig(device="cpu")) == CPU
    assert device_of(MachineConfig()).type == (
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )


def test_an_accelerator_for_each_run_of_a_process() -> None:
    """Accelerate keeps one state a process: a second run may still ask for another precision."""
    threads = torch.get_num_threads()
    for amp, given in (("off", "no"), ("bf16", "bf16"), ("auto", "no")):
        accelerator = accelerator_for(MachineConfig.model_validate({"device": "cpu", "amp": amp, "threads": 1}))
        assert (accelerator.device.type, accelerator.mixed_precision, accelerator.num_processes) == ("cpu", given, 1)
    accelerator_for(MachineConfig(device="cpu", threads=2))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_threads_and_workers() -> None:
    assert threads_of(MachineConfig()) == cores() >= 1
    assert threads_of(MachineConfig(threads=3)) == 3
    assert workers_of(MachineConfig(), CPU) == 0
    assert workers_of(MachineConfig(workers=3), CPU) == 3
    assert 0 <= workers_of(MachineConfig(), GPU) <= 8
    assert workers_of(MachineConfig(threads=4), GPU) == 3, "a fold beside others keeps to its threads"


def test_gpus_are_all_that_are_seen_or_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus_of(MachineConfig(device="cpu")) == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)  # no GPU is needed to count
    assert [gpus_of(MachineConfig(device=device)) for device in ("auto", "cuda", "cuda:1", "cpu")] == [4, 4, 1, 0]


def test_as_many_images_at_once_as_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 16 * 2**30

    monkeypatch.setattr("psutil.virtual_memory", lambda: Memory)
    assert looked_at_once(32, CPU) == looked_at_once(224, CPU) == MOST_AT_ONCE
    assert looked_at_once(1024, CPU) == 5
    assert looked_at_once(20_000, CPU) == 1
    Memory.available //= 8
    assert looked_at_once(224, CPU) == 13


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ModelError, match=r"--machine\.compile needs a C\+\+ compiler"):
        compiled(torch.nn.Linear(1, 1), CPU)
