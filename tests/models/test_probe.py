from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from competition.metrics import score
from competition.task import KINDS, Kind
from models.backbones import build, last_layer
from models.batches import Normalise
from models.checkpoint import load
from models.device import accelerator_for
from models.ensemble import one_body
from models.errors import ModelError
from models.heads import Head
from models.infer import predict
from models.job import Fitted, FoldJob
from models.probe import UNSEEN, linear, probe
from tests.models.examples import job_of

CPU = torch.device("cpu")


def probed(directory: Path, kind: Kind = "multiclass", **settings: dict[str, Any]) -> FoldJob:
    """A job of which the pixels are probed, with its own cache."""
    asked: dict[str, Any] = {"model": {"backbone": "small/pixels"}, **settings, "optim": {"method": "probe", **settings.get("optim", {})}}
    job = job_of(directory, kind, **asked)
    machine = job.config.machine.model_copy(update={"cache": directory / "cache"})
    return replace(job, config=job.config.model_copy(update={"machine": machine}))


def run(job: FoldJob) -> Fitted:
    return probe(job, accelerator_for(job.config.machine))


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_pictures_show_and_its_checkpoint_says_the_same(kind: Kind, tmp_path: Path) -> None:
    job = probed(tmp_path, kind)
    fitted = run(job)
    truth = job.truth[job.held_rows]
    known = np.tile(job.truth[job.train_rows].mean(axis=0), (len(truth), 1))
    if kind == "regression":
        assert fitted.score < score("rmse", truth, known, job.task) / 4
    else:
        assert fitted.score > 0.9
    network, described = load(tmp_path)
    again = predict([network], [described.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, CPU))
    scale = 100 if kind == "regression" else 1
    assert np.abs(again - fitted.probs).max() < 0.01 * scale, "features are kept in half precision"


@pytest.mark.parametrize("pool", ["gem", "catavgmax"])
def test_another_pooling_is_probed_and_comes_back(pool: str, tmp_path: Path) -> None:
    job = probed(tmp_path, model={"backbone": "timm/test_resnet", "pool": pool, "drop": 0.5, "drop_samples": 3}, data={"size_px": 32})
    fitted = run(job)
    network, described = load(tmp_path)
    again = predict([network], [described.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, CPU))
    assert np.abs(again - fitted.probs).max() < 0.01


def test_the_backbone_stays_as_it_is(tmp_path: Path) -> None:
    backbone = build("small/resnet9-8", 3, job_of(tmp_path).spec)
    from safetensors.torch import save_file

    save_file(backbone.state_dict(), tmp_path / "w.safetensors")
    run(probed(tmp_path, model={"backbone": "small/resnet9-8", "weights": str(tmp_path / "w.safetensors")}))
    network, _ = load(tmp_path)
    for name, value in network.state_dict().items():
        same = torch.equal(value, backbone.state_dict()[name])
        assert same is not name.startswith("head."), name


def test_what_is_held_out_plays_no_part(tmp_path: Path) -> None:
    job = probed(tmp_path / "a")
    run(job)
    other = replace(job, truth=job.truth.copy(), taught=job.taught.copy(), directory=tmp_path / "b")
    other.truth[job.held_rows] = other.taught[job.held_rows] = np.roll(job.truth[job.held_rows], 1, axis=1)
    run(other)
    one, two = (load(tmp_path / name)[0].state_dict() for name in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_all_folds_share_one_look(tmp_path: Path) -> None:
    job = probed(tmp_path)
    run(job)
    (kept,) = tmp_path.rglob("features-*.npy")
    before = kept.stat().st_mtime_ns
    run(replace(job, fold=1, held_rows=job.train_rows[-24:], train_rows=np.arange(72), tuning_rows=np.arange(18)))
    assert [path.stat().st_mtime_ns for path in tmp_path.rglob("features-*.npy")] == [before]


def test_a_mirrored_view_is_looked_at_where_it_is_a_likely_image(tmp_path: Path) -> None:
    run(probed(tmp_path, augment={"strength": "none", "symmetry": "all"}))
    (kept,) = tmp_path.rglob("features-*.npy")
    features = np.load(kept)
    assert features.shape == (2, 96, 16 * 16 * 3)
    views = features.reshape(2, 96, 3, 16, 16)
    np.testing.assert_array_equal(views[1], views[0][..., ::-1])
    assert load(tmp_path)[1].symmetry == "horizontal", "as predict.py then sees the test images"


def test_a_class_that_training_does_not_show_is_unlikely(tmp_path: Path) -> None:
    job = probed(tmp_path)
    shown = job.train_rows[job.truth[job.train_rows, 2] == 0]
    features = job.pixels[:].reshape(1, len(job.pixels), -1).astype(np.float16)
    weight, bias = linear(features, shown, job, Head("softmax"), 1e-2)
    assert (weight[2] == 0).all()
    assert bias[2] == UNSEEN


def test_soft_labels_weigh_as_rows_do(tmp_path: Path) -> None:
    """A row that is 3/4 one class and 1/4 another is as four rows, three of them of the one."""
    job = probed(tmp_path)
    features = np.random.default_rng(0).normal(size=(1, 96, 5)).astype(np.float16)
    soft = job.truth * 0.75 + np.roll(job.truth, 1, axis=1) * 0.25
    one = linear(features, np.arange(96), replace(job, taught=soft), Head("softmax"), 1e-2)
    rows = np.tile(np.arange(96), 4)
    hard = np.concatenate([job.truth] * 3 + [np.roll(job.truth, 1, axis=1)])
    other = linear(features[:, rows], np.arange(384), replace(job, taught=hard), Head("softmax"), 1e-2)
    for found, known in zip(one, other, strict=True):
        np.testing.assert_allclose(found, known, atol=0.01)


def test_a_backbone_without_a_linear_end_is_a_clear_error(tmp_path: Path) -> None:
    job = probed(tmp_path, model={"backbone": "torchvision/squeezenet1_0"}, data={"size_px": 32})
    with pytest.raises(ModelError, match="does not end in one linear layer"):
        run(job)


def test_networks_of_one_body_are_one_network(tmp_path: Path) -> None:
    job = probed(tmp_path)
    networks, heads = [build("timm/test_resnet", 3, job.spec) for _ in range(3)], [Head("softmax")] * 3
    normalise = Normalise(job.spec, CPU)
    none = [None] * 3
    assert one_body(networks, heads, none) == (networks, heads, none), "their bodies differ"
    for network in networks[1:]:
        last = network.get_submodule(last_layer(network)).state_dict()
        network.load_state_dict(networks[0].state_dict())
        network.get_submodule(last_layer(network)).load_state_dict(last)
    apart = predict(networks, heads, job.pixels, job.held_rows, job.task, normalise)
    joined, theirs, _ = one_body(networks, heads, none)
    assert len(joined) == 1
    np.testing.assert_allclose(predict(joined, theirs, job.pixels, job.held_rows, job.task, normalise), apart, atol=1e-6)
