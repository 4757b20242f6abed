"""What this machine computes with: device, mixed precision, threads, workers."""

import cv2
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from competition.config import DeviceConfig, MachineConfig
from competition.machines import cores
from models.errors import ModelError

TORCH_TYPE = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}  # of an Accelerator's mixed precision


def device_of(machine: DeviceConfig) -> torch.device:
    """The device asked for; auto: cuda, else mps, else cpu.

    Raises: ModelError where there is no such device.
    """
    if machine.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    there = {"cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))}
    there |= {"cuda"} if torch.cuda.is_available() else set()
    there |= {"mps"} if torch.backends.mps.is_available() else set()
    if machine.device not in there:
        raise ModelError(f"--machine.device {machine.device}: this machine has {', '.join(sorted(there))}")
    return torch.device(machine.device)


def gpus_of(machine: DeviceConfig) -> int:
    """GPUs that folds may be spread over: all that this process sees, unless one is named (cuda:1)."""
    device = device_of(machine)
    return 0 if device.type != "cuda" else 1 if device.index is not None else torch.cuda.device_count()


def amp_of(machine: DeviceConfig, device: torch.device) -> str:
    """bf16, fp16 or off. auto: bf16 where a GPU computes it natively, fp16 on older ones, off elsewhere (on CPUs without
    AMX it is slower than fp32)."""
    if machine.amp != "auto":
        if machine.amp == "fp16" and device.type == "cpu":
            raise ModelError("--machine.amp fp16 needs a GPU; on a CPU there are bf16 and off")
        return machine.amp
    if device.type != "cuda":
        return "off"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


def accelerator_for(machine: DeviceConfig) -> Accelerator:
    """The Accelerator that trains with these settings; it also sets the threads of this process."""
    device = device_of(machine)
    amp = amp_of(machine, device)
    torch.set_num_threads(threads_of(machine))
    cv2.setNumThreads(0)  # single images are too small to share out
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)  # a second run in one process may ask for other settings
    return Accelerator(mixed_precision="no" if amp == "off" else amp, cpu=device.type == "cpu")


def threads_of(machine: DeviceConfig) -> int:
    """Threads to compute with; auto: the cores that this process may use."""
    return cores() if machine.threads == "auto" else machine.threads


def workers_of(machine: MachineConfig, device: torch.device) -> int:
    """Processes that prepare batches. auto: none on a CPU, where they would take its cores from the network; else as many as the
    threads that this process may use leave."""
    if machine.workers != "auto":
        return machine.workers
    return 0 if device.type == "cpu" else max(0, min(8, threads_of(machine) - 1))
