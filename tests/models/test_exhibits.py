from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from competition.cache import pixels
from competition.config import CompetitionConfig, Config, DeviceConfig
from competition.load import load
from competition.notable import MOST
from competition.tables import as_table
from competition.task import Task
from folds.run import write_table
from models.backbones import build, input_spec
from models.device import accelerator_for
from models.exhibits import SHOWN, filters, label, write_exhibits
from models.fit import fit
from models.job import job_of_all

HELD = 60


def exhibits_of(directory: Path, **settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """What a fold of 240 of the embedded digits shows after one epoch."""
    tree: dict[str, dict[str, Any]] = {
        "data": {"size_px": 8, "channels": 1},
        "augment": {"strength": "light", "symmetry": "none"},
        "model": {"backbone": "small/resnet9-8", "weights": "none"},
        "optim": {"epochs": 1, "batch": 32, "lr": 0.01, "loss": "cross_entropy", "warmup": 0.1},
        "machine": {"device": "cpu", "threads": 1, "workers": 0},
    }
    config = Config.model_validate({name: tree.get(name, {}) | settings.get(name, {}) for name in tree.keys() | settings.keys()})
    contest, spec = load(CompetitionConfig()), input_spec(config.model.backbone, 8, 1)
    seen = pixels(contest.images, contest.train, 8, 1, spec.interpolation, directory / "cache" / contest.name)
    job = job_of_all(config, contest, spec, seen, directory / "fold0")
    job = replace(job, train_rows=np.arange(HELD, 240), held_rows=np.arange(HELD))
    fitted = fit(job, accelerator_for(config.machine))
    write_table(directory / "fold0" / "oof.parquet", as_table(contest.train["id"][:HELD].tolist(), fitted.probs, contest.task), 0)
    machine = DeviceConfig(device="cpu", threads=1, cache=directory / "cache")
    with np.load(write_exhibits(directory / "fold0", contest, machine), allow_pickle=False) as file:
        return dict(file)


def test_a_fold_shows_its_batch_its_first_layer_and_where_it_looks(tmp_path: Path) -> None:
    shown = exhibits_of(tmp_path)
    assert shown["seen"].shape == (SHOWN, 8, 8, 1)
    assert set(shown["seen_labels"]) <= {str(digit) for digit in range(10)}
    assert shown["filters"].shape == (8, 3, 3, 1)
    assert {shown["filters"][0].min(), shown["filters"][0].max()} == {0, 255}
    count = len(shown["cam_ids"])
    assert MOST <= count <= 3 * MOST
    assert shown["cam_images"].shape == (count, 8, 8, 1)
    assert len(shown["cams"]) == count
    contest = load(CompetitionConfig())
    assert set(shown["cam_ids"]) <= set(contest.train["id"][:HELD]), "what it was not trained on"


def test_mixed_images_are_shown_mixed(tmp_path: Path) -> None:
    shown = exhibits_of(tmp_path, augment={"strength": "none", "symmetry": "none", "mixup": 1.0, "mix_share": 1.0})
    assert any("%" in told for told in shown["seen_labels"])


def test_first_layers_are_pictures_where_they_look_at_pixels() -> None:
    first = nn.Linear(3 * 4 * 4, 5)
    with torch.no_grad():
        first.weight.copy_(torch.arange(240.0).view(5, 48))
    drawn = filters(nn.Sequential(nn.Flatten(), first, nn.Linear(5, 2)), 3)
    assert drawn.shape == (5, 4, 4, 3)
    assert drawn[2].min() == 0
    assert drawn[2, 3, 3, 2] == 255, "the last weight is the last channel of the last pixel"
    assert filters(build("timm/test_vit", 2, input_spec("timm/test_vit", 32)), 3).shape[3] == 3
    assert len(filters(nn.Linear(7, 2), 1)) == 0
    assert len(filters(nn.ReLU(), 1)) == 0


@pytest.mark.parametrize(
    ("task", "truth", "told"),
    [
        (Task("multiclass", ("a", "b", "c")), (0, 1, 0), "b"),
        (Task("multiclass", ("a", "b", "c")), (0.3, 0.7, 0), "b 70%, a 30%"),
        (Task("multilabel", ("a", "b", "c")), (1, 1, 1), "a, b, 1 more"),
        (Task("multilabel", ("a", "b", "c")), (0, 0, 0), "none"),
        (Task("regression", ("age",)), (12.25,), "12.25"),
    ],
)
def test_labels_in_a_few_words(task: Task, truth: tuple[float, ...], told: str) -> None:
    assert label(np.array(truth), task) == told
