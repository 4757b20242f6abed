"""A run as a package for competitions that take notebooks only: a dataset with weights and wheels, and a notebook that predicts offline.

DIRECTORY/dataset/   flat, as Kaggle's client leaves folders out: files of the runs, wheels, predict.py, podium-package.json,
                     dataset-metadata.json
DIRECTORY/kernel/    predict_offline.py or .ipynb, kernel-metadata.json
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tomli_w

from competition.atomic import write_json, write_text
from competition.console import say
from competition.contest import Competition
from competition.errors import examples
from folds.run import Run
from submissions.errors import SubmissionError
from submissions.offline import MARK
from submissions.wheels import ROOT, SCRIPTS, put_wheels

Accelerator = Literal["none", "t4", "p100", "l4"]
SHAPES: dict[Accelerator, str] = {"none": "", "t4": "NvidiaTeslaT4", "p100": "NvidiaTeslaP100", "l4": "NvidiaL4"}  # Kaggle's names
SOURCE_MARK = '"@competition@"'
RUN_FILES = ("config.toml", "environment.json", "folds.csv")
MODEL_FILES = ("model.safetensors", "model.json", "oof.parquet", "done.json", "history.csv")
MOST_NAME, FEWEST_NAME = 50, 6  # characters of a dataset's name at Kaggle
HEX = 6  # digits by which runs are told apart
NOBODY = "INSERT-YOUR-NAME"


@dataclass(frozen=True)
class Packing:
    """How a package is made. user: at Kaggle. flags: of predict.py. python: of Kaggle's image. more: wheels beside LACKING."""

    user: str
    accelerator: Accelerator = "none"
    notebook: bool = False
    flags: tuple[str, ...] = ()
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """A package on disk. name: its last part at Kaggle, of the dataset and the notebook alike."""

    directory: Path
    name: str
    user: str
    competition: str

    @property
    def dataset(self) -> Path:
        return self.directory / "dataset"

    @property
    def kernel(self) -> Path:
        return self.directory / "kernel"

    @property
    def id(self) -> str:
        """USER/NAME."""
        return f"{self.user}/{self.name}"


def pack(runs: Sequence[Run], contest: Competition, directory: Path, how: Packing) -> Package:
    """The package of some runs, which replaces what an earlier call left in the directory.

    Raises: SubmissionError where a wheel cannot be had, or the directory holds something else.
    """
    if directory.exists() and any(directory.iterdir()) and not (directory / "dataset" / MARK).is_file():
        raise SubmissionError(f"{directory}: holds something that is no package; --output another directory")
    name = package_name(contest.name, [run.name for run in runs])
    package = Package(directory.with_name(f".{directory.name}.part"), name, how.user, contest.name)
    shutil.rmtree(package.directory, ignore_errors=True)
    package.dataset.mkdir(parents=True)
    package.kernel.mkdir()
    places: dict[str, str] = {}
    for run in runs:
        for path in files_of(run):
            within = f"runs/{run.name}/{path.relative_to(run.directory).as_posix()}"
            flat = within.replace("/", "--")
            shutil.copy2(path, package.dataset / flat)
            places[flat] = within
    for script in SCRIPTS:
        shutil.copy2(ROOT / script, package.dataset / script)
        places[script] = script
    wheels = put_wheels(package.dataset, how.more, how.python)
    facts = {
        "competition": contest.name,
        "runs": [f"runs/{run.name}" for run in runs],
        "flags": how.flags,
        "places": places,
        "toml": competition_toml(contest),
        "source_mark": SOURCE_MARK,
    }
    write_json(package.dataset / MARK, facts)
    write_json(package.dataset / "dataset-metadata.json", dataset_metadata(package))
    code = write_notebook(package.kernel) if how.notebook else write_script(package.kernel)
    write_json(package.kernel / "kernel-metadata.json", kernel_metadata(package, how.accelerator, code))
    shutil.rmtree(directory, ignore_errors=True)
    package.directory.rename(directory)
    package = replace(package, directory=directory)
    size = sum(path.stat().st_size for path in package.dataset.iterdir())
    say(f"{directory}: {len(runs)} run{'s' * (len(runs) > 1)}, {len(wheels)} wheels, {size / 1e6:,.0f} MB; {package.kernel / code}")
    return package


def package_name(competition: str, runs: Sequence[str]) -> str:
    """What dataset and notebook are called at Kaggle: letters, digits and hyphens, 6 to 50 of them. A long name is cut before the hex by
    which a run is known, or that of several, so that no two are called the same."""
    name = _plain(f"{competition} {' '.join(runs)}")
    if len(name) > MOST_NAME:
        end = runs[0].rpartition("-")[2] if len(runs) == 1 else hashlib.sha256(" ".join(runs).encode()).hexdigest()
        name = _plain(f"{name[: MOST_NAME - HEX - 1]} {end[:HEX]}")
    return name.ljust(FEWEST_NAME, "0")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def files_of(run: Run) -> list[Path]:
    """What predicting needs of a run: its settings, folds, and finished models.

    Raises: SubmissionError where one of them lies elsewhere.
    """
    models = [run.fold_directory(fold) for fold in run.finished_folds()]
    models += [path.parent for path in run.directory.glob("full/done.json")]
    wanted = [run.directory / name for name in RUN_FILES] + [model / name for model in models for name in MODEL_FILES]
    there, home = [path for path in wanted if path.is_file()], run.directory.resolve()
    if out := [path for path in there if not path.resolve().is_relative_to(home)]:
        raise SubmissionError(f"{run.directory}: links to files of another directory are not packed and sent: {examples(out)}")
    return there


def competition_toml(contest: Competition) -> str:
    """The question as a competition.toml, every guess written out; where the competition lies is filled in by the notebook."""
    if contest.settled is not None:
        keys = {key: value for key, value in contest.settled.model_dump(mode="json").items() if value not in ("auto", [])}
    else:
        keys = {"metric": contest.metric, "task": contest.task.kind, "answer": contest.submission.answer}
    return tomli_w.dumps({"competition": {**keys, "slug": contest.name, "source": json.loads(SOURCE_MARK)}})


def dataset_metadata(package: Package) -> dict[str, object]:
    return {"title": package.name, "id": package.id, "licenses": [{"name": "CC0-1.0"}]}


def kernel_metadata(package: Package, accelerator: Accelerator, code: str) -> dict[str, object]:
    """Internet off is written out: what is left out the client sends as true."""
    shape = {"machine_shape": SHAPES[accelerator]} if SHAPES[accelerator] else {}
    return {
        "id": package.id,
        "title": package.name,
        "code_file": code,
        "language": "python",
        "kernel_type": "notebook" if code.endswith(".ipynb") else "script",
        "is_private": True,
        "enable_gpu": accelerator != "none",
        "enable_tpu": False,
        "enable_internet": False,
        "dataset_sources": [package.id],
        "competition_sources": [package.competition],
        "kernel_sources": [],
        "model_sources": [],
        **shape,
    }


def write_script(kernel: Path) -> str:
    """The name of the script."""
    shutil.copy2(ROOT / "submissions" / "offline.py", kernel / "predict_offline.py")
    return "predict_offline.py"


def write_notebook(kernel: Path) -> str:
    """The name of the notebook: the script as its only cell."""
    source = (ROOT / "submissions" / "offline.py").read_text(encoding="utf-8")
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source.splitlines(keepends=True)}
    spec = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    write_text(
        kernel / "predict_offline.ipynb", json.dumps({"cells": [cell], "metadata": spec, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    )
    return "predict_offline.ipynb"
