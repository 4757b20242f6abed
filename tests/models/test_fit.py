import contextlib
import copy
import csv
import gc
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models.fit
from competition.errors import CompetitionError
from competition.metrics import score
from competition.task import KINDS, Kind, Task
from models import checkpoint, clock
from models.augment import pipeline
from models.backbones import build
from models.batches import Normalise, TrainBatches, seed_of
from models.checkpoint import load, load_state
from models.device import accelerator_for
from models.errors import ModelError
from models.fit import STATE, fit
from models.infer import predict
from models.job import Fitted, FoldJob, Stopped
from models.losses import cross_entropy
from models.parts import parts_of
from models.schedules import SCHEDULES, plateau_factor
from tests.models.examples import job_of

CPU = torch.device("cpu")
NO_BATCH_NORM = "timm/test_vit"  # so that halves of a batch are what the whole is


def run(job: FoldJob, stop: Callable[[], bool] = lambda: False) -> Fitted:
    return fit(job, accelerator_for(job.config.machine), stop)


def after(calls: int) -> Callable[[], bool]:
    """A stop that is asked for at so many steps."""
    left = [calls]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop


def weights(job: FoldJob) -> dict[str, torch.Tensor]:
    return load_file(job.directory / "model.safetensors")


def history(job: FoldJob) -> list[dict[str, float]]:
    with (job.directory / "history.csv").open(encoding="utf-8", newline="") as file:
        return [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]


def test_nothing_of_a_fold_is_kept_for_the_next(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    accelerator = accelerator_for(job.config.machine)
    fit(job, accelerator)
    assert not [made for made in gc.get_objects() if issubclass(type(made), torch.optim.Optimizer)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_pictures_show(kind: Kind, tmp_path: Path) -> None:
    job = job_of(tmp_path, kind, optim={"epochs": 8}, augment={"strength": "light"})
    fitted = run(job)
    truth = job.truth[job.held_rows]
    assert fitted.probs.shape == truth.shape
    assert fitted.score == score(job.metric, truth, fitted.probs, job.task)
    if kind == "regression":
        assert fitted.score < 0.4 * float(truth.std()), "rmse against that of the mean"
    else:
        assert fitted.score > 0.9
    losses = [row["train_loss"] for row in history(job)]
    assert losses[-1] < 0.6 * losses[0]


LEARNS: dict[str, tuple[Kind, dict[str, str]]] = {
    "bce of a regression": ("regression", {"loss": "bce"}),
    "focal": ("multiclass", {"loss": "focal"}),
    "focal of labels": ("multilabel", {"loss": "focal"}),
    "asymmetric": ("multilabel", {"loss": "asymmetric"}),
    "balanced sampler": ("multiclass", {"sampler": "balanced"}),
    "class weights": ("multilabel", {"class_weights": "balanced"}),
    "cross-entropy of grades": ("ordinal", {"loss": "cross_entropy", "class_weights": "sqrt"}),
}


@pytest.mark.parametrize("case", LEARNS)
def test_it_learns_in_other_ways(case: str, tmp_path: Path) -> None:
    kind, optim = LEARNS[case]
    job = job_of(tmp_path, kind, optim={"epochs": 8, **optim})
    fitted = run(job)
    spread = float(job.truth[job.held_rows].std())
    assert fitted.score < 0.5 * spread if kind == "regression" else fitted.score > 0.85


def test_a_regression_of_several_numbers(tmp_path: Path) -> None:
    one = job_of(tmp_path, "regression", optim={"epochs": 8})
    truth = one.truth * np.array([[1, 10]], np.float32)
    job = replace(one, task=Task("regression", ("brightness", "ten times that")), truth=truth, taught=truth)
    fitted = run(job)
    assert fitted.probs.shape == (len(job.held_rows), 2)
    errors = np.sqrt(((fitted.probs - job.truth[job.held_rows]) ** 2).mean(axis=0))
    assert (errors < 0.4 * job.truth[job.held_rows].std(axis=0)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_saved_network_gives_the_same_predictions(kind: Kind, tmp_path: Path) -> None:
    job = job_of(tmp_path, kind)
    fitted = run(job)
    network, checkpoint = load(tmp_path)
    assert (checkpoint.task, checkpoint.spec, checkpoint.weights_kept) == (job.task, job.spec, "last")
    assert "machine" not in checkpoint.config
    probs = predict([network], [checkpoint.head], job.pixels, job.held_rows, job.task, Normalise(checkpoint.spec, CPU))
    np.testing.assert_allclose(probs, fitted.probs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("strength", "symmetry"), [("none", "none"), ("light", "all")])
def test_the_saved_symmetry_is_that_of_the_images_it_was_shown(strength: str, symmetry: str, tmp_path: Path) -> None:
    """Without augmentation nothing is mirrored, whatever was asked for or measured."""
    run(job_of(tmp_path, optim={"epochs": 1}, augment={"strength": strength, "symmetry": "all"}))
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))["symmetry"] == symmetry


def test_a_regression_is_scaled_by_its_training_rows_alone(tmp_path: Path) -> None:
    job = job_of(tmp_path, "regression")
    job.truth[job.held_rows] += 1e6
    run(job)
    seen = job.truth[job.train_rows]
    head = load(tmp_path)[1].head
    assert (head.link, *head.shift, *head.spread) == ("identity", pytest.approx(seen.mean()), pytest.approx(seen.std()))


def test_a_regression_of_one_value_does_not_divide_by_nothing(tmp_path: Path) -> None:
    job = job_of(tmp_path, "regression", optim={"epochs": 1})
    job.truth[:] = 7
    assert np.isfinite(run(job).score)


STOPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"model": {"drop": 0.5}},
    "ema": {"optim": {"ema": 0.9}},
    "accumulate": {"optim": {"accumulate": 3, "epochs": 4}},
    "accumulate, averaged": {"optim": {"accumulate": 3, "epochs": 4, "ema": 0.9}},
    "mixed": {"augment": {"mixup": 0.4, "cutmix": 1.0, "mix_share": 0.7, "strength": "heavy", "symmetry": "all"}},
    "best": {"optim": {"keep": "best", "ema": 0.5}},
    "plateau": {"optim": {"schedule": "plateau", "patience": 1, "lr": 0.5}},
    "sgd": {"optim": {"optimizer": "sgd", "schedule": "onecycle", "clip_norm": 0.0}},
    "stochastic depth": {"model": {"backbone": "timm/test_convnext", "drop_path": 0.3}, "data": {"size_px": 32, "channels": 3}},
    "bf16": {"machine": {"amp": "bf16"}},
}


@pytest.mark.parametrize("case", STOPS)
def test_a_fold_stopped_at_any_step_ends_as_if_it_had_not_been(case: str, tmp_path: Path) -> None:
    """Bit for bit: 5 steps an epoch, stopped within the first, at its end, and twice more."""
    tree: dict[str, Any] = {name: dict(section) for name, section in STOPS[case].items()}
    tree["optim"] = {"epochs": 3} | tree.get("optim", {})
    whole = job_of(tmp_path / "whole", "multiclass", rows=104, **tree)
    fitted = run(whole)
    parts = replace(whole, directory=tmp_path / "parts")
    resumed, stops = None, 0
    while resumed is None:
        try:
            resumed = run(parts, after((1, 2, 0, 3)[stops % 4]))
        except Stopped:
            stops += 1
            assert (parts.directory / STATE).is_file()
            assert not (parts.directory / "model.safetensors").exists()
    assert stops >= 2
    np.testing.assert_array_equal(resumed.probs, fitted.probs)
    assert resumed.score == fitted.score
    assert resumed.weights_kept == fitted.weights_kept
    one, other = weights(whole), weights(parts)
    assert [name for name in one if not one[name].equal(other[name])] == []
    skipped = {"seconds"}
    assert [{k: v for k, v in row.items() if k not in skipped} for row in history(whole)] == [
        {k: v for k, v in row.items() if k not in skipped} for row in history(parts)
    ]


def in_halves(job: FoldJob, scale: float, stop: Callable[[], bool] = lambda: False) -> tuple[dict[str, Any], Any]:
    """The state that the fold left, and the scaler, after fp16 on a CPU: our flag has it on GPUs alone, torch computes it here as well.
    The scale doubles after each third step whose gradients are finite."""
    accelerator = accelerator_for(job.config.machine)
    accelerator.state._mixed_precision = "fp16"
    accelerator.native_amp = True
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Stopped):
        patch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=scale, growth_interval=3))
        accelerator.scaler = torch.amp.GradScaler("cpu")
        fit(job, accelerator, stop)
    state = load_state(job.directory / STATE)
    assert state is not None
    return state, accelerator.scaler


def test_a_step_of_infinite_gradients_is_left_out_and_halves_the_scale(tmp_path: Path) -> None:
    """Gradients of some hundredths times 2 ** 24 are beyond the 65,504 of fp16, those times 1,024 are not."""
    job = job_of(tmp_path / "large", optim={"ema": 0.0})
    torch.manual_seed(seed_of(job.config.seed, job.fold))
    untrained = dict(parts_of(job, CPU, seed_of(job.config.seed, job.fold)).network.named_parameters())
    for skipped in (1, 2, 3):
        state, _ = in_halves(job, 2.0**24, after(0))
        assert (state["step"], state["scaler"]["scale"], state["scaler"]["_growth_tracker"]) == (skipped, 2.0 ** (24 - skipped), 0)
        assert state["optimizer"]["state"] == {}, "it took no step"
        assert [name for name, value in untrained.items() if not value.equal(state["network"][name])] == []
    small, _ = in_halves(replace(job, directory=tmp_path / "small"), 1024.0, after(1))  # the first step warms up at a rate of 0
    assert [name for name, value in untrained.items() if value.equal(small["network"][name])] == []
    assert (small["scaler"]["scale"], small["scaler"]["_growth_tracker"]) == (1024, 2)


def test_the_scale_of_a_stopped_fold_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """The first steps are left out, later ones double the scale; stopped after each."""
    job = job_of(tmp_path / "whole", optim={"epochs": 3})
    whole, scaler = in_halves(job, 2.0**20)
    parts, moved = replace(job, directory=tmp_path / "parts"), []
    state, resumed = in_halves(parts, 2.0**20, after(0))
    while not (parts.directory / "model.safetensors").exists():
        saved = state["scaler"]
        state, resumed = in_halves(parts, 2.0**20, after(0))
        moved.append((state["scaler"]["scale"] / saved["scale"], state["scaler"]["_growth_tracker"] - saved["_growth_tracker"]))
    assert {(0.5, 0), (1, 1), (2, -2)} <= set(moved)
    assert set(moved) <= {(0.5, 0), (0.5, -1), (0.5, -2), (1, 1), (2, -2), (1, 0)}, "the last only validates"
    assert state["scaler"] == whole["scaler"] == resumed.state_dict() == scaler.state_dict()
    assert [name for name, value in weights(job).items() if not value.equal(weights(parts)[name])] == []


def test_a_fold_that_was_killed_goes_on_from_its_last_saved_state(tmp_path: Path) -> None:
    """Killed: nothing is written at the end. save_seconds 0 saves at every step."""

    def killed(calls: int) -> Callable[[], bool]:
        count = after(calls)

        def stop() -> bool:
            if count():
                raise KeyboardInterrupt
            return False

        return stop

    job = job_of(tmp_path / "parts", machine={"save_seconds": 0.0})
    with pytest.raises(KeyboardInterrupt):
        run(job, killed(5))
    state = load_state(job.directory / STATE)
    assert state is not None
    assert (state["epoch"], state["step"]) != (0, 0)
    whole = replace(job, directory=tmp_path / "whole")
    np.testing.assert_array_equal(run(job).probs, run(whole).probs)


@pytest.mark.parametrize(("between", "saved"), [(60.0, [3]), (0.0, [1, 2, 3])])
def test_short_epochs_are_not_held_up_by_the_disk(
    between: float, saved: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    monkeypatch.setattr(models.fit, "BETWEEN_EPOCHS_SECONDS", between)
    monkeypatch.setattr(checkpoint, "save_state", lambda path, state: epochs.append(state["epoch"]))
    run(job_of(tmp_path, optim={"epochs": 3}))
    assert epochs == saved


def test_a_fold_whose_epochs_are_all_done_is_only_scored(tmp_path: Path) -> None:
    """Killed between the last epoch and done.json."""
    job = job_of(tmp_path, optim={"keep": "best"})
    fitted = run(job)
    again = run(job, stop=lambda: True)
    np.testing.assert_array_equal(again.probs, fitted.probs)
    assert again.seconds == fitted.seconds


def test_a_stop_at_the_last_step_finishes(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"epochs": 1, "batch": 1000})
    assert run(job, stop=lambda: True).weights_kept == "last"


def test_the_same_fold_twice_is_the_same_and_another_seed_or_fold_is_not(tmp_path: Path) -> None:
    job = job_of(tmp_path / "a")
    first = run(job).probs
    np.testing.assert_array_equal(run(replace(job, directory=tmp_path / "b")).probs, first)
    assert not np.array_equal(run(replace(job, directory=tmp_path / "c", fold=1)).probs, first)
    other = replace(job, directory=tmp_path / "d", config=job.config.model_copy(update={"seed": 1}))
    assert not np.array_equal(run(other).probs, first)


def test_workers_change_nothing(tmp_path: Path) -> None:
    job = job_of(tmp_path / "a", augment={"strength": "heavy"}, optim={"epochs": 1})
    with_workers = job.config.model_copy(update={"machine": job.config.machine.model_copy(update={"workers": 2})})
    np.testing.assert_array_equal(run(job).probs, run(replace(job, directory=tmp_path / "b", config=with_workers)).probs)


def test_two_half_batches_are_one_whole(tmp_path: Path) -> None:
    """Where the network has no batch norm. The 64 rows are shown in the same order, for it depends on the seed alone."""
    common: dict[str, Any] = {"model": {"backbone": NO_BATCH_NORM}, "data": {"size_px": 32, "channels": 3}}
    steps = {"optimizer": "sgd", "lr": 0.1, "schedule": "constant", "warmup": 0.0, "epochs": 1}
    whole = job_of(tmp_path / "whole", rows=88, **common, optim={"batch": 32, **steps})
    halves = job_of(tmp_path / "halves", rows=88, **common, optim={"batch": 16, "accumulate": 2, **steps})
    apart = job_of(tmp_path / "apart", rows=88, **common, optim={"batch": 16, **steps})
    one, two, three = (run(job).probs for job in (whole, halves, apart))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)
    assert np.abs(one - three).max() > 10 * np.abs(one - two).max()


def job_by_hand(place: Path, rows: int, **optim: float) -> FoldJob:
    """Plain steps of a fixed rate, two batches of 16 at a time, as they can be followed by hand."""
    plain = {"optimizer": "momentum", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.05, "schedule": "constant", "warmup": 0.0}
    plain |= {"batch": 16, "accumulate": 2, "clip_norm": 0.0}
    return job_of(place, rows=rows, model={"backbone": NO_BATCH_NORM}, data={"size_px": 32, "channels": 3}, optim=plain | optim)


def test_a_remainder_of_accumulated_steps_counts_as_a_whole_step(tmp_path: Path) -> None:
    """Three steps, two at a time: the third moves the weights alone, by its own mean gradient."""
    job = job_by_hand(tmp_path, rows=72, epochs=1)
    run(job)
    by_hand = trained_by_hand(job, [[0, 1], [2]])
    for name, value in weights(job).items():
        torch.testing.assert_close(value, by_hand[-1][name], rtol=1e-4, atol=1e-5)


def trained_by_hand(job: FoldJob, groups: list[list[int]]) -> list[dict[str, torch.Tensor]]:
    """The weights after each group of steps of an epoch, epoch by epoch, by nothing but torch; plain gradient descent."""
    seed = seed_of(job.config.seed, job.fold)
    torch.manual_seed(seed)
    network = build(job.config.model.backbone, len(job.task.classes), job.spec).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=float(job.config.optim.lr))
    normalise, batch = Normalise(job.spec, CPU), int(job.config.optim.batch)
    after_each = []
    for epoch, group in itertools.product(range(int(job.config.optim.epochs)), groups):
        order = np.random.default_rng((seed, epoch)).permutation(job.train_rows)
        rows = order[group[0] * batch : (group[-1] + 1) * batch]
        loss = cross_entropy(network(normalise(torch.from_numpy(job.pixels[rows]))), torch.from_numpy(job.truth[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_each.append({name: value.detach().clone() for name, value in network.state_dict().items()})
    return after_each


def test_averaged_weights_by_hand(tmp_path: Path) -> None:
    """mean = d * mean + (1 - d) * weights, d = min(decay, 1 - step^(-2/3)) at step 0, 1, ...; the first two are copies."""
    job = job_of(
        tmp_path,
        rows=88,
        optim={"optimizer": "momentum", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.05, "schedule": "constant", "warmup": 0.0}
        | {"epochs": 1, "clip_norm": 0.0, "ema": 0.3},
    )
    fitted = run(job)
    assert fitted.weights_kept == "averaged"
    mean: dict[str, torch.Tensor] = {}
    for step, now in enumerate(trained_by_hand(job, [[0], [1], [2], [3]])):
        decay = min(0.3, 1 - step ** (-2 / 3)) if step > 1 else 0.0
        mean = {name: torch.lerp(mean.get(name, value).double(), value.double(), 1 - decay) for name, value in now.items()}
    for name, value in weights(job).items():
        torch.testing.assert_close(value.double(), mean[name] if value.is_floating_point() else value.double(), rtol=1e-4, atol=1e-5)


def test_averaged_weights_count_the_steps_that_moved_them(tmp_path: Path) -> None:
    """Two epochs of five batches, two at a time: the weights move six times, and the warm-up of the average goes by these."""
    job = job_by_hand(tmp_path, rows=104, epochs=2, ema=0.9)
    run(job)
    mean: dict[str, torch.Tensor] = {}
    for update, now in enumerate(trained_by_hand(job, [[0, 1], [2, 3], [4]])):
        decay = 1 - update ** (-2 / 3) if update > 1 else 0.0
        mean = {name: torch.lerp(mean.get(name, value), value, 1 - decay) for name, value in now.items()}
    for name, value in weights(job).items():
        torch.testing.assert_close(value, mean[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rates_are_those_of_the_schedule(schedule: str, tmp_path: Path) -> None:
    job = job_of(tmp_path, rows=88, optim={"epochs": 3, "schedule": schedule, "lr": 0.02, "warmup": 0.2, "patience": 1})
    run(job)
    rows = history(job)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for epoch, row in enumerate(rows):
        fallen = plateau_factor([other["held_out_loss"] for other in rows[:epoch]], 1) if schedule == "plateau" else 1
        assert row["lr"] == pytest.approx(0.02 * fallen * SCHEDULES[schedule]((epoch * 4 + 3) / 12, 0.2))


def test_the_rate_falls_where_nothing_gets_better(tmp_path: Path) -> None:
    """A rate so small that the held-out loss stays where it is: each second epoch brings a tenth."""
    job = job_of(
        tmp_path,
        optim={"epochs": 5, "schedule": "plateau", "patience": 1, "lr": 1e-12, "warmup": 0.0},
        model={"backbone": NO_BATCH_NORM},
        data={"size_px": 32, "channels": 3},
    )
    run(job)
    assert [row["lr"] for row in history(job)] == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13, 1e-13])


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/test_vit", "small/resnet9-8", "torchvision/squeezenet1_0"])
def test_layers_far_from_the_head_learn_slower(backbone: str, tmp_path: Path) -> None:
    """One step of plain gradient descent moves each weight by rate x gradient: the ratio of moves is the layer's factor."""
    size_px = 8 if backbone.startswith("small/") else 32
    steps = {"optimizer": "momentum", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.1, "schedule": "constant", "warmup": 0.0}
    common: dict[str, Any] = {"model": {"backbone": backbone}, "data": {"size_px": size_px, "channels": 3}}
    alike, apart = (
        job_of(tmp_path / str(decay), rows=40, **common, optim=steps | {"epochs": 1, "batch": 16, "clip_norm": 0.0, "layer_decay": decay})
        for decay in (1.0, 0.8)
    )
    run(alike)
    run(apart)
    torch.manual_seed(seed_of(0, 0))
    start = {name: value.detach() for name, value in build(backbone, 3, alike.spec).named_parameters()}
    moves = {job.directory: {name: float((weights(job)[name] - value).norm()) for name, value in start.items()} for job in (alike, apart)}
    factors = [moves[apart.directory][name] / moved for name, moved in moves[alike.directory].items() if moved > 1e-4]
    powers = np.log(factors) / np.log(0.8)
    assert powers[-1] == pytest.approx(0, abs=0.01)
    assert powers[0] == pytest.approx(max(powers), abs=0.1)
    assert powers[0] >= 1.9
    np.testing.assert_allclose(powers, powers.round(), atol=0.1)


@pytest.mark.parametrize("case", ["within an epoch", "in the last step of all"])
def test_a_loss_that_is_no_longer_finite_is_an_error(case: str, tmp_path: Path) -> None:
    job = job_of(
        tmp_path,
        optim={"optimizer": "sgd", "lr": 1e30, "clip_norm": 0.0, "warmup": 0.0, "epochs": 1}
        | ({} if case.startswith("w") else {"batch": 1000}),
    )
    with pytest.raises(
        ModelError, match=r"fold 0.* the loss is no longer finite.*--optim.lr 2.0e\+29.*--optim.clip-norm 1.*--optim.warmup 0.1"
    ):
        run(job)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_best_epoch_is_kept_where_asked(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"epochs": 6, "keep": "best", "lr": 0.3, "schedule": "constant"})
    fitted = run(job)
    scores = [row["accuracy"] for row in history(job)]
    assert fitted.weights_kept == "best"
    assert fitted.score == max(scores)
    assert fitted.score == score(job.metric, job.truth[job.held_rows], fitted.probs, job.task)
    last = run(job_of(tmp_path / "last", optim={"epochs": 6, "lr": 0.3, "schedule": "constant"}))
    assert (last.weights_kept, last.score) == ("last", scores[-1])


def test_the_best_epoch_of_an_error_is_the_lowest(tmp_path: Path) -> None:
    job = job_of(tmp_path, "regression", optim={"epochs": 4, "keep": "best", "lr": 0.3, "schedule": "constant"})
    assert run(job).score == pytest.approx(min(row["rmse"] for row in history(job)))


def test_a_score_that_is_not_defined_is_not_the_best(tmp_path: Path) -> None:
    """An AUC of held-out rows that are all of one class is nan."""
    job = job_of(tmp_path, "binary", optim={"keep": "best"})
    alike = replace(job, held_rows=np.flatnonzero(job.truth[:, 0] > 0.5)[:8])
    assert np.isnan(run(alike).score)
    assert load(tmp_path)[1].weights_kept == "best"


def test_a_batch_larger_than_the_rows_is_one_step_an_epoch(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"batch": 1000, "epochs": 2})
    assert np.isfinite(run(job).probs).all()
    assert TrainBatches(job.pixels, job.train_rows, pipeline("none", 8, "none"), 1000, 0).steps == 1


def test_the_history_and_tensorboard_say_the_same(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"epochs": 3})
    run(job)
    rows = history(job)
    assert list(rows[0]) == ["epoch", "seconds", "lr", "train_loss", "held_out_loss", "accuracy"]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for name in ("lr", "train_loss", "held_out_loss", "accuracy"):
        assert [event.step for event in events.Scalars(name)] == [1, 2, 3]
        assert [event.value for event in events.Scalars(name)] == pytest.approx([row[name] for row in rows])


def test_a_resumed_fold_has_each_epoch_once_in_tensorboard(tmp_path: Path) -> None:
    job = job_of(tmp_path, optim={"epochs": 3})
    with pytest.raises(Stopped):
        run(job, after(7))
    run(job)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train_loss")] == [1, 2, 3]


def test_the_held_out_loss_is_the_log_loss(tmp_path: Path) -> None:
    for kind in ("binary", "multiclass", "multilabel"):
        job = job_of(tmp_path / kind, kind, optim={"epochs": 1})
        fitted = run(job)
        expected = score("log_loss", job.truth[job.held_rows], fitted.probs, job.task)
        assert history(job)[-1]["held_out_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_training_loss_is_the_mean_over_steps(tmp_path: Path) -> None:
    job = job_of(
        tmp_path,
        optim={"epochs": 1, "lr": 1e-12, "label_smoothing": 0.2},
        model={"backbone": NO_BATCH_NORM},
        data={"size_px": 32, "channels": 3},
    )
    run(job)
    network, _ = load(tmp_path)
    shown = np.random.default_rng((seed_of(0, 0), 0)).permutation(job.train_rows)[:64]
    with torch.inference_mode():
        logits = network(Normalise(job.spec, CPU)(torch.from_numpy(job.pixels[shown])))
    smoothed = torch.from_numpy(job.truth[shown]) * 0.8 + 0.2 / 3
    assert history(job)[0]["train_loss"] == pytest.approx(float(cross_entropy(logits, smoothed)), rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"model": {"backbone": "small/resnet9"}}, "unknown small backbone 'resnet9': perhaps"),
        ({"optim": {"optimizer": "adamv"}}, "unknown optimizer 'adamv': perhaps 'adam'"),
        ({"optim": {"optimizer": "adahessian"}}, "unknown optimizer 'adahessian'"),  # its second derivatives are not taken here
        ({"optim": {"optimizer": "sgd", "momentum": 0.0}}, "--optim.optimizer sgd cannot be made: Nesterov momentum requires a momentum"),
        ({"optim": {"loss": "mse"}}, "loss 'mse' does not serve a multiclass task"),
        ({"augment": {"strength": "hevy"}}, "unknown augmentation 'hevy'"),
    ],
)
def test_settings_that_cannot_be_are_errors_of_the_user(settings: dict[str, Any], match: str, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    changed = {name: getattr(job.config, name).model_copy(update=section) for name, section in settings.items()}
    with pytest.raises((ModelError, CompetitionError), match=match):
        run(replace(job, config=job.config.model_copy(update=changed)))


def test_a_damaged_state_is_an_error(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    with pytest.raises(Stopped):
        run(job, after(2))
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:1000])
    with pytest.raises(ModelError, match="delete the file to train the fold from its start"):
        run(job)


def test_bf16_on_a_cpu_runs(tmp_path: Path) -> None:
    job = job_of(tmp_path, machine={"amp": "bf16"}, optim={"epochs": 4})
    assert run(job).score > 0.6
    assert {value.dtype for value in weights(job).values() if value.is_floating_point()} == {torch.float32}


def test_the_pixels_and_truth_it_was_given_stay_as_they_are(tmp_path: Path) -> None:
    job = job_of(tmp_path, "regression", augment={"strength": "heavy", "mixup": 0.5})
    pixels, truth = copy.deepcopy((job.pixels, job.truth))
    assert isinstance(job.pixels, np.ndarray)
    job.pixels.flags.writeable = False
    run(job)
    np.testing.assert_array_equal(job.pixels, pixels)
    np.testing.assert_array_equal(job.truth, truth)


def test_what_is_taught_is_not_what_is_scored(tmp_path: Path) -> None:
    """Trained on labels turned round, a network is wrong about nearly every held-out row: these are scored as they are."""
    job = job_of(tmp_path, "binary", optim={"epochs": 12})
    fitted = run(replace(job, taught=job.truth[:, ::-1].copy()))
    assert score("roc_auc", job.truth[job.held_rows], fitted.probs, job.task) < 0.2


def test_further_images_are_trained_on(tmp_path: Path) -> None:
    """All that can be learned lies in the further images; without them there is one row of training."""
    job = job_of(tmp_path, "binary", optim={"epochs": 12})
    few, rest = job.train_rows[:1], job.train_rows[1:]
    more = replace(
        job,
        taught=np.concatenate([job.truth, job.truth[rest]]),
        more_pixels=job.pixels[rest],
        train_rows=np.concatenate([few, len(job.truth) + np.arange(len(rest))]),
    )
    fitted = run(more)
    assert score("roc_auc", job.truth[job.held_rows], fitted.probs, job.task) > 0.9


def test_a_fold_with_a_deadline_ends_its_learning_rate_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a watch that goes on a tenth of a second whenever it is asked."""
    now = itertools.count(0, 0.1)
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: next(now)))
    job = job_of(tmp_path, optim={"epochs": 10_000, "warmup": 0.2})
    fitted = run(replace(job, deadline=20.0))
    rows = history(job)
    assert next(now) < 20
    assert 1 < len(rows) < 10_000
    rates = [row["lr"] for row in rows]
    assert max(rates) > 0.9 * 0.01
    assert rates[-1] < 0.01 * 0.01, "at its end"
    assert fitted.score == rows[-1][job.metric]
    assert fitted.score > 0.9


@pytest.mark.parametrize("steps", [0, 2])
def test_a_fold_that_has_no_time_for_an_epoch_is_an_error_and_not_kept(steps: int, tmp_path: Path) -> None:
    """Also where an earlier command took its first steps: their weights are those of a network that has learned next to nothing."""
    job = job_of(tmp_path)
    if steps:
        with pytest.raises(Stopped):
            run(job, after(steps))
    with pytest.raises(ModelError, match="fold 0: no time was left to train it; ask for a longer --budget"):
        run(replace(job, deadline=0.0))
    assert not (tmp_path / "model.json").exists()
    assert run(job).score > 0.5, "and with time it is trained"


def test_a_fold_whose_time_is_over_is_still_scored_and_kept(tmp_path: Path) -> None:
    """Where an earlier command came to the end of an epoch."""
    job = job_of(tmp_path)
    with pytest.raises(Stopped):
        run(job, after(6))
    fitted = run(replace(job, deadline=0.0))
    assert len(history(job)) == 2, "the epoch that was under way is closed"
    assert np.isfinite(fitted.probs).all()
    assert (tmp_path / "model.json").is_file()


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(tmp_path: Path) -> None:
    gentle = {"epochs": 2, "batch": 16, "optimizer": "sgd", "lr": 0.01}  # what does not blow up the last digit of a gradient
    jobs = [job_of(tmp_path / str(on), machine={"compile": on}, optim=gentle) for on in (False, True)]
    plain, compiled = (run(job) for job in jobs)
    np.testing.assert_allclose(plain.probs, compiled.probs, atol=1e-3)
    for one, other in zip(*(history(job) for job in jobs), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-2)


def test_a_fold_begins_with_a_scale_of_its_own(tmp_path: Path) -> None:
    """All folds of a command have one Accelerator: in fp16 a fold's numbers depended on those trained before it."""
    job = job_of(tmp_path)
    accelerator = accelerator_for(job.config.machine)
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    fit(job, accelerator)
    assert accelerator.scaler.get_scale() == torch.amp.GradScaler("cpu").get_scale()
