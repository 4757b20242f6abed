"""A finished fold as one file for other programs: uint8 images in, the table's probabilities out; normalising and the link are in it.

Legend: N batch (free), S side in px, C channels, K columns of the table.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from competition.atomic import replacing
from competition.errors import choose
from models.backbones import InputSpec
from models.batches import Normalise
from models.checkpoint import load
from models.errors import ModelError
from models.heads import Head

TRIED = 3  # images, another number than it was traced with
FAR = 1e-4  # of a probability, or of the spread of a number


class Whole(nn.Module):
    """uint8 N x S x S x C -> float32 N x K."""

    factor: torch.Tensor
    shift: torch.Tensor

    def __init__(self, network: nn.Module, spec: InputSpec, head: Head) -> None:
        super().__init__()
        self.network, self.head = network, head
        normalise = Normalise(spec, torch.device("cpu"))
        self.register_buffer("factor", normalise.factor)
        self.register_buffer("shift", normalise.shift)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head.table(self.network(images.permute(0, 3, 1, 2).float() * self.factor + self.shift))


def export(directory: Path, kind: str, path: Path | None = None) -> tuple[Path, float]:
    """Where the file is, and how far it is from torch on random images, at the most. directory: of a finished fold.

    Beside it stands PATH.json with the classes in their order and the input.

    Raises: ModelError where the checkpoint is damaged, a package is missing, or the file gives other numbers.
    """
    suffix, write = EXPORTS[choose("export", kind, EXPORTS)]
    network, checkpoint = load(directory)
    spec = checkpoint.spec
    whole = Whole(network, spec, checkpoint.head).eval()
    path = path or directory / f"model{suffix}"
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (TRIED, spec.size_px, spec.size_px, spec.channels), dtype=np.uint8))
    with torch.inference_mode():
        expected = whole(images).numpy()
    with replacing(path) as part:
        found = write(whole, images, part)
        spread = np.asarray(checkpoint.head.spread)
        off = float((np.abs(found - expected) / spread).max())
        if not off <= FAR:
            raise ModelError(f"{path}: the exported network gives other numbers than torch (by {off:.1e}); it was not written")
    colours = {1: "grey", 3: "RGB"}.get(spec.channels, f"{spec.channels} channels")
    seen = f"uint8 N x {spec.size_px} x {spec.size_px} x {spec.channels}, {colours}"
    described = {"classes": checkpoint.task.classes, "task": checkpoint.task.kind, "input": seen}
    with replacing(path.with_name(f"{path.name}.json")) as part:
        part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return path, off


def _onnx(whole: nn.Module, images: torch.Tensor, path: Path) -> np.ndarray:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx needs it and says so late)
    except ImportError:
        raise ModelError("export to ONNX needs further packages: pip install 'podium[export]'") from None
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program: Any = torch.onnx.export(
            whole, (images[:2],), dynamo=True, dynamic_shapes=({0: batch},), input_names=["images"], output_names=["table"], verbose=False
        )
    program.save(str(path), external_data=False)
    session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})[0]


def _pt2(whole: nn.Module, images: torch.Tensor, path: Path) -> np.ndarray:
    program = torch.export.export(whole, (images[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
    with path.open("wb") as file:
        torch.export.save(program, file)
    with torch.inference_mode():
        return program.module()(images).numpy()


Write = Callable[[nn.Module, torch.Tensor, Path], np.ndarray]
EXPORTS: dict[str, tuple[str, Write]] = {"onnx": (".onnx", _onnx), "pt2": (".pt2", _pt2)}
