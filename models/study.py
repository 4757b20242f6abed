"""A study: which settings are best, asked of a grid or of Optuna. Its trials are ordinary runs, and the same command goes on with it.

name = "rates"                                       # study.toml
trials = 20                                          # sampler = "tpe" | "random" | "grid", fold = "all", prune = true
[base.optim]                                         # what all trials share, as in a recipe
epochs = 5
[keys]                                               # what they try
"optim.lr" = {low = 1e-4, high = 1e-2, log = true}
"model.backbone" = ["small/resnet9-8", "small/resnet9-16"]
"""

import io
import json
import signal
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
import tomli_w
from matplotlib.figure import Figure

from competition.atomic import write_bytes, write_text
from competition.config import Config, Count, Section
from competition.console import say, table
from competition.load import load
from competition.metrics import METRICS
from competition.settings import competition_config, validated
from models.errors import ModelError

TRAIN = Path(__file__).parent.parent / "train.py"
DONE = "next: python predict.py "  # what train.py ends with, and the run
FIRST_UNPRUNED = 4
STOPPED = (130, 143)


class Range(Section):
    """Numbers from low to high, whole ones where both are."""

    low: int | float
    high: int | float
    log: bool = False


class Study(Section):
    """What study.toml says."""

    name: str = pydantic.Field(pattern=r"^[\w.-]+$")
    trials: Count = 20
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    seed: int = 0
    fold: str = "all"
    prune: bool = True
    """Whether a trial whose first fold is below the median of the others' is given up."""
    base: dict[str, Any] = pydantic.Field(default_factory=dict)
    keys: dict[str, list[str | int | float | bool] | Range] = pydantic.Field(min_length=1)


def read_study(path: Path) -> Study:
    """The study in a TOML file; every value that it may try was checked to be one that the config takes.

    Raises: ModelError where it is no TOML; CompetitionError with a line for each key that does not fit.
    """
    try:
        study = validated(Study, tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: is no TOML: {error}") from None
    for key, values in study.keys.items():
        if isinstance(values, Range) and study.sampler == "grid":
            raise ModelError(f"{path}: a grid needs a list of values for {key!r}, not a range")
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            validated(Config, _tree(study, {key: value}), f"{path}, {key} = {value!r}")
    return study


def run_study(study: Study) -> int:
    """The exit code, after the trials are run and told of: a table, trials.csv and a picture in RUNS/COMPETITION/studies/NAME.

    Raises: ModelError where optuna is missing, or a trial fails by its settings before any was finished.
    """
    try:
        import optuna
    except ImportError:
        raise ModelError("a study needs a further package: pip install 'podium[studies]'") from None
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    base = validated(Config, study.base, "[base]")
    contest = load(competition_config(study.base.get("competition", {}).get("source", "")))
    directory = base.machine.runs / contest.name / "studies" / study.name
    directory.mkdir(parents=True, exist_ok=True)
    startup = min(10, max(2, study.trials // 3))
    tpe = study.sampler == "tpe"
    sampler = optuna.samplers.TPESampler(seed=study.seed, n_startup_trials=startup) if tpe else optuna.samplers.RandomSampler(study.seed)
    held = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(directory / "journal.log"))),
        study_name=study.name,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_UNPRUNED),
        direction="maximize" if METRICS[contest.metric].greater_is_better else "minimize",
        load_if_exists=True,
    )
    for left in held.get_trials(states=(TrialState.RUNNING,)):  # an earlier try of this command was stopped or killed in it
        held.tell(left.number, state=TrialState.FAIL)
        held.enqueue_trial(left.params)
    known = [trial for trial in held.trials if _ended(trial) or trial.state == TrialState.WAITING]
    tried = [trial.params or trial.system_attrs.get("fixed_params") for trial in known]
    cells = list(product(*study.keys.values())) if study.sampler == "grid" else []  # type: ignore[arg-type]
    for params in (dict(zip(study.keys, cell, strict=True)) for cell in cells):
        if params not in tried:
            held.enqueue_trial(params)
    trials = min(study.trials, len(cells)) if cells else study.trials
    spaces = {key: _space(optuna.distributions, values) for key, values in study.keys.items()}
    while sum(_ended(trial) for trial in held.trials) < trials:
        trial = held.ask(spaces)
        say(f"{study.name}  trial {trial.number}  {_said(trial.params)}")
        recipe = directory / f"trial{trial.number}.toml"
        write_text(recipe, tomli_w.dumps(_tree(study, trial.params)))
        code, score, whole = _tried(study, recipe, trial)
        if code in STOPPED:
            say("stopped; the same command goes on from here")
            return code
        if code:
            trial.set_user_attr("exit_code", code)
            held.tell(trial, state=TrialState.FAIL)
            if not held.get_trials(states=(TrialState.COMPLETE,)):
                raise ModelError(f"trial {trial.number} failed (exit code {code}), and none before it was finished; see above")
            continue
        held.tell(trial, score if whole else None, state=TrialState.COMPLETE if whole else TrialState.PRUNED)
        say(f"{study.name}  trial {trial.number}  {contest.metric} {score:.5f}" + ("" if whole else ", given up"))
    _tell(held, directory, contest.metric, list(study.keys))
    return 0


def _ended(trial: Any) -> bool:
    """Whether a trial came to something; one that a stop ended did not."""
    return trial.state.name in ("COMPLETE", "PRUNED") or "exit_code" in trial.user_attrs


def _tried(study: Study, recipe: Path, trial: Any) -> tuple[int, float, bool]:
    """The exit code of a trial, its mean score, and whether all its folds were trained: a poor first one may end it."""
    first, rest = ("0", study.fold) if study.fold == "all" else (study.fold.split(",")[0], study.fold)
    score = float("nan")
    for step, fold in enumerate([first, rest] if study.prune and first != rest else [rest]):
        code, run = _train(recipe, study.name, fold)
        if code or run is None:
            return code or 1, score, False
        score = json.loads((run / "scores.json").read_text(encoding="utf-8"))["mean"]
        trial.set_user_attr("run", str(run))
        trial.report(score, step)
        if fold != rest and trial.should_prune():
            return 0, score, False
    return 0, score, True


def _train(recipe: Path, name: str, fold: str) -> tuple[int, Path | None]:
    """The exit code of train.py and the run's directory; what it says is passed on. A stop reaches it, and it saves its state."""
    command = [sys.executable, str(TRAIN), "--recipe", str(recipe), "--name", name, "--fold", fold]
    run = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        before = signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
        try:
            while True:
                try:
                    for line in child.stdout or ():
                        if "  epoch " in line or line.startswith("error: "):
                            say(line.rstrip("\n"))
                        run = Path(line.removeprefix(DONE).strip()) if line.startswith(DONE) else run
                    return child.wait(), run
                except KeyboardInterrupt:  # the terminal gave it to the child, too, which ends by itself
                    continue
        finally:
            signal.signal(signal.SIGTERM, before)


def _tree(study: Study, params: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a trial."""
    tree = json.loads(json.dumps(study.base))
    for key, value in params.items():
        place = tree
        *sections, last = key.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return tree


def _space(distributions: Any, values: list[Any] | Range) -> Any:
    if isinstance(values, list):
        return distributions.CategoricalDistribution(values)
    whole = isinstance(values.low, int) and isinstance(values.high, int)
    kind = distributions.IntDistribution if whole else distributions.FloatDistribution
    return kind(values.low, values.high, log=values.log)


def _said(params: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in params.items())


def _tell(held: Any, directory: Path, metric: str, keys: list[str]) -> None:
    """The table, trials.csv and study.png: each key against the score, and how much it mattered."""
    import optuna

    done = [trial for trial in held.trials if trial.state.name in ("COMPLETE", "PRUNED")]
    whole = [trial for trial in done if trial.state.name == "COMPLETE"]
    best_first = -1 if held.direction.name == "MAXIMIZE" else 1
    score = {trial.number: next(reversed(trial.intermediate_values.values())) for trial in done}
    done.sort(key=lambda trial: (trial not in whole, best_first * score[trial.number]))
    rows = [
        [f"{score[trial.number]:.5f}", trial.state.name.lower(), *(str(trial.params[key]) for key in keys), trial.user_attrs.get("run", "")]
        for trial in done
    ]
    table(f"{held.study_name}: {len(done)} trials", [metric, "", *keys, "run"], rows)
    lines = [",".join([metric, "state", *keys, "run"]), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    write_text(directory / "trials.csv", "\n".join(lines) + "\n")
    matters: dict[str, float] = {}
    if len(whole) >= FIRST_UNPRUNED and len({trial.value for trial in whole}) > 1:
        matters = optuna.importance.get_param_importances(held)
        say("what mattered: " + ", ".join(f"{key} {share:.0%}" for key, share in matters.items()))
    figure = Figure(figsize=(4 * len(keys), 3.4), layout="constrained")
    for axes, key in zip(np.atleast_1d(figure.subplots(1, len(keys), sharey=True)), keys, strict=True):
        values = [trial.params[key] for trial in done]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        shown = values if numbers else [str(value) for value in values]
        colours = ["#0072b2" if trial in whole else "#bbbbbb" for trial in done]
        axes.scatter(shown, [score[trial.number] for trial in done], c=colours)
        axes.set(xlabel=key + (f" ({matters[key]:.0%} of what mattered)" if key in matters else ""), ylabel=metric)
        if getattr(held.trials[0].distributions[key], "log", False):
            axes.set_xscale("log")
        axes.grid(alpha=0.3)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=120)
    write_bytes(directory / "study.png", written.getvalue())
    say(f"{directory}: trials.csv and study.png")
