"""A study: which settings are best, asked of a grid or of Optuna. Its trials are ordinary runs, and the same command goes on with it.

name = "rates"                                       # study.toml
trials = 20                                          # sampler = "tpe" | "random" | "grid", fold = "all", prune = true, recipe = "strong"
[base.optim]                                         # what all trials share, as in a recipe
epochs = 5
[keys]                                               # what they try
"optim.lr" = {low = 1e-4, high = 1e-2, log = true}
"model.backbone" = ["small/resnet9-8", "small/resnet9-16"]
"""

import json
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pydantic
import tomli_w
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from competition.atomic import write_bytes, write_text
from competition.config import Config, Count, MachineConfig, Section
from competition.console import say, table
from competition.errors import choose, examples
from competition.figures import BLUE, GREY, write_png
from competition.load import load
from competition.machines import Lanes, Process, Tail, ending, hosts_of, shared_out, start
from competition.metrics import METRICS
from competition.settings import COMPETITION_FILE, merged, read_recipe, validated, with_competition_file
from competition.stop import StopRequest
from models.device import device_of
from models.errors import ModelError

TRAIN = Path(__file__).parent.parent / "train.py"
STUDIES = Path(__file__).parent / "studies"
DONE = "next: python predict.py "  # what train.py ends with, and the run
FIRST_UNPRUNED = 4
STOPPED = (130, 143)
LONGEST_LINE = 26  # letters below the axis of one key


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
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**31)] = 0
    fold: str = "all"
    prune: bool = True
    """Whether a trial whose first fold is below the median of the others' is given up."""
    recipe: str = ""
    """What competition.toml and then `base` are put on top of: a name from competition/recipes, or a TOML file."""
    base: dict[str, Any] = pydantic.Field(default_factory=dict)
    keys: dict[str, list[str | int | float | bool] | Range] = pydantic.Field(min_length=1)


def study_file(named: str) -> Path:
    """The file behind a study's path, or its name among those of models/studies.

    Raises: CompetitionError for a name that is none of these.
    """
    if named.endswith(".toml") or Path(named).is_file():
        return Path(named)
    known = {path.relative_to(STUDIES).with_suffix("").as_posix(): path for path in STUDIES.rglob("*.toml")}
    return known[choose("study", named, known)]


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
    study = study.model_copy(update={"base": _standing_alone(study, str(path))})
    for key, values in study.keys.items():
        if isinstance(values, Range) and study.sampler == "grid":
            raise ModelError(f"{path}: a grid needs a list of values for {key!r}, not a range")
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            validated(Config, _tree(study, {key: value}), f"{path}, {key} = {value!r}")
    return study


def _standing_alone(study: Study, where: str) -> dict[str, Any]:
    """What all trials share: recipe < competition.toml < base. It names its competition, so that train.py puts competition.toml on top of
    no trial: what that says would else hide what the trial tries.
    """
    validated(Config, study.base, f"{where}, [base]")
    tree = read_recipe(study.recipe) if study.recipe else {}
    if "source" not in study.base.get("competition", {}):
        tree = with_competition_file(tree)
        validated(Config, tree, str(COMPETITION_FILE))
    tree = merged(tree, study.base)
    return merged({"competition": {"source": Config().competition.source}}, tree)


@dataclass
class Step:
    """A part of a trial that is under way: train.py for the folds of its step, the first of which may end the trial."""

    trial: Any
    step: int
    process: Process
    said: Tail
    run: Path | None = None
    """The run's directory, once train.py has come to its end."""


def run_study(study: Study) -> int:
    """The exit code, after the trials are run and told of: a table, trials.csv and a picture in RUNS/COMPETITION/studies/NAME.

    Raises: ModelError where optuna is missing, or a trial fails by its settings before any was finished.
    """
    try:
        import optuna
    except ImportError:
        raise ModelError("a study needs a further package: pip install 'podium[studies]'") from None

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config = validated(Config, study.base, "[base]")
    machine, contest = config.machine, load(config.competition)
    directory = machine.runs / contest.name / "studies" / study.name
    directory.mkdir(parents=True, exist_ok=True)
    held = _opened(study, directory, "maximize" if METRICS[contest.metric].greater_is_better else "minimize", machine.engine == "ray")
    if code := _run_trials(study, held, directory, machine, contest.metric):
        say("stopped; the same command goes on from here")
        return code
    _tell(held, directory, contest.metric, list(study.keys))
    return 0


def _opened(study: Study, directory: Path, direction: Literal["maximize", "minimize"], several: bool) -> Any:
    """Optuna's study, new or as it was left; `several` trials at once are not to be all alike."""
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    startup, journal = min(10, max(2, study.trials // 3)), directory / "journal.log"
    _cut_short(journal)
    held = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
        study_name=study.name,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_UNPRUNED),
        direction=direction,
        load_if_exists=True,
    )
    spaces, before = _spaces(study), [trial.distributions for trial in held.trials if trial.distributions]
    if wrong := {key for known in before for key in known.keys() ^ spaces.keys()} | {
        key for known in before for key in known.keys() & spaces.keys() if not _goes_with(known[key], spaces[key])
    }:
        raise ModelError(f"{directory}: has trials in which {examples(sorted(wrong))} had other values: give the new study another `name`")
    seed = study.seed + len(held.trials)  # the same one again would propose what it has proposed before
    held.sampler = (
        optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=several)
        if study.sampler == "tpe"
        else optuna.samplers.RandomSampler(seed)
    )
    for left in held.get_trials(states=(TrialState.RUNNING,)):  # an earlier try of this command was stopped or killed in it
        held.tell(left.number, state=TrialState.FAIL)
        held.enqueue_trial(left.params)
    return held


def _cut_short(journal: Path) -> None:
    """Takes off what a full disk or a kill left of a last line: the next one would be added to it, and neither could be read."""
    if journal.is_file() and not (whole := journal.read_bytes()).endswith(b"\n"):
        write_bytes(journal, whole[: whole.rfind(b"\n") + 1])


def _left(study: Study, held: Any) -> int:
    """How many trials are still to be begun; those of a grid are in the queue."""
    known = [trial for trial in held.trials if _ended(trial) or trial.state.name == "WAITING"]
    tried = [trial.params or trial.system_attrs.get("fixed_params") for trial in known]
    cells = list(product(*study.keys.values())) if study.sampler == "grid" else []
    for params in (dict(zip(study.keys, cell, strict=True)) for cell in cells):
        if params not in tried:
            held.enqueue_trial(params)
    trials = min(study.trials, len(cells)) if cells else study.trials
    return trials - sum(_ended(trial) for trial in held.trials)


def _ended(trial: Any) -> bool:
    """Whether a trial came to something; one that a stop ended did not."""
    return trial.state.name in ("COMPLETE", "PRUNED") or "exit_code" in trial.user_attrs


def _run_trials(study: Study, held: Any, directory: Path, machine: MachineConfig, metric: str) -> int:
    """The exit code of a stop, or 0 after all trials. As many are under way as there are lanes; a stop reaches them, and they save their
    state."""
    left, running, code, halted = _left(study, held), list[Step](), 0, False
    if left <= 0:
        return 0
    lanes, flags = trial_lanes(study, machine, left)
    stop = StopRequest()

    def begin(trial: Any, step: int) -> None:
        recipe, log = directory / f"trial{trial.number}.toml", directory / f"trial{trial.number}.log"
        words = ["--recipe", str(recipe), "--name", study.name, "--fold", _steps(study)[step], *flags]
        said = Tail(log)
        running.append(Step(trial, step, start(machine, TRAIN, words, log, {}, lanes), said))

    with ending(running):
        while running or (left > 0 and not code):
            code = code or (stop.exit_code if stop() else 0)
            if code and not halted:
                halted = True
                for one in running:
                    one.process.terminate()
            while left > 0 and not code and len(running) < lanes.now(left + len(running)):
                trial, left = held.ask(_spaces(study)), left - 1
                say(f"{study.name}  trial {trial.number}  {_said(trial.params)}")
                write_text(directory / f"trial{trial.number}.toml", tomli_w.dumps(_tree(study, trial.params)))
                begin(trial, 0)
            for one in list(running):
                ended = one.process.poll()
                _relay(one)
                if ended is None:
                    continue
                running.remove(one)
                if ended and code:  # the stop ended it, perhaps before it could listen: it is begun again by the same command
                    continue
                if ended in STOPPED:
                    code = ended
                elif _goes_on(study, held, one, ended, metric) and not code:
                    begin(one.trial, one.step + 1)
            time.sleep(0.1)
    return code


def trial_lanes(study: Study, machine: MachineConfig, trials: int) -> tuple[Lanes, list[str]]:
    """How many trials are under way at once, and what train.py is told of it: as many as a cluster has GPUs, or else cores, for.

    On this machine a core each, or as many as were asked for, where a trial is one fold and does not ask what came of the one before it;
    else one, which has the machine to itself.
    """
    if machine.engine == "local" and (study.sampler == "tpe" or not study.fold.isdecimal() or device_of(machine).type != "cpu"):
        return Lanes(1, 1), []
    hosts = hosts_of(machine)
    on_gpu = machine.device != "cpu" and any(host.gpus for host in hosts)
    lanes = shared_out(hosts, trials, machine, machine.parallel_folds, 1 if on_gpu else 0)
    return lanes, ["--machine.engine", "local", "--machine.parallel-folds", "1", "--machine.threads", str(lanes.threads)]


def _steps(study: Study) -> list[str]:
    """The folds that a trial trains, one step after another: a poor first one may end it."""
    first = "0" if study.fold == "all" else study.fold.split(",")[0]
    return [first, study.fold] if study.prune and first != study.fold else [study.fold]


def _relay(one: Step) -> None:
    """What train.py says of its folds is passed on, and its run is remembered."""
    for line in one.said():
        if "  epoch " in line or line.startswith("error: "):
            say(f"trial {one.trial.number}  {line}")
        one.run = Path(line.removeprefix(DONE).strip()) if line.startswith(DONE) else one.run


def _goes_on(study: Study, held: Any, one: Step, code: int, metric: str) -> bool:
    """Whether a trial has another step after this one. Else the study is told what it came to.

    Raises: ModelError where it failed, and none was finished.
    """
    from optuna.trial import TrialState

    trial, steps = one.trial, _steps(study)
    if code or one.run is None:
        trial.set_user_attr("exit_code", code or 1)
        held.tell(trial, state=TrialState.FAIL)
        if not held.get_trials(states=(TrialState.COMPLETE,)):
            raise ModelError(f"trial {trial.number} failed (exit code {code or 1}), and none before it was finished; see above")
        return False
    score = json.loads((one.run / "scores.json").read_text(encoding="utf-8"))["mean"]
    trial.set_user_attr("run", str(one.run))
    trial.report(score, one.step)
    whole = one.step + 1 == len(steps)
    if not whole and not trial.should_prune():
        return True
    held.tell(trial, score if whole else None, state=TrialState.COMPLETE if whole else TrialState.PRUNED)
    say(f"{study.name}  trial {trial.number}  {metric} {score:.5f}" + ("" if whole else ", given up"))
    return False


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


def _spaces(study: Study) -> dict[str, Any]:
    """What Optuna chooses each key from."""
    from optuna import distributions

    spaces: dict[str, Any] = {}
    for key, values in study.keys.items():
        if isinstance(values, list):
            spaces[key] = distributions.CategoricalDistribution(values)
        else:
            whole = isinstance(values.low, int) and isinstance(values.high, int)
            kind: Any = distributions.IntDistribution if whole else distributions.FloatDistribution
            spaces[key] = kind(values.low, values.high, log=values.log)
    return spaces


def _goes_with(before: Any, now: Any) -> bool:
    """Whether Optuna may choose from the one after the other: of a list the same, of numbers others too."""
    return before == now if hasattr(now, "choices") else type(before) is type(now) and before.log == now.log


def _said(params: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in params.items())


def _tell(held: Any, directory: Path, metric: str, keys: list[str]) -> None:
    """The table, trials.csv and study.png: each key against the score, and how much it mattered."""
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
    trials = pd.DataFrame(rows, columns=[metric, "state", *keys, "run"])
    write_text(directory / "trials.csv", trials.to_csv(index=False, lineterminator="\n"))
    matters = _what_mattered(held)
    if matters:
        say("what mattered: " + ", ".join(f"{key} {share:.0%}" for key, share in matters.items()))
    figure = Figure(figsize=(1 + 3 * len(keys), 3.4), layout="constrained")
    every = figure.subplots(1, len(keys), sharey=True, squeeze=False)[0]
    for axes, key in zip(every, keys, strict=True):
        _plot(axes, held.trials[0].distributions[key], done, key, score)
        axes.set_xlabel(key + (f"\n{matters[key]:.0%} of what mattered" if key in matters else ""))
    every[0].set_ylabel(f"{metric} (bars: means" + ("; grey: cut short)" if len(whole) < len(done) else ")"))
    write_png(directory / "study.png", figure)
    say(f"{directory}: trials.csv and study.png")


def _what_mattered(held: Any) -> dict[str, float]:
    """Each key's share of the variance of the scores; none of few trials, or of equal ones.

    By functional ANOVA (Hutter, Hoos and Leyton-Brown 2014). Optuna's own choice, PED-ANOVA, asks what tells the best tenth from
    the rest: of a small grid that is one trial or two.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    scores = [trial.value for trial in held.trials if trial.state.name == "COMPLETE"]
    if len(scores) < FIRST_UNPRUNED or len(set(scores)) == 1:
        return {}
    return get_param_importances(held, evaluator=FanovaImportanceEvaluator(seed=0))


def _plot(axes: Axes, space: Any, done: Sequence[Any], key: str, score: dict[int, float]) -> None:
    """The scores over the key's values; of a list in the list's order, with the mean of each value."""
    choices = getattr(space, "choices", None)
    values = np.array([choices.index(trial.params[key]) if choices else trial.params[key] for trial in done])
    scores = np.array([score[trial.number] for trial in done])
    whole = np.array([trial.state.name == "COMPLETE" for trial in done])
    axes.scatter(values, scores, c=np.where(whole, BLUE, GREY), alpha=0.8, zorder=2)
    axes.grid(alpha=0.3)
    if choices:
        for place in np.unique(values[whole]):
            axes.hlines(scores[whole & (values == place)].mean(), place - 0.3, place + 0.3, color=BLUE)
        names = [str(choice) for choice in choices]
        turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(names)), names, **(turned if len("  ".join(names)) > LONGEST_LINE else {}))
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif space.log:
        axes.set_xscale("log")
