import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from competition.config import AugmentConfig, CompetitionConfig, Config, MachineConfig, ModelConfig, OptimConfig, seconds_of
from competition.errors import CompetitionError
from competition.load import load
from competition.settings import (
    RECIPES,
    competition_config,
    predict_config,
    read_recipe,
    train_config,
    validated,
    write_toml,
)


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_nothing_asked_is_the_defaults() -> None:
    assert train_config([]) == Config()


def test_defaults_then_recipe_then_competition_file_then_flags() -> None:
    recipe = toml("recipe.toml", "[optim]\nepochs = 1\nbatch = 1\nlr = 1.0\n[folds]\ncount = 3")
    toml("competition.toml", '[competition]\nsource = "flowers"\n[optim]\nbatch = 2\nlr = 2.0')
    config = train_config(["--recipe", recipe, "--optim.lr", "3"])
    optim = config.optim
    assert (optim.epochs, optim.batch, optim.lr, optim.weight_decay) == (1, 2, 3.0, 0.05)
    assert (config.competition.source, config.folds.count, config.recipe) == ("flowers", 3, recipe)


def test_a_flag_changes_its_own_setting_only() -> None:
    config = train_config(["--optim.lr", "3e-4", "--fold", "all", "--competition", "x", "--name", "n", "--data.size-px", "96"])
    expected = Config.model_validate(
        {"name": "n", "competition": {"source": "x"}, "optim": {"lr": 3e-4}, "data": {"size_px": 96}, "machine": {"fold": "all"}}
    )
    assert config == expected


@pytest.mark.parametrize(
    ("argv", "value", "of"),
    [
        (["--optim.lr", "auto"], "auto", lambda config: config.optim.lr),
        (["--optim.lr", "1"], 1.0, lambda config: config.optim.lr),
        (["--optim.epochs=7"], 7, lambda config: config.optim.epochs),
        (["--augment.extra", "ToGray(p=0.1)", "InvertImg"], ("ToGray(p=0.1)", "InvertImg"), lambda config: config.augment.extra),
        (["--competition.target-columns", "a", "b"], ("a", "b"), lambda config: config.competition.target_columns),
        (["--machine.workers", "0"], 0, lambda config: config.machine.workers),
        (["--machine.runs", "elsewhere"], Path("elsewhere"), lambda config: config.machine.runs),
        (["--model.weights", "a b.safetensors"], "a b.safetensors", lambda config: config.model.weights),
    ],
)
def test_flags_of_every_kind(argv: list[str], value: object, of: Callable[[Config], object]) -> None:
    given = of(train_config(argv))
    assert given == value
    assert type(given) is type(value)


@pytest.mark.parametrize(
    "argv",
    [
        ["--optim.lr", "-1"],
        ["--optim.lr", "fast"],
        ["--optim.lrr", "1"],
        ["--optim.momentum", "1.5"],
        ["--folds.count", "1"],
        ["--optim.epochs", "2.5"],
        ["--optim.schedule", "cosin"],
        ["--machine.amp", "fp8"],
        ["--machine.threads", "1025"],
        ["--machine.workers", "257"],
        ["--lr", "1"],
        ["0"],
        ["--recipe"],
    ],
)
def test_a_flag_that_does_not_fit_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train_config(argv)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_mistyped_flag_lists_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train_config(["--optim.epoch", "1"])
    assert "--optim.epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[optim]\nepoch = 3", r"recipe 'r.toml': \[optim.epoch\] unknown key 'epoch': perhaps 'epochs'"),
        ("[optm]\nepochs = 3", r"\[optm\] unknown key 'optm': perhaps 'optim'"),
        ("epochs = 3", "unknown key 'epochs'"),
        ("[optim]\nlr = -1", "recipe 'r.toml': optim.lr = -1: Input should be greater than 0"),
        ("[optim]\nlr = 'fast'", "optim.lr = 'fast': "),
        ("[optim]\nlr = nan", "optim.lr = nan: "),
        ("[optim]\nlr = inf", "optim.lr = inf: "),
        ("[optim]\nweight_decay = inf", "optim.weight_decay = inf: "),
        ("[optim]\nepochs = 2.5", "optim.epochs = 2.5: "),
        ("[optim]\nwarmup = 1.1", "optim.warmup = 1.1: Input should be less than or equal to 1"),
        ("[optim]\nschedule = 'cosin'", "optim.schedule = 'cosin': Input should be 'cosine'"),
        ("optim = 3", "optim = 3: "),
        ("competition = 'digits'", "competition = 'digits': "),
        ("[augment]\nextra = 'ToGray'", "augment.extra = 'ToGray': "),
        ("[[optim]]\nlr = 1", "optim = "),
        ("this is no TOML", "r.toml: is no TOML: .*line 1"),
    ],
)
def test_a_recipe_that_does_not_fit_says_where_and_why(text: str, match: str) -> None:
    with pytest.raises(CompetitionError, match=match):
        train_config(["--recipe", toml("r.toml", text)])


def test_each_wrong_key_has_a_line_of_its_own() -> None:
    toml("r.toml", "[optim]\nlr = -1\nepoch = 3\n[data]\nsize_px = 'big'")
    with pytest.raises(CompetitionError) as error:
        train_config(["--recipe", "r.toml"])
    assert [line.split("= ")[0].split(" unknown")[0] for line in str(error.value).splitlines()] == [
        "recipe 'r.toml': data.size_px ",
        "recipe 'r.toml': optim.lr ",
        "recipe 'r.toml': [optim.epoch]",
    ]


def test_a_file_that_is_no_text_is_named() -> None:
    Path("r.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CompetitionError, match=r"r.toml: is no TOML"):
        train_config(["--recipe", "r.toml"])


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(CompetitionError, match=r"there/is/none.toml: there is no such file"):
        train_config(["--recipe", "there/is/none.toml"])
    with pytest.raises(CompetitionError, match="unknown recipe 'quickk'"):
        train_config(["--recipe", "quickk"])
    Path("folder.toml").mkdir()
    with pytest.raises(CompetitionError, match=r"folder.toml"):
        train_config(["--recipe", "folder.toml"])


@pytest.mark.parametrize("recipe", sorted(str(path.relative_to(RECIPES).with_suffix("")) for path in RECIPES.rglob("*.toml")) or [None])
def test_every_recipe_fits(recipe: str | None) -> None:
    if recipe:
        validated(Config, read_recipe(recipe), recipe)


def test_a_competition_file_that_does_not_fit_is_named() -> None:
    toml("competition.toml", '[competition]\nmetrics = "accuracy"')
    for read in (lambda: train_config([]), competition_config):
        with pytest.raises(CompetitionError, match=r"competition.toml: \[competition.metrics\] unknown key 'metrics': perhaps 'metric'"):
            read()
    toml("competition.toml", 'competition = "digits"')
    for read in (lambda: train_config(["--competition", "digits"]), competition_config, lambda: competition_config("digits")):
        with pytest.raises(CompetitionError, match=r"competition.toml: competition = 'digits': "):
            read()


def test_a_competition_file_about_another_competition_is_left_out_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    toml("competition.toml", '[competition]\nsource = "flowers"\nmetric = "log_loss"')
    assert train_config([]).competition.metric == "log_loss"
    assert capsys.readouterr().err == ""
    assert train_config(["--competition", "flowers"]).competition.metric == "log_loss"
    assert train_config(["--competition", "digits"]).competition == CompetitionConfig()
    assert "competition.toml is about 'flowers' and is left out: 'digits' was asked for" in capsys.readouterr().err
    assert competition_config("digits") == CompetitionConfig()
    assert competition_config().source == "flowers"
    assert competition_config("flowers").metric == "log_loss"


def test_without_a_competition_file_it_is_the_embedded_one() -> None:
    assert competition_config() == CompetitionConfig(source="digits")


def test_a_runs_own_config_is_not_changed_by_a_competition_file() -> None:
    """The same run is found again whatever competition.toml says by now; flags still count."""
    Path("run").mkdir()
    toml("run/config.toml", '[competition]\nsource = "flowers"\n[optim]\nepochs = 1')
    toml("run/environment.json", "{}")
    toml("competition.toml", '[competition]\nsource = "flowers"\nmetric = "log_loss"\n[optim]\nepochs = 2')
    config = train_config(["--recipe", "run/config.toml"])
    assert (config.optim.epochs, config.competition.metric) == (1, "auto")
    assert train_config(["--recipe", "run/config.toml", "--optim.epochs", "3"]).optim.epochs == 3


def test_predicting_takes_runs_and_flags() -> None:
    asked = predict_config(["runs/a", "runs/b", "--views", "flips", "--output", "x.csv", "--machine.device", "cpu"])
    assert (asked.run, asked.views, asked.output, asked.machine.device) == (("runs/a", "runs/b"), "flips", Path("x.csv"), "cpu")
    assert predict_config([]).run == ()
    assert predict_config([]).output is None


@pytest.mark.parametrize("output", [".", "/dev/null"])
def test_an_output_that_is_no_file_is_refused_before_anything_is_done(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        predict_config(["--output", output])
    assert ended.value.code == 2
    assert f"{output!r} is a directory or a device" in " ".join(capsys.readouterr().err.replace("\u2502", "").split())


def test_help_ends_with_0_and_names_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train_config(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for flag in ("--competition", "--recipe", "--name", "--fold", "--optim.lr", "--model.backbone", "--data.size-px", "--machine.device"):
        assert flag in shown


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONFIGS = st.builds(
    Config,
    name=TEXT,
    seed=st.integers(0, 2**32 - 1),
    competition=st.builds(CompetitionConfig, source=TEXT, metric=TEXT, target_columns=st.lists(TEXT, max_size=3).map(tuple)),
    augment=st.builds(
        AugmentConfig, strength=st.sampled_from(["auto", "heavy"]), extra=st.lists(TEXT, max_size=2).map(tuple), mixup=st.floats(0, 1e300)
    ),
    model=st.builds(ModelConfig, weights=TEXT, drop=st.floats(0, 1)),
    optim=st.builds(
        OptimConfig,
        lr=st.just("auto") | st.floats(0, 1e300, exclude_min=True),
        epochs=st.just("auto") | st.integers(1, 10**9),
        ema=st.floats(0, 1, exclude_max=True),
        keep=st.sampled_from(["last", "best"]),
    ),
)


@given(config=CONFIGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_a_config_comes_back_from_its_file(config: Config) -> None:
    write_toml(Path("config.toml"), config)
    back = train_config(["--recipe", "config.toml"]) if len(config.name) % 5 == 0 else validated(Config, read_recipe("config.toml"), "x")
    assert back.model_copy(update={"recipe": ""}) == config
    assert back.digest() == config.digest()


def test_the_file_leaves_out_where_it_ran() -> None:
    write_toml(Path("config.toml"), Config(machine=MachineConfig(device="cpu", runs=Path("elsewhere"))))
    assert "machine" not in tomllib.loads(Path("config.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"name": "other"}, True),
        ({"recipe": "other"}, True),
        ({"machine": {"device": "cpu", "runs": "elsewhere"}}, True),
        ({"competition": {"source": "/elsewhere/digits"}}, True),
        ({"competition": {"metric": "log_loss"}}, False),
        ({"seed": 1}, False),
        ({"folds": {"seed": 1}}, False),
        ({"optim": {"lr": 0.1}}, False),
        ({"augment": {"extra": ["ToGray"]}}, False),
    ],
)
def test_the_digest_tells_runs_apart(change: dict[str, Any], same: bool) -> None:
    assert (Config.model_validate(change).digest() == Config().digest()) is same


def test_the_digest_is_the_same_however_a_number_is_written() -> None:
    assert Config.model_validate({"optim": {"lr": 1}}).digest() == Config.model_validate({"optim": {"lr": 1.0}}).digest()
    assert len(Config().digest()) == 6
    assert not math.isnan(int(Config().digest(), 16))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("45", 45), ("", math.inf)])
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert Config.model_validate({"optim": {"budget": text}}).optim.budget == text


@pytest.mark.parametrize("text", ["soon", "m", "-5m", "0", "1d", "infs"])
def test_a_time_that_is_none_is_a_clear_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        train_config(["--budget", text])
    assert left.value.code == 2
    assert "a time like 90s, 20m or 8.5h is needed" in " ".join(capsys.readouterr().err.replace("\u2502", "").split())


def test_what_a_budget_chose_is_no_part_of_the_name() -> None:
    asked = Config.model_validate({"optim": {"budget": "5m"}})
    planned = {"planned": ["data.size_px", "optim.epochs"], "budget": "5m", "epochs": 12}
    chose = Config.model_validate({"optim": planned, "data": {"size_px": 96}})
    other = Config.model_validate({"optim": planned | {"epochs": 40}, "data": {"size_px": 64}})
    assert asked.digest() == chose.digest() == other.digest()
    asked_for = Config.model_validate({"optim": planned | {"planned": ["optim.epochs"]}, "data": {"size_px": 64}})
    assert asked_for.digest() != chose.digest(), "a size that was asked for is"
    assert Config.model_validate({"optim": {"budget": "6m"}}).digest() != asked.digest()


@pytest.mark.parametrize("source", ["comp", "./comp/", "comp/../comp", "ABSOLUTE"])
def test_a_source_may_be_written_in_other_ways(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml("competition.toml", '[competition]\nsource = "comp/"\nmetric = "f1"')
    asked = str(tmp_path / "comp") if source == "ABSOLUTE" else source
    assert competition_config(asked).metric == train_config(["--competition", asked]).competition.metric == "f1"
    assert capsys.readouterr().err == ""


def test_a_directory_called_as_a_known_competition_is_another(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    toml("competition.toml", '[competition]\nsource = "./digits"\nmetric = "f1_macro"')
    assert competition_config("digits").metric == "auto"
    assert competition_config("a\0b").metric == "auto"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metric": "nonsense"}, "unknown metric 'nonsense'"),
        ({"metric": "rmse"}, "metric 'rmse' does not fit a multiclass task"),
        ({"task": "regression", "labels": "x.csv"}, "digits is known by name, 'task', 'labels' cannot be set for it: leave that out"),
    ],
)
def test_what_the_embedded_competition_cannot_be_is_told(asked: dict[str, str], told: str) -> None:
    with pytest.raises(CompetitionError, match=told):
        load(CompetitionConfig.model_validate(asked))
    assert load(CompetitionConfig(metric="f1_macro", task="multiclass", answer="label")).metric == "f1_macro"
