"""Weights in safetensors, everything needed to use them in JSON beside them: no pickle is ever written or loaded.

A finished model is model.safetensors + model.json. The state of a fold under way is one file, so that it is whole or not there.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from competition.atomic import replacing, write_json
from competition.errors import InputError
from competition.symmetry import used_symmetry
from competition.task import Task
from models.backbones import InputSpec, build
from models.columns import Column, width_of
from models.errors import ModelError
from models.heads import Head

FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A trained network's description: all that predicting needs beside the weights."""

    backbone: str
    task: Task
    spec: InputSpec
    head: Head
    weights_kept: str  # last, averaged or best
    symmetry: str
    config: dict[str, Any]
    versions: dict[str, str]
    columns: tuple[Column, ...] = ()  # what it is given beside images


def save(directory: Path, network: nn.Module, checkpoint: Checkpoint) -> None:
    """Writes model.safetensors, then model.json."""
    weights = {
        name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()
    }  # a clone: no two may share memory
    with replacing(directory / "model.safetensors") as part:
        save_file(weights, part, metadata={"format": "pt"})
    described = asdict(checkpoint)
    if not checkpoint.columns:
        del described["columns"]  # so that a network of images alone is described as before there were columns
    write_json(directory / "model.json", {"format": FORMAT, **described})


def load(directory: Path) -> tuple[nn.Module, Checkpoint]:
    """The trained network, in evaluation mode on the CPU, and its description.

    Raises: ModelError where a file is missing, cut, of another format, or weights and description do not fit each other.
    """
    described, weights = directory / "model.json", directory / "model.safetensors"
    for path in (described, weights):
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file; is the fold finished?")
    try:
        facts = json.loads(described.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.pop("format", None) != FORMAT:
            raise ModelError(f"{described}: written in another format than {FORMAT}; train the fold again with this version")
        task = Task(facts["task"]["kind"], tuple(facts["task"]["classes"]))
        spec = InputSpec(**{**facts["spec"], "mean": tuple(facts["spec"]["mean"]), "std": tuple(facts["spec"]["std"])})
        head = Head(facts["head"]["link"], tuple(facts["head"]["shift"]), tuple(facts["head"]["spread"]))
        columns = tuple(Column(**{**column, "values": tuple(column["values"])}) for column in facts.get("columns", []))
        trained = {"method": "train", "strength": "auto", **facts["config"].get("optim", {}), **facts["config"].get("augment", {})}
        symmetry = used_symmetry(facts["symmetry"], trained["strength"], trained["method"])  # earlier versions wrote what was asked for
        checkpoint = Checkpoint(**{**facts, "task": task, "spec": spec, "head": head, "columns": columns, "symmetry": symmetry})
        model = {"pool": "native", "column_units": 0, **checkpoint.config.get("model", {})}
        beside = {"numbers": width_of(columns), "units": model["column_units"]}
        network = build(checkpoint.backbone, head.outputs(task), spec, pool=model["pool"], **beside)
        network.load_state_dict(load_file(weights))
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{directory}: the checkpoint is damaged: {error}") from None
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, MemoryError, RuntimeError) as error:
        raise ModelError(f"{directory}: weights and description do not fit each other: {str(error)[:300]}") from None
    return network.eval(), checkpoint


def save_state(path: Path, state: dict[str, Any]) -> None:
    """A tree of dicts, lists, numbers, text and tensors as one safetensors file, atomically."""
    tensors: dict[str, torch.Tensor] = {}
    outline = _take_tensors(state, tensors)
    with replacing(path) as part:
        save_file(tensors, part, metadata={"state": json.dumps(outline)})


def load_state(path: Path) -> dict[str, Any] | None:
    """The tree that `save_state` wrote (tensors on the CPU, tuples as lists), or None where there is none.

    Raises: ModelError where the file is not one of ours.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            outline = json.loads(file.metadata()["state"])
            return _put_tensors(outline, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (it is no dict)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: the saved state cannot be read ({error}); delete the file to train the fold from its start") from None


def _take_tensors(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = node.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(node, dict):  # as pairs: optimizers key their state by numbers
        return {"pairs": [[key, _take_tensors(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return [_take_tensors(value, tensors) for value in node]
    return node


def _put_tensors(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, dict):
        if "tensor" in node:
            return tensors[node["tensor"]]
        return {key: _put_tensors(value, tensors) for key, value in node["pairs"]}
    if isinstance(node, list):
        return [_put_tensors(value, tensors) for value in node]
    return node
