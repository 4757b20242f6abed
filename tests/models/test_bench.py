from pathlib import Path

import pytest

from competition.config import Config
from models.bench import bench
from models.errors import ModelError
from tests.builders import make_competition

ASKED = {"machine": {"device": "cpu", "threads": 1, "inference": "torch"}, "folds": {"scheme": "stratified", "groups": "none"}}


def config_of(place: Path, **optim: object) -> Config:
    machine = ASKED["machine"] | {"cache": place}
    return Config.model_validate(ASKED | {"machine": machine, "optim": optim, "model": {"backbone": "small/resnet9-8"}})


def test_every_part_is_measured_and_the_step_is_the_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, rates = bench(config_of(tmp_path, batch=8), make_competition("multiclass"), 0.1)
    assert [rate.name for rate in rates] == ["decode and resize", "augment", "network's step", "training loop", "predict"]
    assert all(rate.each_second > 0 for rate in rates)
    step = rates[2]
    assert step.of_step == 1
    for rate in rates[:2] + rates[4:]:
        assert rate.of_step == pytest.approx(rate.each_second / step.each_second)
    assert 0.1 < rates[3].of_step < 2
    assert config.augment.strength != "auto"
    assert "epoch" not in capsys.readouterr().out, "the loop's own lines are not the bench's"


def test_a_probe_has_no_loop(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a probe has no training loop"):
        bench(config_of(tmp_path, method="probe"), make_competition(), 0.1)
