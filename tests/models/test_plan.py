import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from competition.catalogue import digits
from competition.config import CompetitionConfig, Config
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.images import ArrayImages
from competition.load import load
from competition.settings import RECIPES, train_config, write_toml
from competition.task import KINDS, Kind
from models import plan
from models.backbones import build, input_spec
from models.errors import ModelError
from models.plan import EFFORTS, FEW, PLANNED, PROBED_PX, SMALLER_PX, look, plan_lines, prepare, resolve, seconds_per_image
from tests.builders import make_competition


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)


def config(tree: dict[str, Any] | None = None) -> Config:
    """As train.py gives it: the fold scheme is settled before the rest."""
    machine = {"device": "cpu", "threads": 1, "cache": "cache", "runs": "runs"}
    return Config.model_validate({"machine": machine, "folds": {"scheme": "stratified", "groups": "none"}} | (tree or {}))


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


def sized(contest: Competition, size_px: int, channels: int = 3) -> Competition:
    """The competition with images of another size."""
    keys = [*contest.train["image"], *contest.test["image"]]
    pixels = np.random.default_rng(0).integers(0, 256, (len(keys), size_px, size_px, channels), dtype=np.uint8)
    return replace(contest, images=ArrayImages(keys, pixels))


def weights_of(backbone: str, where: Path) -> str:
    """A file of weights of that backbone."""
    path = where / "weights.safetensors"
    save_file(build(backbone, 3, input_spec(backbone)).state_dict(), path)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_machines_settings_stays_auto(kind: Kind) -> None:
    contest = make_competition(kind)
    settled, _, _, reasons = prepare(config(), contest)
    ours = {name: value for name, value in leaves(settled.model_dump()) if not name.startswith(("machine", "competition"))}
    assert [name for name, value in ours.items() if value == "auto"] == []
    assert (settled.competition.metric, settled.competition.task) == (contest.metric, kind)
    assert all(reason.why for reason in reasons)
    assert {"channels", "backbone", "size", "weights", "batch", "epochs", "learning rate", "augmentation", "symmetry"} <= {
        r.what for r in reasons
    }


def test_what_is_asked_is_kept_and_has_no_reason() -> None:
    asked: dict[str, Any] = {
        "data": {"size_px": 12, "channels": 1},
        "augment": {"strength": "heavy", "symmetry": "all", "extra": ["InvertImg(p=0.1)"]},
        "model": {"backbone": "small/resnet9-8", "weights": "none"},
        "optim": {"epochs": 3, "batch": 5, "lr": 0.123, "loss": "cross_entropy", "optimizer": "sgd"},
    }
    settled, spec, pixels, reasons = prepare(config(asked), make_competition())
    for name, value in leaves(asked):
        kept: Any = settled
        for part in name.split("."):
            kept = getattr(kept, part)
        assert kept == (tuple(value) if isinstance(value, list) else value), name
    assert reasons == []
    assert (spec.size_px, spec.channels) == (12, 1)
    assert pixels.shape == (40, 12, 12, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resolved_config_resolves_to_itself(kind: Kind) -> None:
    contest = make_competition(kind)
    once = prepare(config(), contest)[0]
    twice, _, _, reasons = prepare(once, contest)
    assert twice == once
    assert reasons == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_runs_config_as_recipe_finds_the_run_again(kind: Kind, tmp_path: Path) -> None:
    contest = make_competition(kind)
    once = prepare(config({"optim": {"lr": 0.1 + 0.2}, "augment": {"extra": ["ToGray(p=0.5)"]}}), contest)[0]
    write_toml(tmp_path / "config.toml", once)
    again = train_config(["--recipe", str(tmp_path / "config.toml")])
    assert prepare(again, contest)[0].digest() == once.digest()
    other = train_config(["--recipe", str(tmp_path / "config.toml"), "--optim.epochs", "77"])
    assert prepare(other, contest)[0].digest() != once.digest()


def test_the_embedded_competition_finds_its_run_again(tmp_path: Path) -> None:
    contest = digits.load(CompetitionConfig())
    once = prepare(config(), contest)[0]
    write_toml(tmp_path / "config.toml", once)
    again = train_config(["--recipe", str(tmp_path / "config.toml")])
    assert prepare(again, digits.load(again.competition))[0].digest() == once.digest()
    assert once.augment.symmetry == "none", "a mirrored digit is none"


def test_what_was_detected_is_written_out_and_asks_for_the_same_competition(tmp_path: Path) -> None:
    """So that a guess that a later version makes otherwise does not change what an older run is about."""
    for place in range(24):
        folder = tmp_path / "flowers" / "train" / ("rose" if place % 2 else "tulip")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{place}.png"), np.full((8, 8, 3), 10 * place, np.uint8))
    (tmp_path / "flowers" / "test").mkdir()
    cv2.imwrite(str(tmp_path / "flowers" / "test" / "a.png"), np.zeros((8, 8, 3), np.uint8))
    asked = config({"competition": {"source": str(tmp_path / "flowers")}})
    once = prepare(asked, load(asked.competition))[0]
    assert once.competition.labels == "folders"
    left = {name for name, value in leaves(once.model_dump()) if value == "auto" and not name.startswith("machine")}
    assert left == {"competition.id_column", "competition.sample"}, "there is neither a label table nor a sample submission"
    again = prepare(once, load(once.competition))[0]
    assert again == once


def test_where_it_computes_does_not_change_which_run_it_is() -> None:
    here, there = (
        config({"machine": {"device": "cpu", "threads": threads, "cache": f"cache{threads}"}, "name": str(threads)}) for threads in (1, 2)
    )
    contest = make_competition()
    assert prepare(here, contest)[0].digest() == prepare(there, contest)[0].digest()


@pytest.mark.parametrize(
    ("size_px", "weights", "backbone", "chosen_px"),
    [
        (4, "auto", "small/resnet9-16", 8),
        (28, "auto", "small/resnet9-16", 28),
        (100, "brought.safetensors", "timm/tf_efficientnet_lite0", 96),
        (300, "brought.safetensors", "timm/tf_efficientnet_lite0", 128),
        (300, "none", "small/resnet9-16", 96),
    ],
)
def test_images_and_weights_choose_network_and_size(size_px: int, weights: str, backbone: str, chosen_px: int) -> None:
    Path("brought.safetensors").touch()
    settled, _ = resolve(config({"model": {"weights": weights}}), sized(make_competition(), size_px))
    assert (settled.model.backbone, settled.data.size_px) == (backbone, chosen_px)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_are_seen_grey(channels: int) -> None:
    contest = sized(make_competition(), 9, channels)
    assert look(contest) == (9, channels)
    assert resolve(config(), contest)[0].data.channels == channels


def test_weights_out_of_reach_are_left_out_with_the_reason() -> None:
    contest = make_competition()
    settled, reasons = resolve(config({"model": {"backbone": "timm/test_resnet"}}), contest)
    (reason,) = [reason for reason in reasons if reason.what == "weights"]
    assert settled.model.weights == reason.value == "none"
    assert "127.0.0.1 does not answer" in reason.why
    with pytest.raises(ModelError, match="pretrained weights of timm/test_resnet cannot be had"):
        resolve(config({"model": {"backbone": "timm/test_resnet", "weights": "pretrained"}}), contest)


def test_a_backbone_without_family_is_written_out() -> None:
    settled, _ = resolve(config({"model": {"backbone": "test_resnet", "weights": "none"}}), make_competition())
    assert settled.model.backbone == "timm/test_resnet"


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"model": {"backbone": "timm/resnet81"}}, "unknown timm backbone 'resnet81'"),
        ({"model": {"weights": "there/is/none.safetensors"}}, "there is no such file"),
        ({"optim": {"optimizer": "adamv"}}, "unknown optimizer 'adamv'"),
        ({"optim": {"loss": "hinge"}}, "unknown loss 'hinge'"),
        (
            {"optim": {"ema": 0.998, "average_last": 0.3}},
            "--optim.ema 0.998 and --optim.average-last 0.3 are two averages .* of which only one",
        ),
        ({"augment": {"extra": ["GausNoise"]}}, "unknown Albumentations step 'GausNoise'"),
        ({"augment": {"extra": ["CenterCrop(height=4, width=4)"]}}, "gives uint8 4 x 4 where uint8 8 x 8 is needed"),
    ],
)
def test_what_cannot_be_had_is_an_error_before_anything_is_trained(tree: dict[str, Any], match: str) -> None:
    with pytest.raises((ModelError, CompetitionError), match=match):
        resolve(config(tree), make_competition())


@pytest.mark.parametrize("train_rows", [10, 100, 3000])
def test_chosen_numbers_are_sensible_for_few_and_many_rows(train_rows: int) -> None:
    contest = make_competition(train_rows=train_rows)
    for scratch, optimizer in itertools.product((True, False), ("adamw", "sgd")):
        optim = resolve(config({"optim": {"optimizer": optimizer}, "model": {"weights": "none"}} if scratch else {}), contest)[0].optim
        assert 16 <= int(optim.batch) <= 128
        assert 3 <= int(optim.epochs) <= 60
        assert 1e-5 < float(optim.lr) < 0.2


@pytest.mark.parametrize(("backbone", "lr"), [("timm/test_resnet", 0.0014), ("timm/test_efficientnet_ln", 0.0005)])
def test_pretrained_weights_bear_a_higher_rate_with_batch_norm(backbone: str, lr: float, tmp_path: Path) -> None:
    weights = weights_of(backbone, tmp_path)
    asked = config({"optim": {"batch": 64}, "model": {"backbone": backbone, "weights": weights}})
    settled, reasons = resolve(asked, make_competition())
    assert settled.optim.lr == lr
    assert any(reason.what == "learning rate" and ("with batch norm" in reason.why) == (lr > 0.001) for reason in reasons)


def test_the_plan_names_what_is_about_to_be_done() -> None:
    contest = make_competition()
    settled = prepare(config(), contest)[0]
    lines = dict(plan_lines(settled, contest, Path("runs/x"), [0, 1, 2], [1, 2], 2, torch.device("cpu")))
    assert lines["folds"] == "1, 2 of 5, stratified; finished before: 0"
    assert "small/resnet9-16" in lines["backbone"]
    assert lines["device"].endswith("2 folds at once")
    assert "minutes" in lines["time"]
    assert "time" not in dict(plan_lines(settled, contest, Path("runs/x"), [0], [], 1, torch.device("cpu")))


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.toml")))
@pytest.mark.parametrize("kind", KINDS)
def test_every_recipe_suits_every_task(recipe: str, kind: Kind) -> None:
    asked = train_config(["--recipe", recipe, "--folds.scheme", "stratified", "--folds.groups", "none", "--machine.device", "cpu"])
    settled, _, _, reasons = prepare(asked, make_competition(kind))
    assert reasons
    left = {name for name, value in leaves(settled.model_dump(exclude={"machine", "competition"})) if value == "auto"}
    unused = {"optim.epochs", "optim.batch", "optim.lr", "augment.strength"}
    assert left == (unused if recipe == "probe" else set())
    header = (RECIPES / f"{recipe}.toml").read_text(encoding="utf-8").splitlines()[:2]
    assert f"--recipe {recipe}" in header[1]


def test_a_network_that_takes_one_side_is_given_it() -> None:
    settled, reasons = resolve(config({"model": {"backbone": "labs/simple-cnn"}}), make_competition())
    assert settled.data.size_px == 32
    assert ("32 px", "labs/simple-cnn takes no other") in [(reason.value, reason.why) for reason in reasons]


def test_more_effort_shows_more_pixels_more_often(tmp_path: Path) -> None:
    contest = sized(make_competition(train_rows=2000), 200)
    plans = [resolve(config({"optim": {"effort": effort}}), contest)[0] for effort in EFFORTS]
    sizes, epochs = [int(plan.data.size_px) for plan in plans], [int(plan.optim.epochs) for plan in plans]
    assert sizes == sorted(set(sizes))
    assert epochs == sorted(set(epochs))
    assert [plan.augment.strength for plan in plans] == ["light", "medium", "heavy"]


def test_a_probe_of_small_images_enlarges_them_for_a_pretrained_backbone(tmp_path: Path) -> None:
    asked = {"optim": {"method": "probe"}, "model": {"backbone": "timm/test_resnet", "weights": weights_of("timm/test_resnet", tmp_path)}}
    assert resolve(config(asked), make_competition())[0].data.size_px == PROBED_PX


def test_a_budget_chooses_the_size_that_it_has_time_for() -> None:
    contest = sized(make_competition(train_rows=400), 200)
    asked = config({"optim": {"budget": "5m"}, "model": {"weights": "none"}})
    hurried, leisurely = (resolve(asked, contest, seconds)[0] for seconds in (1e-3, 1e6))
    assert (hurried.data.size_px, leisurely.data.size_px) == (SMALLER_PX[-1], EFFORTS["standard"].scratch_px)
    assert hurried.digest() == leisurely.digest(), "the same command is the same run, however fast the machine is today"
    assert set(hurried.optim.planned) == set(PLANNED)
    own = asked.model_copy(update={"data": asked.data.model_copy(update={"size_px": 80})})
    assert resolve(own, contest, 1e-3)[0].data.size_px == 80
    assert "data.size_px" not in resolve(own, contest, 1e-3)[0].optim.planned


def test_a_budget_that_is_used_up_leaves_no_time_and_not_less() -> None:
    reasons = resolve(config({"optim": {"budget": "5m"}, "model": {"weights": "none"}}), make_competition(), -3.0)[1]
    (size,) = (reason for reason in reasons if reason.what == "size")
    assert "about 0.0 epochs of it in 0 s a fold" in size.why


def test_a_run_with_a_budget_goes_on_as_it_began(tmp_path: Path) -> None:
    """As side_by_side.py starts each fold, and as the same command does it again."""
    contest = sized(make_competition(train_rows=400), 200)
    asked = config({"optim": {"budget": "5m"}, "model": {"weights": "none"}})
    first = prepare(asked, contest, 1e-3)[0]
    directory = first.run_directory(contest.name)
    directory.mkdir(parents=True)
    write_toml(directory / "config.toml", first)
    again = prepare(asked, contest, 1e6)[0]
    assert again == first
    child = train_config(["--recipe", str(directory / "config.toml"), "--machine.device", "cpu", "--machine.runs", "runs"])
    assert prepare(child, contest, 1e6)[0].digest() == first.digest()


@pytest.mark.parametrize(("long_seconds", "images"), [(0.0, [FEW, FEW, FEW]), (60.0, [FEW, 32, 32])])
def test_where_a_step_takes_long_few_images_are_measured(long_seconds: float, images: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Watched(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            return super().forward(x.mean(dim=(2, 3)))

    monkeypatch.setattr(plan, "build", lambda *_: Watched(3, 2))
    monkeypatch.setattr(plan, "LONG_SECONDS", long_seconds)
    settled = {"model": {"backbone": "small/resnet9-8"}, "data": {"size_px": 16, "channels": 3}, "optim": {"batch": 32}}
    assert seconds_per_image(config(settled), 2) > 0
    assert seen == images


@pytest.mark.parametrize(("amp", "dtype"), [("off", torch.float32), ("bf16", torch.bfloat16)])
def test_a_step_is_measured_in_the_precision_of_the_training(amp: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[torch.dtype] = set()

    class Watched(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            outputs = super().forward(x.mean(dim=(2, 3)))
            seen.add(outputs.dtype)
            return outputs

    monkeypatch.setattr(plan, "build", lambda *_: Watched(3, 2))
    settled: dict[str, Any] = {"model": {"backbone": "small/resnet9-8"}, "data": {"size_px": 16, "channels": 3}, "optim": {"batch": 16}}
    assert seconds_per_image(config(settled | {"machine": {"device": "cpu", "threads": 1, "amp": amp}}), 2) > 0
    assert seen == {dtype}


@pytest.mark.parametrize(("device", "batch", "measured"), [("cpu", "auto", 16), ("cuda", "auto", 32), ("cuda", 24, 24)])
def test_a_gpu_is_measured_with_the_batch_that_it_will_have(
    device: str, batch: str | int, measured: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a small one an image costs it more."""
    tried: list[Config] = []

    def seconds_of(config: Config, *given: object) -> float:
        tried.append(config)
        return 1e-3

    monkeypatch.setattr(plan, "device_of", lambda machine: torch.device(device))
    monkeypatch.setattr(plan, "seconds_per_image", seconds_of)
    asked = config({"optim": {"budget": "5m", "batch": batch}, "model": {"backbone": "small/resnet9-8", "weights": "none"}})
    settled, _ = resolve(asked, sized(make_competition(train_rows=4000), 96), 300)
    assert [trial.optim.batch for trial in tried] == [measured]
    if device == "cuda":
        assert settled.optim.batch == measured
