"""Columns beside the images: how cells become numbers, and that every way of training and predicting takes them along."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from competition.config import AugmentConfig, Config, OptimConfig
from competition.contest import Competition
from competition.images import ArrayImages
from competition.tabular import Tabular
from competition.task import Task
from models.backbones import build, input_spec, last_layer
from models.batches import Normalise
from models.checkpoint import load
from models.columns import FAR, Column, fit_columns, numbers_of, width_of
from models.device import accelerator_for
from models.ensemble import one_body, predict_test
from models.errors import ModelError
from models.export import EXPORTS, export
from models.fit import STATE, fit
from models.infer import predict
from models.job import FoldJob, Stopped
from models.lr_find import range_test
from models.methods import METHODS
from models.mixing import mixing
from models.optim import optimizer_for
from models.plan import prepare
from models.pseudo import with_pseudo
from tests.builders import make_competition
from tests.models.examples import job_of

CPU = torch.device("cpu")
FOUR = Task("multiclass", ("dark left", "dark right", "bright left", "bright right"))
ROWS = 104


def table(**columns: tuple[str, list[str]]) -> Tabular:
    """Of (kind, cells); the test has the same rows."""
    cells = pd.DataFrame({name: cells for name, (_, cells) in columns.items()}, dtype="str")
    return Tabular(cells, cells, {name: kind for name, (kind, _) in columns.items()})  # type: ignore[misc]


def halves(directory: Path, size_px: int = 8, **settings: dict[str, Any]) -> FoldJob:
    """A fold of four classes: the image says dark or bright, a column left or right; another is noise with gaps."""
    random = np.random.default_rng(0)
    codes = np.arange(ROWS) % 4
    data = {"size_px": size_px, **settings.pop("data", {})}
    job = job_of(directory, rows=ROWS, data=data, **{"optim": {"epochs": 6}, **settings})
    pixels = random.integers(60, 100, (ROWS, size_px, size_px, 3)) + 90 * (codes // 2)[:, None, None, None]
    truth = np.eye(4, dtype=np.float32)[codes]
    side = ["" if row % 25 == 3 else ("left", "right")[code % 2] for row, code in enumerate(codes)]
    noise = ["" if row % 7 == 0 else f"{value:.3f}" for row, value in enumerate(random.normal(50, 20, ROWS))]
    told = table(side=("yes/no", side), noise=("number", noise))
    return replace(job, task=FOUR, pixels=pixels.astype(np.uint8), truth=truth, taught=truth, tabular=told)


def run(job: FoldJob, stop: Callable[[], bool] = lambda: False, method: str = "train"):
    machine = job.config.machine.model_copy(update={"cache": job.directory / "cache"})
    job = replace(job, config=job.config.model_copy(update={"machine": machine}))
    return METHODS[method](job, accelerator_for(machine), stop)


def again(job: FoldJob) -> np.ndarray:
    """What the checkpoint says of the held-out rows, by what it holds alone."""
    network, described = load(job.directory)
    numbers = numbers_of(described.columns, job.tabular.train) if job.tabular else None
    return predict([network], [described.head], job.pixels, job.held_rows, job.task, Normalise(job.spec, CPU), numbers=[numbers])


def test_known_answers_of_the_encoding() -> None:
    shown = table(
        age=("number", ["1", "2", "", "3", "99"]),
        sex=("yes/no", ["m", "f", "f", "f", "m"]),
        site=("category", ["arm", "leg", "", "arm", "head"]),
    )
    columns = fit_columns(shown, np.array([0, 1, 2, 3]))
    spread = np.sqrt(2 / 3)
    assert columns[0] == Column("age", "number", True, (), 2.0, 2.0, columns[0].spread)
    assert columns[0].spread == pytest.approx(spread)
    assert columns[1] == Column("sex", "yes/no", False, ("f", "m"))
    assert columns[2] == Column("site", "category", True, ("arm", "leg"))
    assert width_of(columns) == 2 + 2 + 3
    asked = pd.DataFrame({"age": ["3", "", "1e9"], "sex": ["m", "", "x"], "site": ["leg", "", "head"]}, dtype="str")
    found = numbers_of(columns, asked)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], [1 / spread, 0, 0, 1, 0, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 1, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(found[2], [FAR, 0, 0, 0, 0, 0, 0])


def test_a_column_without_a_spread_or_a_value_divides_by_nothing() -> None:
    shown = table(a=("number", ["5", "5", "7"]), b=("number", ["", "", "7"]))
    found = numbers_of(fit_columns(shown, np.array([0, 1])), shown.train)
    assert found is not None
    np.testing.assert_allclose(found, [[0, 0, 1], [0, 0, 1], [2, 7, 0]])


def test_what_is_held_out_and_the_test_play_no_part(tmp_path: Path) -> None:
    job = halves(tmp_path)
    assert job.tabular is not None
    cells = job.tabular.train.copy()
    cells.loc[job.held_rows, "noise"], cells.loc[job.held_rows, "side"] = "1000000", "above"
    other = replace(job, tabular=Tabular(cells, cells, job.tabular.kinds))
    assert other.columns == job.columns
    taught = np.concatenate([job.train_rows, ROWS + np.arange(ROWS)])
    pseudo = replace(other, train_rows=taught, more_pixels=job.pixels)
    assert pseudo.columns == job.columns
    assert pseudo.numbers is not None
    assert len(pseudo.numbers) == 2 * ROWS


@pytest.mark.parametrize("method", METHODS)
def test_columns_say_what_images_do_not(method: str, tmp_path: Path) -> None:
    backbone = {"train": "small/resnet9-8", "probe": "small/pixels"}[method]
    job = halves(tmp_path / "with", model={"backbone": backbone})
    fitted = run(job, method=method)
    assert fitted.score > 0.85
    assert run(replace(job, tabular=None, directory=tmp_path / "without"), method=method).score < 0.7
    np.testing.assert_allclose(again(job), fitted.probs, atol=1e-5 if method == "train" else 0.01)
    assert [column.name for column in load(tmp_path / "with")[1].columns] == ["side", "noise"]
    assert "columns" not in json.loads((tmp_path / "without" / "model.json").read_text(encoding="utf-8"))


WAYS: dict[str, dict[str, Any]] = {
    "averaged": {"optim": {"ema": 0.9}},
    "swa": {"optim": {"average_last": 0.7}},
    "best": {"optim": {"keep": "best"}},
    "head first": {"optim": {"head_first": 0.4, "head_lr": 3.0}, "model": {"freeze": ("features.0",), "freeze_norm": True}},
    "no layer of their own": {"model": {"column_units": 0}},
    "mixed": {"augment": {"mixup": 0.4, "cutmix": 1.0, "strength": "light"}},
    "bf16": {"machine": {"amp": "bf16"}},
    "gem": {"model": {"backbone": "timm/test_resnet", "pool": "gem"}},
    "several dropouts": {"model": {"backbone": "timm/test_vit", "drop": 0.4, "drop_samples": 3}, "optim": {"layer_decay": 0.8}},
    "stochastic depth": {"model": {"backbone": "timm/test_convnext", "drop_path": 0.1}},
    "growing": {"model": {"backbone": "timm/test_resnet"}, "data": {"start_share": 0.5}},
    "torchvision": {"model": {"backbone": "torchvision/shufflenet_v2_x0_5", "drop": 0.2}, "optim": {"layer_decay": 0.8}},
}


@pytest.mark.parametrize("case", WAYS)
def test_every_way_of_training_takes_columns_and_comes_back(case: str, tmp_path: Path) -> None:
    """The checkpoint says the same, and what a column says matters."""
    tree: dict[str, Any] = {name: dict(section) for name, section in WAYS[case].items()}
    tree["optim"] = {"epochs": 2} | tree.get("optim", {})
    job = halves(tmp_path, 32 if "/" in tree.get("model", {}).get("backbone", "") else 8, **tree)
    fitted = run(job)
    np.testing.assert_allclose(again(job), fitted.probs, rtol=1e-4, atol=0.02 if case == "bf16" else 1e-5)
    assert job.tabular is not None
    turned = job.tabular.train.assign(side=job.tabular.train["side"].map({"left": "right", "right": "left", "": ""}))
    assert np.abs(again(replace(job, tabular=Tabular(turned, turned, job.tabular.kinds))) - fitted.probs).max() > 1e-4


@pytest.mark.parametrize("case", ["plain", "mixed"])
def test_a_fold_stopped_on_the_way_ends_as_if_it_had_not_been(case: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"plain": {}, "mixed": {"augment": {"mixup": 0.4}, "optim": {"epochs": 3, "ema": 0.9}}}[case]
    whole = halves(tmp_path / "whole", **{"optim": {"epochs": 3}, **asked})
    parts = replace(whole, directory=tmp_path / "parts")
    left = iter([False] * 6 + [True] * 2)
    with pytest.raises(Stopped):
        run(parts, lambda: next(left))
    assert (parts.directory / STATE).is_file()
    np.testing.assert_array_equal(run(parts).probs, run(whole).probs)


def test_columns_are_mixed_in_the_parts_of_the_truth() -> None:
    for asked in ({"mixup": 1.0}, {"cutmix": 1.0}):
        mix = mixing(AugmentConfig.model_validate(asked), FOUR)
        assert mix is not None
        truth = torch.eye(4).repeat(2, 1)
        torch.manual_seed(1)
        _, y, columns = mix(torch.rand(8, 3, 16, 16), truth, truth @ torch.arange(4.0)[:, None])
        assert not y.equal(truth)
        torch.testing.assert_close(columns, y @ torch.arange(4.0)[:, None])


@pytest.mark.parametrize("backbone", ["small/resnet9-8", "timm/test_resnet", "timm/test_vit", "torchvision/shufflenet_v2_x0_5"])
def test_parts_keep_their_names_and_rates(backbone: str) -> None:
    """Layer by layer, the body learns as it does without columns; they learn as the head does."""

    def rates(numbers: int) -> dict[str, float]:
        network = build(backbone, 3, input_spec(backbone, 32), numbers=numbers, units=8)
        optimizer = optimizer_for(network, OptimConfig(lr=0.1, layer_decay=0.5, head_lr=7.0))
        name_of = {id(weight): name for name, weight in network.named_parameters()}
        return {name_of[id(w)]: group["lr"] * group.get("lr_scale", 1.0) for group in optimizer.param_groups for w in group["params"]}

    alone, joined = rates(0), rates(5)
    head = last_layer(build(backbone, 3, input_spec(backbone, 32)))
    body = {name: rate for name, rate in alone.items() if not name.startswith(f"{head}.")}
    assert {name: joined[name] for name in body} == body
    assert {joined[name] for name in set(joined) - set(body)} == {alone[f"{head}.weight"]}
    assert set(joined) - set(body) == {"joint.weight", "joint.bias", "joint.columns.0.weight", "joint.columns.0.bias"}


def test_a_network_that_ends_otherwise_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"does not end in one linear layer.*--data.columns none"):
        build("torchvision/squeezenet1_0", 3, input_spec("torchvision/squeezenet1_0", 32), numbers=3)


def test_probes_of_several_folds_are_one_look(tmp_path: Path) -> None:
    """Each with numbers of its own: gaps of their training rows differ."""
    jobs = []
    for fold in range(3):
        held = np.arange(fold * 30, fold * 30 + 30)
        job = replace(halves(tmp_path / str(fold), model={"backbone": "small/pixels"}), held_rows=held, fold=fold)
        rows = np.setdiff1d(np.arange(ROWS), held)
        jobs.append(replace(job, train_rows=rows, tuning_rows=rows[::4]))
        run(jobs[-1], method="probe")
    loaded = [load(job.directory) for job in jobs]
    networks, heads = [network for network, _ in loaded], [described.head for _, described in loaded]
    numbers = [job.numbers for job in jobs]
    how = (jobs[0].pixels, np.arange(ROWS), FOUR, Normalise(jobs[0].spec, CPU))
    apart = predict(networks, heads, *how, numbers=numbers)
    joined, theirs, told = one_body(networks, heads, numbers)
    assert len(joined) == len(told) == 1
    np.testing.assert_allclose(predict(joined, theirs, *how, numbers=told), apart, atol=1e-6)


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_has_a_second_input(kind: str, tmp_path: Path) -> None:
    job = halves(tmp_path, optim={"epochs": 1})
    fitted = run(job)
    path, off = export(tmp_path, kind)
    assert off < 1e-4
    described = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    assert [column["name"] for column in described["columns"]] == ["side", "noise"]
    assert described["columns"] == json.loads(json.dumps([asdict(column) for column in job.columns]))
    assert job.numbers is not None
    if kind == "onnx":
        session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        given = {"images": job.pixels[job.held_rows], "columns": job.numbers[job.held_rows]}
        np.testing.assert_allclose(session.run(None, given)[0], fitted.probs, atol=1e-4)


def contest_of(job: FoldJob) -> Competition:
    """A competition whose training images are the job's, and whose test images are the first twelve of them."""
    keys = [f"{row}.png" for row in range(ROWS)]
    contest = make_competition("multiclass", rows=12, train_rows=ROWS, classes=FOUR.classes)
    assert job.tabular is not None
    return replace(
        contest,
        train=contest.train.assign(image=keys),
        truth=job.truth,
        test=contest.test.assign(image=[f"t{key}" for key in keys[:12]]),
        images=ArrayImages([*keys, *(f"t{key}" for key in keys[:12])], np.concatenate([job.pixels[:], job.pixels[:12]])),
        tabular=replace(job.tabular, test=job.tabular.train[:12]),
    )


def test_the_test_images_are_answered_with_their_columns(tmp_path: Path) -> None:
    job = halves(tmp_path / "0")
    fitted = run(job)
    contest = contest_of(job)
    machine = job.config.machine.model_copy(update={"cache": tmp_path / "cache"})
    found, _ = predict_test([job.directory], contest, "identity", machine)
    np.testing.assert_allclose(found.to_numpy(), fitted.probs[:12], atol=1e-5)
    assert contest.tabular is not None
    for tabular in (None, contest.tabular.only(("noise",))):
        with pytest.raises(
            ModelError, match=r"was trained with the columns 'side', 'noise'; small-multiclass has 'side'.* no longer in both"
        ):
            predict_test([job.directory], replace(contest, tabular=tabular), "identity", machine)
    alone = replace(job, directory=tmp_path / "1", tabular=None)
    run(alone)
    with pytest.raises(ModelError, match=r"takes other columns .* it is no fold of this run"):
        predict_test([job.directory, alone.directory], contest, "identity", machine)


def test_pseudo_labels_bring_the_test_rows_columns(tmp_path: Path) -> None:
    job = halves(tmp_path / "0", data={"pseudo_sure": 0.0})
    machine = job.config.machine.model_copy(update={"cache": tmp_path / "cache"})
    job = replace(job, config=job.config.model_copy(update={"machine": machine}))
    fit(job, accelerator_for(machine))
    contest = contest_of(job)
    taught = with_pseudo(replace(job, directory=tmp_path / "1", tabular=contest.tabular), job.directory, contest)
    assert taught.numbers is not None
    assert job.numbers is not None
    np.testing.assert_array_equal(taught.numbers[ROWS:], job.numbers[:12])
    assert fit(taught, accelerator_for(machine)).score > 0.7, "images alone tell half of it"


def settled(contest: Competition, **tree: Any) -> tuple[Config, dict[str, str]]:
    machine = {"device": "cpu", "threads": 1, "cache": "cache"}
    asked = {"machine": machine, "folds": {"scheme": "stratified", "groups": "none"}, "model": {"weights": "none"}}
    config, _, _, reasons = prepare(Config.model_validate(asked | tree), contest)
    return config, {reason.what: reason.value for reason in reasons}


def test_a_plan_names_the_columns_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    contest = contest_of(halves(tmp_path))
    config, told = settled(contest)
    assert (config.data.columns, told["columns"]) == (("side", "noise"), "'side', 'noise'")
    alone, told = settled(contest, data={"columns": "none"})
    assert (alone.data.columns, "columns" in told) == (("none",), False)
    assert settled(contest, data={"columns": ["noise"]})[0].data.columns == ("noise",)
    images, told = settled(replace(contest, tabular=None))
    assert "columns" not in told
    assert images.digest() not in (config.digest(), alone.digest())
    assert images.digest() == images.model_copy(update={"data": images.data.model_copy(update={"columns": ("auto",)})}).digest()


def test_the_range_test_takes_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config, _ = settled(contest_of(halves(tmp_path)), augment={"mixup": 0.2})
    _, rates, losses = range_test(config, contest_of(halves(tmp_path)), 20)
    assert len(rates) == len(losses) > 5
