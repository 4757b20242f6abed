from pathlib import Path

import pytest

from competition.config import Config
from models.bench import _bare_step, bench
from models.device import accelerator_for
from models.errors import ModelError
from models.parts import parts_of
from tests.builders import make_competition
from tests.models.examples import job_of

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


def test_the_step_alone_leaves_frozen_parts_as_they_are(tmp_path: Path) -> None:
    """Whose gradients the loop does not compute either: else it would be faster than the step that is its measure."""
    job = job_of(tmp_path, model={"freeze": ["features.0"]})
    accelerator = accelerator_for(job.config.machine)
    parts = parts_of(job, accelerator.device, 0)
    before = {name: value.clone() for name, value in parts.network.state_dict().items()}
    _bare_step(job, parts, accelerator)()
    moved = {name for name, value in parts.network.state_dict().items() if not value.equal(before[name])}
    assert moved
    assert not [name for name in moved if name.startswith("features.0.")]


def test_a_probe_has_no_loop(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a probe has no training loop"):
        bench(config_of(tmp_path, method="probe"), make_competition(), 0.1)
