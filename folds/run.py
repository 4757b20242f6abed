"""Run: names, and writes atomically, the files of a run directory.

runs/COMPETITION/NAME-HEX/  config.toml environment.json images.txt folds.csv oof.parquet scores.json report.html
              test.parquet test.json    once predicted
              fold0/        model.safetensors model.json history.csv oof.parquet exhibits.npz resume/ done.json (last: it means complete)
              full/         the same, of all rows
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from competition.atomic import replacing, write_json, write_text
from competition.config import Config, MachineConfig
from competition.contest import Competition
from competition.errors import examples
from competition.metrics import METRICS
from competition.settings import read_recipe, validated, write_toml
from competition.stop import WAIT
from competition.tables import check_table
from competition.task import Task
from folds.errors import FoldError
from folds.groups import groups_of
from folds.kept import NUMBER, read_object, read_rows

FULL = 10_000  # the number of the model of all rows, beside those of the folds
AGAIN = "delete the fold's directory to train it again"


@dataclass(frozen=True)
class Run:
    """A run directory that is there and has its config and folds."""

    directory: Path
    config: Config

    @property
    def name(self) -> str:
        return self.directory.name

    def fold_directory(self, fold: int) -> Path:
        return self.directory / ("full" if fold == FULL else f"fold{fold}")

    def is_finished(self, fold: int) -> bool:
        """Whether its done.json is there."""
        return (self.fold_directory(fold) / "done.json").is_file()

    def finished_folds(self) -> list[int]:
        """The folds that are, without the one of all rows."""
        return [fold for fold in range(self.config.folds.count) if self.is_finished(fold)]

    def members(self, which: str) -> list[Path]:
        """The directories of its finished models: of the "folds", of the "full" one, or "both".

        Raises: FoldError where one that is asked for is not there.
        """
        if which != "folds" and not self.is_finished(FULL):
            raise FoldError(
                f"{self.directory}: no model of all rows: python train.py --recipe {self.directory / 'config.toml'} --fold full"
            )
        folds = [] if which == "full" else self.finished_folds()
        return [self.fold_directory(fold) for fold in [*folds, *([FULL] if which != "folds" else [])]]

    def config_of_full(self) -> Config:
        """How the model of all rows is fitted: as the folds were, without a fold to choose by, for the epochs that they taught.

        Raises: FoldError where a fold is not finished, or none tells which epoch was its best.
        """
        if missing := [fold for fold in range(self.config.folds.count) if not self.is_finished(fold)]:
            raise FoldError(f"--fold full: the folds come first, and {examples(missing)} of {self.directory} are not finished: --fold all")
        optim = self.config.optim
        if optim.schedule == "plateau":
            raise FoldError("--fold full: the schedule `plateau` follows a held-out loss, and nothing is held out here")
        if optim.keep != "best" or optim.method != "train":
            return self.config
        metric = self.config.competition.metric
        told = (self.history(fold) for fold in self.finished_folds())
        histories = [known for rows in told if len(known := rows.dropna(subset=[metric]))]  # an AUC of rows of one class is not defined
        if not histories:
            raise FoldError(f"--fold full: no fold of {self.directory} has an epoch whose {metric} is defined: --optim.keep last")
        best = [int(rows.sort_values(metric, ascending=not METRICS[metric].greater_is_better)["epoch"].iloc[0]) for rows in histories]
        taught = optim.model_copy(update={"keep": "last", "epochs": max(1, round(float(np.median(best))))})
        return self.config.model_copy(update={"optim": taught})

    def done(self, fold: int) -> dict[str, Any]:
        """What a finished fold says of itself: seconds, score, weights kept."""
        kinds = {"seconds": NUMBER, "weights_kept": str, "git": str, "finished": str}
        return read_object(self.fold_directory(fold) / "done.json", kinds, AGAIN)

    def history(self, fold: int) -> pd.DataFrame:
        """An epoch a row; NaN where it was not measured."""
        numbers = dict.fromkeys(("seconds", "lr", "train_loss", "held_out_loss", self.config.competition.metric), float)
        path = self.fold_directory(fold) / "history.csv"
        rows = read_rows(path, {"epoch": "int64", **numbers}, AGAIN)
        if rows.empty:
            raise FoldError(f"{path}: is damaged (it has no epoch); {AGAIN}")
        return rows

    def fold_of(self) -> pd.Series:
        """fold_of[id], as folds.csv has it."""
        return self._rows()["fold"]

    def groups_of(self, ids: pd.Index) -> np.ndarray | None:
        """The groups that the folds kept together, row by row with the ids; None where rows stand alone."""
        rows = self._rows()
        return rows["group"].loc[ids].to_numpy() if "group" in rows else None

    def _rows(self) -> pd.DataFrame:
        path = self.directory / "folds.csv"
        rows = read_rows(path, {"id": str, "fold": "int64"}, self._anew, line_end="\n").set_index("id")  # ids may hold "\r"
        if not rows.index.is_unique:
            raise FoldError(f"{path}: is damaged (ids repeat: {examples(rows.index[rows.index.duplicated()])}); {self._anew}")
        return rows

    @property
    def _anew(self) -> str:
        made = f"python train.py --recipe {self.directory / 'config.toml'}"
        return f"delete {self.directory / 'environment.json'}, and {made} writes both anew (the folds of the same data are the same)"

    @contextmanager
    def training(self, fold: int) -> Iterator[Path]:
        """The fold's directory, held by this process alone.

        Raises: FoldError where another process is training this fold.
        """
        directory = self.fold_directory(fold)
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / ".lock")
        try:
            with lock.acquire(timeout=float(os.environ.get(WAIT, "0"))):
                yield directory
        except Timeout:
            raise FoldError(
                f"{directory}: another process is training this fold; wait for it, or ask for other folds with --fold"
            ) from None

    def finish(self, fold: int, table: pd.DataFrame, score: float, seconds: float, weights_kept: str) -> None:
        """Writes the fold's oof.parquet (id, fold, a column a class), then done.json, and clears the state it was resumed from."""
        write_table(self.fold_directory(fold) / "oof.parquet", table, fold)
        facts = {"fold": fold, "score": score, "seconds": seconds, "weights_kept": weights_kept, "git": git_commit()}
        write_json(self.fold_directory(fold) / "done.json", {**facts, "finished": datetime.now(UTC).isoformat(timespec="seconds")})
        shutil.rmtree(self.fold_directory(fold) / "resume", ignore_errors=True)

    def oof(self, task: Task) -> pd.DataFrame:
        """The held-out probabilities of all finished folds; its index is the id."""
        classes = list(task.classes)
        parts = [
            read_table(self.fold_directory(fold) / "oof.parquet").drop(columns="fold", errors="ignore") for fold in self.finished_folds()
        ]
        table = pd.concat(parts) if parts else pd.DataFrame(columns=classes, dtype=np.float32)
        if len(lost := table.index[~table.index.isin(self.fold_of().index)]):
            raise FoldError(
                f"{self.directory / 'folds.csv'}: is damaged ({len(lost):,} rows that were held out are not in it: {examples(lost)}); "
                f"{self._anew}"
            )
        return check_table(table, task, f"{self.directory}: out-of-fold predictions")

    def write_test(self, table: pd.DataFrame, views: tuple[str, ...], members: str = "folds") -> None:
        """Writes test.parquet (id, a column a class), and test.json: the folds, members and views that it is the mean of."""
        write_table(self.directory / "test.parquet", table)
        write_json(self.directory / "test.json", {"folds": self.finished_folds(), "members": members, "views": views})

    def test(self, task: Task) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The table of the test images, and its views.

        Raises: FoldError where it was not predicted yet, or by fewer folds than are finished now.
        """
        again = f"python predict.py {self.directory} makes it"
        if not (self.directory / "test.json").is_file():
            raise FoldError(f"{self.directory}: its test images are not predicted yet: {again}")
        facts = read_object(self.directory / "test.json", {"folds": list, "views": list}, again)
        if facts["folds"] != self.finished_folds():
            made = f"by folds {facts['folds']}, finished are now {self.finished_folds()}"
            raise FoldError(f"{self.directory}: its test images were predicted {made}: {again}")
        table = read_table(self.directory / "test.parquet")
        return check_table(table, task, f"{self.directory}: test predictions"), tuple(facts["views"])


def open_run(config: Config, contest: Competition, fold_of: pd.Series) -> Run:
    """The run of this config: made where it is not there yet, else checked to be about the same rows.

    Raises: FoldError where the directory is about other data than there is now, or a class is called as a column of its tables is.
    """
    if taken := {"id", "fold"} & set(contest.task.classes):
        raise FoldError(
            f"{contest.source}: a class cannot be called {examples(sorted(taken))}, which out-of-fold tables keep for themselves"
        )
    directory = config.run_directory(contest.name)
    data = hashlib.sha256(
        pd.util.hash_pandas_object(pd.DataFrame(contest.truth, index=contest.train["id"])).to_numpy().tobytes()
    ).hexdigest()
    if (directory / "environment.json").is_file():
        run = Run(directory, config)
        if read_object(directory / "environment.json", {"data": str}, run._anew)["data"] != data:
            raise FoldError(
                f"{directory}: ids or labels of {contest.source} are not those that this run began with; give the new run another --name"
            )
        if (moved := fold_of.index[run.fold_of().reindex(fold_of.index) != fold_of]).size:
            raise FoldError(
                f"{directory}: the folds are not those that this run began with (groups have changed?), {len(moved):,} rows would move: "
                f"{examples(moved)}; give the new run another --name"
            )
        if read_run(directory).config != config.model_copy(update={"machine": MachineConfig()}):  # data or weights lie elsewhere now
            write_toml(directory / "config.toml", config)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        write_toml(directory / "config.toml", config)
        write_folds(directory / "folds.csv", fold_of, groups_of(contest, config.folds)[0])
        write_json(directory / "environment.json", {"data": data, **environment()})
    return Run(directory, config)


def read_run(directory: Path) -> Run:
    """A run by its directory.

    Raises: FoldError where it is none.
    """
    if not (directory / "config.toml").is_file():
        raise FoldError(f"{directory}: is no run (it has no config.toml)")
    return Run(directory, validated(Config, read_recipe(str(directory / "config.toml")), str(directory / "config.toml")))


def read_runs(directories: Iterable[Path]) -> list[Run]:
    """Several runs by their directories, in this order; what is blended is told apart by its run's name.

    Raises: FoldError where one is none, or two have one name: that is one run, trained in two places.
    """
    found: dict[str, Run] = {}
    for run in map(read_run, directories):
        other = found.setdefault(run.name, run)
        if other is run:
            continue
        if other.directory.resolve() == run.directory.resolve():
            raise FoldError(f"{run.directory}: is named twice; name it once")
        further = [str(run.fold_directory(fold)) for fold in run.finished_folds() if not other.is_finished(fold)]
        remedy = (
            f"{shlex.join(['cp', '-r', *further, str(other.directory)])}, and name that"
            if further
            else f"{other.directory} has them all: name that"
        )
        raise FoldError(
            f"{other.directory} and {run.directory} have one name, as parts of one run have: put their folds into one directory ({remedy})"
        )
    return list(found.values())


def newest_run(runs: Path, competition: str) -> list[Run]:
    """The competition's run that finished a fold last, alone in a list.

    Raises: FoldError where none has finished one.
    """
    finished = list((runs / competition).glob("*/fold*/done.json"))
    if not finished:
        raise FoldError(f"no run of {competition} in {runs} has a finished fold: python train.py --competition {competition} makes one")
    return [read_run(max(finished, key=lambda path: path.stat().st_mtime_ns).parent.parent)]


def write_folds(path: Path, fold_of: pd.Series, groups: pd.Series | None) -> None:
    """A table of id, fold and, where rows stay together, group; groups: row by row with fold_of."""
    rows = fold_of.rename_axis("id").rename("fold").reset_index()
    rows = rows if groups is None else rows.assign(group=groups.to_numpy())
    write_text(path, rows.to_csv(index=False, lineterminator="\n"))


def write_table(path: Path, table: pd.DataFrame, folds: "int | np.ndarray | None" = None) -> None:
    """A parquet of id, fold (where there are any) and one column a class."""
    whole = table.reset_index()
    if folds is not None:
        whole.insert(1, "fold", folds)
    with replacing(path) as part:
        whole.to_parquet(part, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """id as index, fold, a column a class.

    Raises: FoldError where the file is damaged.
    """
    try:
        return pd.read_parquet(path).set_index("id")
    except (OSError, ValueError, KeyError) as error:
        raise FoldError(f"{path}: cannot be read ({error}); {AGAIN}") from None


def environment() -> dict[str, Any]:
    """Python, machine, git commit and package versions, for environment.json."""
    return {
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "git": git_commit(),
        "packages": dict(sorted(_installed())),
    }


def _installed() -> Iterator[tuple[str, str]]:
    """Name and version of each package, by what its directory is called: reading the metadata of two hundred takes half a second."""
    for place in filter(os.path.isdir, sys.path):
        for directory in Path(place).glob("*.dist-info"):
            name, _, version = directory.name.removesuffix(".dist-info").partition("-")
            yield name, version


def git_commit() -> str:
    """The short hash of the code's commit, with -dirty where files differ from it; empty outside git."""
    git = shutil.which("git")
    if not git:
        return ""
    where = Path(__file__).parent
    asked = subprocess.run(
        [git, "describe", "--always", "--dirty", "--exclude", "*"], cwd=where, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""
