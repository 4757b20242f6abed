from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from competition.config import Config
from models import lr_find
from models.__main__ import main
from models.errors import ModelError
from models.lr_find import EDGE, HIGHEST, LOWEST, range_test, steepest
from models.parts import Parts, parts_of
from tests.builders import make_competition

RATES = np.geomspace(1e-6, 1, 61)


def test_the_steepest_place_of_a_known_curve() -> None:
    """A fall that is fastest at 1e-3, and a rise after 1e-1."""
    losses = 1 / (1 + np.exp(3 * (np.log(RATES) - np.log(1e-3)))) + np.where(RATES > 0.1, RATES * 5, 0)
    found = steepest(RATES, losses)
    assert found is not None
    assert 0.8e-3 < found < 1.25e-3


def test_a_loss_that_never_falls_has_none() -> None:
    assert steepest(RATES, np.linspace(1, 2, 61)) is None
    assert steepest(RATES[:EDGE], np.ones(EDGE)) is None


def test_the_rate_rises_until_the_loss_does(tmp_path: Path) -> None:
    asked = {"machine": {"device": "cpu", "threads": 1, "cache": tmp_path}, "folds": {"scheme": "stratified", "groups": "none"}}
    config = Config.model_validate(asked | {"optim": {"batch": 8}, "model": {"backbone": "small/resnet9-8"}})
    config, rates, losses = range_test(config, make_competition("multiclass"), 60)
    assert rates[0] == LOWEST
    assert len(rates) == len(losses)
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(HIGHEST / LOWEST) / 59)
    assert np.isfinite(losses).all()
    assert config.optim.lr != "auto"


def test_frozen_parts_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As train.py with the same flags leaves them: the rate is looked for with what will learn."""
    tree = {"machine": {"device": "cpu", "threads": 1, "cache": tmp_path}, "folds": {"scheme": "stratified", "groups": "none"}}
    model = {"backbone": "small/resnet9-8", "freeze": ["features.0"]}
    made: list[tuple[Parts, dict[str, torch.Tensor]]] = []

    def watched(*given: Any) -> Parts:
        parts = parts_of(*given)
        made.append((parts, {name: value.clone() for name, value in parts.network.state_dict().items()}))
        return parts

    monkeypatch.setattr(lr_find, "parts_of", watched)
    range_test(Config.model_validate(tree | {"optim": {"batch": 8}, "model": model}), make_competition("multiclass"), 20)
    ((parts, before),) = made
    moved = {name for name, value in parts.network.state_dict().items() if not value.equal(before[name])}
    assert moved
    assert not [name for name in moved if name.startswith("features.0.")]


def test_a_probe_has_no_rate(tmp_path: Path) -> None:
    config = Config.model_validate({"optim": {"method": "probe"}, "machine": {"cache": tmp_path}})
    with pytest.raises(ModelError, match="a probe has no learning rate"):
        range_test(config, make_competition(), 5)


def test_the_front_door_draws_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lr-find", "--model.backbone", "small/resnet9-8", "--machine.threads", "1"]) == 0
    told = capsys.readouterr().out
    assert "it falls fastest at" in told
    assert (tmp_path / "runs" / "digits" / "lr-find.png").read_bytes().startswith(b"\x89PNG")
