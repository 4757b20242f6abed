"""What computes a trained network's outputs on a CPU: torch, or OpenVINO where that is installed and measured to be faster.

OpenVINO gives the same numbers in fp32, two to eight times as fast. Networks come to it through torch.export and its own reader, not
through its converter, which reports its use over the network.

Legend: N batch, C channels, S side in px, D numbers of the columns, L outputs.
"""

import hashlib
import logging
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from competition.atomic import replacing
from competition.console import say
from models.errors import ModelError
from models.folding import folded

Given = tuple[torch.Tensor, ...]  # N x C x S x S, and N x D where the network takes columns
Forward = Callable[..., torch.Tensor]  # *Given -> N x L

WORTH_SECONDS = 20.0  # of torch's time; what takes less is done before a conversion would be
TRIED = 16  # images that both are measured on
FASTER = 1.1  # times, that OpenVINO has to be
FAR = 2e-5  # of the largest output, that its outputs may lie off


def ready(
    networks: Sequence[nn.Module],
    given: Sequence[Given],
    asked: Literal["auto", "torch", "openvino"],
    images: int,
    threads: int,
    kept: Sequence[Path],
) -> list[Forward]:
    """The networks, in evaluation mode, as what computes them fastest here: OpenVINO, or torch with its batch norms folded.

    On a CPU both are measured with the first network, for all.

    given: an example for each (N of 2 or more); images: how many each will look at; kept: the directories in which a converted network
    is kept for the next time.

    Raises: ModelError where OpenVINO is asked for, and missing or unable to run the network.
    """

    def by_torch() -> list[Forward]:
        return [folded(each, look) for each, look in zip(networks, given, strict=True)]

    if asked == "torch" or given[0][0].device.type != "cpu" or len(given[0][0]) < 2:
        return by_torch()
    tried = tuple(part[:TRIED] for part in given[0])
    expected, usual = _timed(networks[0], tried)
    minutes = usual / len(tried[0]) * images * len(networks) / 60
    if asked == "auto" and 60 * minutes < WORTH_SECONDS:
        return by_torch()
    try:
        import openvino  # noqa: F401
    except ImportError:
        if asked == "openvino":
            raise ModelError("--machine.inference openvino needs a further package: pip install 'podium[cpu]'") from None
        say(f"looking at the images takes some {minutes:.1f} minutes by torch; OpenVINO is often faster: pip install 'podium[cpu]'")
        return by_torch()
    why, taken = "", math.inf
    try:
        first = _converted(networks[0], given[0], threads, kept[0])
        found, taken = _timed(first, tried)
    except Exception as error:  # both libraries raise many kinds
        why = f"cannot run this network: {_last_line(error)}"
    else:
        off = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
        why = f"gives other numbers than torch (off by {off:.1e} of the largest)" if off > FAR else ""
    if why and asked == "openvino":
        raise ModelError(f"OpenVINO {why}")
    if why:
        say(f"computing by torch, since OpenVINO {why}")
        return by_torch()
    if asked == "auto" and usual < FASTER * taken:
        return by_torch()
    say(f"computing by OpenVINO, {usual / taken:.1f} times as fast as torch here")
    others = list(zip(networks, given, kept, strict=False))[1:]
    return [first, *(_converted(network, own, threads, place) for network, own, place in others)]


def _timed(forward: Forward, given: Given) -> tuple[torch.Tensor, float]:
    """The outputs, and the seconds of the second call."""
    with torch.inference_mode():
        forward(*given)
        began = time.perf_counter()
        return forward(*given), time.perf_counter() - began


def _converted(network: nn.Module, given: Given, threads: int, kept: Path) -> Forward:
    """The network, run by OpenVINO for batches of any size; read from `kept` where it was converted before.

    Raises: RuntimeError where it cannot be.
    """
    import openvino

    known = hashlib.sha256(openvino.get_version().encode())
    for name, value in network.state_dict().items():
        known.update(name.encode() + value.contiguous().numpy().tobytes())
    path = kept / f"openvino-{known.hexdigest()[:12]}.xml"
    core = openvino.Core()
    if not path.is_file():
        _keep(_read(network, given), path)
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled: Any = core.compile_model(core.read_model(path), "CPU", options)

    def forward(*given: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.array(compiled([part.contiguous().numpy() for part in given])[0]))

    return forward


def _read(network: nn.Module, given: Given) -> Any:
    """The network as OpenVINO's own."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.export.export(network, given, dynamic_shapes=tuple({0: batch} for _ in given))
        decoder = TorchFXPythonDecoder.from_exported_program(program)  # alive until the end: the reader only refers to it
        reader = FrontEndManager().load_by_framework("pytorch")
        return reader.convert(reader.load(decoder))


def _keep(model: Any, path: Path) -> None:
    """Writes PATH and what belongs to it, PATH last; older ones of the same place go."""
    import openvino

    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".openvino") as place:
        openvino.save_model(model, str(Path(place) / "model.xml"), compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            with replacing(path.with_suffix(suffix)) as part:
                shutil.copyfile(Path(place) / f"model{suffix}", part)
    for old in path.parent.glob("openvino-*"):
        if old.stem != path.stem:
            old.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch and OpenVINO say of their own ways."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
