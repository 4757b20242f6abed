import json
import math
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from competition.task import Task
from models.backbones import build, input_spec
from models.checkpoint import Checkpoint, load, load_state, save, save_state
from models.errors import ModelError
from models.heads import Head

TASK = Task("multiclass", ("cat", "dog", "new whale"))
BACKBONES = ["small/resnet9-8", "timm/test_resnet", "timm/test_vit", "torchvision/shufflenet_v2_x0_5"]


def described(backbone: str = "small/resnet9-8", size_px: int = 16, channels: int = 3) -> Checkpoint:
    return Checkpoint(
        backbone=backbone,
        task=TASK,
        spec=input_spec(backbone, size_px, channels),
        head=Head("softmax"),
        weights_kept="last",
        symmetry="horizontal",
        config={"optim": {"lr": 0.1}},
        versions={"torch": "2"},
    )


def saved(directory: Path, backbone: str = "small/resnet9-8") -> Checkpoint:
    checkpoint = described(backbone)
    save(directory, build(backbone, 3, checkpoint.spec), checkpoint)
    return checkpoint


class Mark:
    """Unpickled, it leaves a file: what a malicious pickle would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_saved_network_gives_the_same_outputs(backbone: str, channels: int, tmp_path: Path) -> None:
    checkpoint = described(backbone, size_px=64, channels=channels)
    network = build(backbone, 3, checkpoint.spec, drop=0.5)
    network.to(memory_format=torch.channels_last)
    images = torch.rand(4, channels, 64, 64)
    network.train()(images)  # moves what batch norm remembers
    save(tmp_path, network, checkpoint)
    loaded, facts = load(tmp_path)
    assert facts == checkpoint
    assert not loaded.training
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), network.eval()(images), rtol=1e-5, atol=1e-6)


def test_the_description_is_json_that_anyone_can_read(tmp_path: Path) -> None:
    saved(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert facts["format"] == 2
    assert facts["task"] == {"kind": "multiclass", "classes": ["cat", "dog", "new whale"]}
    assert facts["spec"]["size_px"] == 16


def test_weights_that_share_memory_are_saved(tmp_path: Path) -> None:
    network = build("small/resnet9-8", 3, described().spec)
    network.register_buffer("one", torch.ones(4))
    network.register_buffer("same", network.get_buffer("one"))
    save(tmp_path, network, described())
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("kept", [0, 1, 9, 100, -1])
def test_a_cut_file_is_an_error(name: str, kept: int, tmp_path: Path) -> None:
    saved(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:kept] if kept != -1 else whole[:-2])
    with pytest.raises(ModelError, match="the checkpoint is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: there is no such file; is the fold finished"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("writer", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_pickle_runs_nothing(name: str, writer: Any, tmp_path: Path) -> None:
    saved(tmp_path)
    with (tmp_path / name).open("wb") as file:
        writer(Mark(tmp_path / "mark"), file)
    with pytest.raises(ModelError, match="the checkpoint is damaged"):
        load(tmp_path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("number", [0, 1, None, "2"])
def test_another_format_is_an_error(number: object, tmp_path: Path) -> None:
    saved(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    (tmp_path / "model.json").write_text(json.dumps(facts | {"format": number}), encoding="utf-8")
    with pytest.raises(ModelError, match="another format than 2; train the fold again"):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "small/resnet9-16"},
        {"task": {"kind": "binary", "classes": ["no", "yes"]}},
        {"spec": {"size_px": 16}},
        {"spec": None},
        {"new": 1},
        {"head": None},
    ],
)
def test_a_description_that_does_not_fit_the_weights_is_an_error(change: dict[str, Any], tmp_path: Path) -> None:
    saved(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    (tmp_path / "model.json").write_text(json.dumps(facts | change), encoding="utf-8")
    with pytest.raises(ModelError, match="weights and description do not fit each other"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["[]", "null", "3", "{}"])
def test_a_description_that_is_none_is_an_error(content: str, tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "model.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError):
        load(tmp_path)


def test_a_regressions_head_comes_back_exactly(tmp_path: Path) -> None:
    checkpoint = replace(described(), task=Task("regression", ("age",)), head=Head("identity", (36.1234567890123,), (0.1 + 0.2,)))
    save(tmp_path, build("small/resnet9-8", 1, checkpoint.spec), checkpoint)
    assert load(tmp_path)[1].head == checkpoint.head


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.integers() | st.text()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(st.text(), TREES, max_size=4))
def test_a_state_comes_back_as_it_was(tree: dict[str, Any], tmp_path: Path) -> None:
    save_state(tmp_path / "state", tree)
    assert load_state(tmp_path / "state") == tree


def test_tensors_of_every_kind_come_back(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    tensors = {
        "0-d": torch.tensor(3.5),
        "whole": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "bool": torch.tensor([True, False]),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "double": torch.tensor([math.pi], dtype=torch.float64),
        "channels last": torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "part": shared[::2],
        "shared": shared,
        "shared too": shared,
        "weight": nn.Parameter(torch.ones(2)),
    }
    save_state(tmp_path / "state", {"all": tensors, "few": [tensors["0-d"], (tensors["whole"], None)]})
    state = load_state(tmp_path / "state")
    assert state is not None
    for name, value in tensors.items():
        assert state["all"][name].dtype == value.dtype
        assert state["all"][name].equal(value)
    assert state["few"][0].equal(tensors["0-d"])
    assert state["few"][1] == [tensors["whole"], None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_come_back(value: float, tmp_path: Path) -> None:
    """A history with a loss that is nan still lets a fold go on."""
    save_state(tmp_path / "state", {"loss": value})
    assert repr(load_state(tmp_path / "state")) == repr({"loss": value})


@pytest.mark.parametrize("kind", ["sgd", "adamw", "lamb", "adafactor"])
def test_an_optimizers_state_comes_back(kind: str, tmp_path: Path) -> None:
    from timm.optim import create_optimizer_v2

    def step(layer: nn.Module, optimizer: Any) -> torch.Tensor:
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        return next(layer.parameters()).detach().clone()

    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizers = [create_optimizer_v2(layer, opt=kind, lr=0.1, momentum=0.9) for layer in (one, other)]
    step(one, optimizers[0])
    other.load_state_dict(one.state_dict())
    save_state(tmp_path / "state", optimizers[0].state_dict())
    state = load_state(tmp_path / "state")
    assert state is not None
    optimizers[1].load_state_dict(state)
    assert step(one, optimizers[0]).equal(step(other, optimizers[1]))


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state") is None


@pytest.mark.parametrize("case", ["empty", "cut", "pickle", "weights of a network", "text"])
def test_a_state_that_cannot_be_read_is_an_error_that_runs_nothing(case: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_state(path, {"a": torch.ones(100)})
    if case == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif case == "pickle":
        path.write_bytes(pickle.dumps(Mark(tmp_path / "mark")))
    elif case == "weights of a network":
        saved(tmp_path)
        (tmp_path / "model.safetensors").replace(path)
    else:
        path.write_text("" if case == "empty" else "a text " * 30)
    with pytest.raises(ModelError, match=r"the saved state cannot be read .*; delete the file to train the fold from its start"):
        load_state(path)
    assert not (tmp_path / "mark").exists()


def test_a_state_that_could_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_state(path, {"step": 1})
    with pytest.raises(TypeError):
        save_state(path, {"step": object()})
    assert load_state(path) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_nothing_written_is_a_pickle(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    save_state(tmp_path / "state", {"a": torch.ones(1), "facts": asdict(checkpoint)})
    for path in tmp_path.iterdir():
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, KeyError, IndexError)):
            pickle.loads(path.read_bytes())  # noqa: S301 (we wrote it)
