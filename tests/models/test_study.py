import csv
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import tomli_w
from matplotlib.figure import Figure
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages.journal import JournalFileBackend

from competition import machines
from competition.config import Config, MachineConfig
from competition.errors import CompetitionError
from competition.machines import Lanes
from competition.settings import train_config
from models import study as module
from models.errors import ModelError
from models.study import STUDIES, Study, _opened, _plot, _tree, _what_mattered, read_study, run_study, study_file, trial_lanes

ROOT = Path(__file__).parent.parent.parent
STUDY = """
name = "sides"
sampler = "grid"
fold = "0"
[base.optim]
epochs = 1
[base.model]
backbone = "small/resnet9-8"
[base.folds]
count = 3
[keys]
"data.size_px" = [8, 16]
"""


def studied() -> str:
    """What the command says; it takes signals for itself, so that it has a process of its own."""
    command = [sys.executable, "-m", "models", "study", "study.toml"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_grid_is_run_and_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real trainings; the first trial was under way when an earlier try of the command was killed."""
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    place = tmp_path / "runs" / "digits" / "studies" / "sides"
    place.mkdir(parents=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(place / "journal.log")))
    space = {"data.size_px": [8, 16]}
    sampler = optuna.samplers.GridSampler(space, seed=0)
    killed = optuna.create_study(storage=storage, study_name="sides", direction="maximize", sampler=sampler)
    left = killed.ask({"data.size_px": optuna.distributions.CategoricalDistribution([8, 16])}).params
    told = studied()
    assert f"trial 1  data.size_px {left['data.size_px']}" in told, "the one that was under way is done again, first"
    assert "sides: 2 trials" in told
    with (place / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["data.size_px"] for row in rows} == {"8", "16"}
    assert all((tmp_path / row["run"] / "fold0" / "done.json").is_file() for row in rows)
    assert [float(row["accuracy"]) for row in rows] == sorted((float(row["accuracy"]) for row in rows), reverse=True)
    assert (place / "study.png").read_bytes().startswith(b"\x89PNG")
    assert "epoch" not in studied(), "all is done"


def test_more_trials_are_other_ones_and_other_values_are_another_study(tmp_path: Path) -> None:
    def opened(trials: int, **keys: object) -> Any:
        keys = keys or {"optim.lr": {"low": 1e-4, "high": 1e-1, "log": True}, "optim.batch": [8, 16]}
        return _opened(
            Study.model_validate({"name": "more", "sampler": "random", "trials": trials, "keys": keys}), tmp_path, "maximize", False
        )

    def asked(held: Any, count: int) -> list[float]:
        space = {"optim.lr": FloatDistribution(1e-4, 1e-1, log=True), "optim.batch": CategoricalDistribution([8, 16])}
        made = [held.ask(space) for _ in range(count)]
        for trial in made:
            held.tell(trial, 0.5)
        return [trial.params["optim.lr"] for trial in made]

    first, more = asked(opened(4), 4), asked(opened(8), 4)
    assert len({*first, *more}) == 8
    wider = {"optim.lr": {"low": 1e-5, "high": 1, "log": True}, "optim.batch": [8, 16]}
    opened(8, **wider)
    for keys, named in ((wider | {"optim.batch": [8, 16, 32]}, "'optim.batch'"), (wider | {"seed": [0, 1]}, "'seed'")):
        with pytest.raises(ModelError, match=f"has trials in which {named} had other values: give the new study another `name`"):
            opened(8, **keys)


def test_a_study_goes_by_the_metric_of_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is that of its trials; else the worst one would be the best."""
    monkeypatch.chdir(tmp_path)
    study = Study.model_validate({"name": "metric", "base": {"competition": {"metric": "log_loss"}}, "keys": {"optim.lr": [0.1]}})
    seen: list[str] = []
    monkeypatch.setattr(
        module, "_run_trials", lambda study, held, directory, machine, metric: seen.append(f"{metric} {held.direction.name}") or 1
    )
    assert run_study(study) == 1
    assert seen == ["log_loss MINIMIZE"]


ASKED = {"sampler": "random", "fold": "0", "keys": {"optim.lr": [0.1]}, "name": "lanes"}
LANES: dict[str, tuple[dict, dict, Lanes]] = {
    "a core a trial": ({}, {}, Lanes(4, 1, elastic=True)),
    "one learns from the one before it": ({"sampler": "tpe"}, {}, Lanes(1, 1)),
    "folds of a trial are trained at once": ({"fold": "all"}, {}, Lanes(1, 1)),
    "as many as were asked for": ({}, {"parallel_folds": 3}, Lanes(3, 1)),
    "threads that were asked for": ({}, {"threads": 2}, Lanes(2, 2, elastic=True)),
}


@pytest.mark.parametrize("case", LANES)
def test_how_many_trials_at_once(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_study, of_machine, lanes = LANES[case]
    monkeypatch.setattr(machines, "cores", lambda: 4)
    study = Study.model_validate(ASKED | of_study)
    assert trial_lanes(study, MachineConfig.model_validate({"device": "cpu"} | of_machine), 9)[0] == lanes


BROKEN: dict[str, tuple[str, str]] = {
    "no TOML": ("name = ", "is no TOML"),
    "an unknown setting": (STUDY.replace("size_px", "size"), r"data.size_px|unknown key 'data.size'|size"),
    "a value out of range": (STUDY.replace("[8, 16]", "[8, 1]"), r"data.size_px = 1"),
    "a range in a grid": (STUDY.replace("[8, 16]", "{low = 8, high = 16}"), "a grid needs a list of values for 'data.size_px'"),
    "nothing to try": (STUDY.split("[keys]")[0] + "[keys]\n", "keys"),
    "a name that is a path": (STUDY.replace('"sides"', '"../sides"'), "name"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_study_that_does_not_fit_is_an_error_before_anything_is_trained(case: str, tmp_path: Path) -> None:
    text, message = BROKEN[case]
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ModelError, CompetitionError), match=message):
        read_study(path)


def test_values_of_a_list_stand_in_its_order_with_their_means() -> None:
    """Also numbers: 8, 16 and 512 stand equally far apart. What was cut short counts in no mean."""
    space = CategoricalDistribution([512, 8, 16])
    state = optuna.trial.TrialState
    tried = [(8, 0.5, state.COMPLETE), (8, 0.7, state.COMPLETE), (512, 0.2, state.COMPLETE), (16, 0.1, state.PRUNED)]
    trials = [
        optuna.trial.create_trial(params={"optim.batch": value}, distributions={"optim.batch": space}, value=score, state=how)
        for value, score, how in tried
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    axes = Figure().subplots()
    _plot(axes, space, trials, "optim.batch", {number: score for number, (_, score, _) in enumerate(tried)})
    points, *bars = axes.collections
    assert [label.get_text() for label in axes.get_xticklabels()] == ["512", "8", "16"]
    assert np.asarray(points.get_offsets()).tolist() == [[1, 0.5], [1, 0.7], [0, 0.2], [2, 0.1]]
    assert [bar.get_segments()[0][0].round(9).tolist() for bar in bars] == [[-0.3, 0.2], [0.7, 0.6]]  # type: ignore[attr-defined]


def test_what_mattered_is_a_share_of_the_variance_of_the_scores() -> None:
    """By hand: a grid of effects 4, 1 and 0 shares its variance as 16 to 1 to 0. Equal scores say nothing."""
    space: dict[str, BaseDistribution] = {key: CategoricalDistribution([0, 1]) for key in ("model.drop", "optim.lr", "augment.strength")}

    def shares(large: float, small: float) -> dict[str, float]:
        held = optuna.create_study()
        for values in product((0, 1), repeat=3):
            score = 0.1 * (large * values[0] + small * values[1])
            held.add_trial(optuna.trial.create_trial(params=dict(zip(space, values, strict=True)), distributions=space, value=score))
        return _what_mattered(held)

    assert shares(4, 1) == pytest.approx({"model.drop": 16 / 17, "optim.lr": 1 / 17, "augment.strength": 0}, abs=0.05)
    assert shares(0, 0) == {}


def test_a_study_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"study.toml: cannot be read: No such file"):
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize("path", sorted(STUDIES.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_study_of_the_house_fits_and_is_found_by_its_name(path: Path) -> None:
    name = path.relative_to(STUDIES).with_suffix("").as_posix()
    assert study_file(name) == path
    assert read_study(path).name == name.replace("/", "-")


def test_a_study_by_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(CompetitionError, match="unknown study 'labs/digit': perhaps 'labs/digits'"):
        study_file("labs/digit")


def test_competition_toml_stands_below_what_a_trial_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As train.py reads the trial: recipe < competition.toml < base < keys. On top of the trial, it would make all trials the same."""
    monkeypatch.chdir(tmp_path)
    said = "[competition]\nmetric = 'log_loss'\n[optim]\nlr = 0.001\nema = 0.5\n[folds]\ncount = 7\n"
    Path("competition.toml").write_text(said, encoding="utf-8")
    text = STUDY.replace('"data.size_px" = [8, 16]', '"optim.lr" = [0.1, 0.2]').replace('fold = "0"', 'fold = "0"\nrecipe = "strong"')
    Path("study.toml").write_text(text, encoding="utf-8")

    def tried(lr: float) -> Config:
        Path("trial.toml").write_text(tomli_w.dumps(_tree(read_study(Path("study.toml")), {"optim.lr": lr})), encoding="utf-8")
        return train_config(["--recipe", "trial.toml"])

    for lr in (0.1, 0.2):
        config = tried(lr)
        assert (config.optim.lr, config.optim.ema, config.optim.effort, config.folds.count) == (lr, 0.5, "strong", 3)
        assert (config.competition.source, config.competition.metric) == ("digits", "log_loss")
    Path("study.toml").write_text(text + "[base.competition]\nsource = 'other'\n", encoding="utf-8")
    assert (tried(0.1).competition.metric, tried(0.1).optim.ema) == ("auto", 0.998), "another competition than that of competition.toml"
    Path("competition.toml").write_text("[optim]\nlr = -1\n", encoding="utf-8")
    Path("study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CompetitionError, match=r"^competition.toml: optim.lr = -1"):
        read_study(Path("study.toml"))


def test_a_recipe_lies_below_what_all_trials_share(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY.replace('fold = "0"', 'fold = "0"\nrecipe = "strong"'), encoding="utf-8")
    base = read_study(path).base
    assert base["optim"] == {"effort": "strong", "ema": 0.998, "epochs": 1}
    assert base["augment"]["mixup"] == 0.2
    assert base["folds"] == {"count": 3}
    assert base["competition"] == {"source": "digits"}
    path.write_text(STUDY.replace('fold = "0"', 'fold = "0"\nrecipe = "strnog"'), encoding="utf-8")
    with pytest.raises(CompetitionError, match="unknown recipe 'strnog': perhaps 'strong'"):
        read_study(path)
