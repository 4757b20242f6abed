"""A finished fold as one file for other programs: uint8 images in, the table's probabilities out; normalising and the link are in it.

Where it takes columns beside images, their numbers (models/columns.py) are its second input, and the JSON beside the file tells how cells
become numbers.

Legend: N batch (free), S side in px, C channels, D numbers of the columns, K columns of the table.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict
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
from models.columns import width_of
from models.errors import ModelError
from models.heads import Head

TRIED = 3  # images, another number than it was traced with
Given = tuple[torch.Tensor, ...]
FAR = 1e-4  # of a probability, or of the spread of a number


class Whole(nn.Module):
    """uint8 N x S x S x C, and float32 N x D where the network takes columns -> float32 N x K."""

    factor: torch.Tensor
    shift: torch.Tensor

    def __init__(self, network: nn.Module, spec: InputSpec, head: Head) -> None:
        super().__init__()
        self.network, self.head = network, head
        normalise = Normalise(spec, torch.device("cpu"))
        self.register_buffer("factor", normalise.factor)
        self.register_buffer("shift", normalise.shift)

    def forward(self, images: torch.Tensor, columns: torch.Tensor | None = None) -> torch.Tensor:
        x = images.permute(0, 3, 1, 2).float() * self.factor + self.shift
        return self.head.table(self.network(x) if columns is None else self.network(x, columns))


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
    random = np.random.default_rng(0)
    given = (torch.from_numpy(random.integers(0, 256, (TRIED, spec.size_px, spec.size_px, spec.channels), dtype=np.uint8)),)
    if checkpoint.columns:
        given += (torch.from_numpy(random.normal(size=(TRIED, width_of(checkpoint.columns))).astype(np.float32)),)
    with torch.inference_mode():
        expected = whole(*given).numpy()
    with replacing(path) as part:
        found = write(whole, given, part)
        spread = np.asarray(checkpoint.head.spread)
        off = float((np.abs(found - expected) / spread).max())
        if not off <= FAR:
            raise ModelError(f"{path}: the exported network gives other numbers than torch (by {off:.1e}); it was not written")
    colours = {1: "grey", 3: "RGB"}.get(spec.channels, f"{spec.channels} channels")
    seen = f"uint8 N x {spec.size_px} x {spec.size_px} x {spec.channels}, {colours}, made square by: {spec.fit}"
    described: dict[str, Any] = {"classes": checkpoint.task.classes, "task": checkpoint.task.kind, "input": seen}
    if checkpoint.columns:
        described["columns"] = [asdict(column) for column in checkpoint.columns]
    with replacing(path.with_name(f"{path.name}.json")) as part:
        part.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return path, off


def _onnx(whole: nn.Module, given: Given, path: Path) -> np.ndarray:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx needs it and says so late)
    except ImportError:
        raise ModelError("export to ONNX needs further packages: pip install 'podium[export]'") from None
    names = ["images", "columns"][: len(given)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program: Any = torch.onnx.export(
            whole,
            tuple(part[:2] for part in given),
            dynamo=True,
            dynamic_shapes=_any_batch(given),
            input_names=names,
            output_names=["table"],
            verbose=False,
        )
    program.save(str(path), external_data=False)
    session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: part.numpy() for name, part in zip(names, given, strict=True)})[0]


def _pt2(whole: nn.Module, given: Given, path: Path) -> np.ndarray:
    program = torch.export.export(whole, tuple(part[:2] for part in given), dynamic_shapes=_any_batch(given))
    with path.open("wb") as file:
        torch.export.save(program, file)
    with torch.inference_mode():
        return program.module()(*given).numpy()


def _any_batch(given: Given) -> tuple[dict[int, Any], ...]:
    """Of each input, that its first side is free."""
    batch = torch.export.Dim("batch")
    return tuple({0: batch} for _ in given)


Write = Callable[[nn.Module, Given, Path], np.ndarray]
EXPORTS: dict[str, tuple[str, Write]] = {"onnx": (".onnx", _onnx), "pt2": (".pt2", _pt2)}
