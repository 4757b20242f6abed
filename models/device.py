"""What this machine computes with: device, mixed precision, threads, workers."""

import os
import shutil
from datetime import timedelta
from typing import Any

import cv2
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, KwargsHandler, parse_flag_from_env

from competition.config import DeviceConfig, MachineConfig
from competition.processes import LAUNCHED, ON_THIS_MACHINE, cores, free_memory
from models.errors import ModelError

MOST_AT_ONCE = 64  # larger batches are no faster, and fill caches
BYTES_A_PIXEL = 800  # that a network has in hand at once for a pixel of its input: two hundred numbers
WAITS = timedelta(days=1)  # of several processes for one: decoding and probing all images are the main one's alone
TORCH_TYPE = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}  # of an Accelerator's mixed precision


def device_of(machine: DeviceConfig) -> torch.device:
    """The device asked for; auto: cuda, else mps, else cpu, as for `accelerate launch --cpu`.

    Raises: ModelError where there is no such device.
    """
    if machine.device == "auto":
        if parse_flag_from_env("ACCELERATE_USE_CPU"):
            return torch.device("cpu")
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
    """The Accelerator that trains with these settings; it also sets the threads of this process.

    Raises: ModelError where there is no such device, or not for each of the processes that train together.
    """
    device = device_of(machine)
    amp = amp_of(machine, device)
    several: list[KwargsHandler] = []
    if LAUNCHED:
        if device.type != "cpu" and (str(device) != "cuda" or torch.cuda.device_count() < ON_THIS_MACHINE):
            raise ModelError(
                f"--machine.device {machine.device}: {ON_THIS_MACHINE} processes take a CUDA GPU each, and this machine has "
                f"{torch.cuda.device_count()}; --machine.device cpu lets them share the CPU"
            )
        # what they agree on goes by the CPU, so that no GPU is waited for
        backend = "gloo" if device.type == "cpu" else "cuda:nccl,cpu:gloo"
        several = [InitProcessGroupKwargs(backend=backend, timeout=WAITS)]
    cv2.setNumThreads(0)  # single images are too small to share out
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)  # a second run in one process may ask for other settings
    accelerator = Accelerator(mixed_precision="no" if amp == "off" else amp, cpu=device.type == "cpu", kwargs_handlers=several)
    torch.set_num_threads(threads_of(machine))  # after Accelerate, which has a number of its own for several processes
    return accelerator


def compiled(network: Any, device: torch.device, graphs: bool = True) -> Any:
    """The network as torch.compile makes it; on a GPU with CUDA graphs, unless they do not fit: images of several sizes, and gradients
    that are added up, which the next graph's would overwrite. It shares the weights.

    Raises: ModelError where the machine has no compiler.
    """
    if device.type == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++")):
        raise ModelError("--machine.compile needs a C++ compiler (g++) on a CPU")
    return torch.compile(network, mode="max-autotune" if device.type == "cuda" and graphs else "default")


def looked_at_once(size_px: int, device: torch.device) -> int:
    """Images of that side in a batch that nothing is learnt from: as many as a quarter of the free memory holds, 1 to MOST_AT_ONCE."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    return int(min(MOST_AT_ONCE, max(1, free / 4 // (BYTES_A_PIXEL * size_px**2))))


def threads_of(machine: DeviceConfig) -> int:
    """Threads to compute with; auto: the cores that are this process's."""
    return cores() if machine.threads == "auto" else machine.threads


def workers_of(machine: MachineConfig, device: torch.device) -> int:
    """Processes that prepare batches. auto: none on a CPU, where they would take its cores from the network; else as many as the
    threads that this process may use leave."""
    if machine.workers != "auto":
        return machine.workers
    return 0 if device.type == "cpu" else max(0, min(8, threads_of(machine) - 1))
