"""Runs with made predictions, written by the functions that training uses: as a report finds them, without a second of training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from competition.atomic import replacing
from competition.config import Config
from competition.contest import Competition
from competition.images import ArrayImages
from competition.notable import notable
from competition.tables import as_table
from competition.task import KINDS, Kind
from folds.run import Run, open_run
from folds.scores import gather
from folds.split import assign_folds
from tests.builders import make_competition, make_probs

ALL_KINDS = (*KINDS, "ranking")
SIDE = 24


def made_competition(kind: str, rows: int = 120, classes: tuple[str, ...] | None = None, metric: str | None = None) -> Competition:
    """A competition of a kind of task, or of a ranking; its images are smooth and brighter towards the first class."""
    if kind == "ranking":
        names = classes or tuple(f"whale{place:02d}" for place in range(12))
        contest = make_competition("multiclass", answer="ranked", metric="map5", classes=names, train_rows=rows)
    else:
        usual: dict[str, Kind] = {name: name for name in KINDS}
        contest = make_competition(usual[kind], classes=classes, train_rows=rows, metric=metric)
    keys = [*contest.train["image"], *contest.test["image"]]
    waves = np.sin(
        np.arange(len(keys))[:, None, None] / 7
        + np.arange(SIDE)[:, None] / 4
        + np.arange(SIDE) / (3 + np.arange(len(keys))[:, None, None] % 5)
    )
    grey = np.clip(127 + 100 * waves, 0, 255).astype(np.uint8)
    return replace(contest, images=ArrayImages(keys, np.stack([grey, np.roll(grey, 3, axis=1), grey // 2], axis=3)))


def made_probs(contest: Competition, seed: int = 0, skill: float | None = None) -> np.ndarray:
    """Predictions, N x K, between chance (0) and the truth (1); without skill some of them are wrong."""
    skill = (0.35 if len(contest.task.classes) < 10 else 0.1) if skill is None else skill
    noise = make_probs(contest.task, len(contest.train), np.random.default_rng(seed + 1))
    mixed = skill * contest.truth + (1 - skill) * noise
    return (mixed / mixed.sum(axis=1, keepdims=True) if contest.task.one_of_many else mixed).astype(np.float32)


def made_run(
    runs: Path,
    contest: Competition,
    name: str = "run",
    folds: tuple[int, ...] = (0, 1, 2),
    probs: np.ndarray | None = None,
    history: bool = True,
    exhibits: bool = True,
    **sections: object,
) -> Run:
    """A run of three folds of which `folds` are finished, gathered as train.py does it. sections: of its Config."""
    machine = {"runs": runs, "cache": runs.parent / "cache"}
    resolved = {"optim": {"lr": 0.01, "epochs": 5, "batch": 32, "loss": "cross_entropy"}, "data": {"size_px": SIDE, "channels": 3}}
    tree = {
        "name": name,
        "machine": machine,
        "folds": {"count": 3, "scheme": "plain"},
        "model": {"backbone": "small/resnet9-8"},
        **resolved,
    }
    config = Config.model_validate(
        tree | {"competition": {"slug": contest.name, "source": contest.source, "metric": contest.metric}} | sections
    )
    run = open_run(config, contest, assign_folds(contest, config.folds))
    found = made_probs(contest) if probs is None else probs
    for fold in folds:
        held = np.flatnonzero((run.fold_of() == fold).to_numpy())
        directory = run.fold_directory(fold)
        directory.mkdir(parents=True, exist_ok=True)
        if history:
            write_history(directory, contest.metric, fold)
        if exhibits:
            write_exhibits(directory, contest, held, found)
        run.finish(fold, as_table(contest.train["id"].iloc[held].tolist(), found[held], contest.task), 0.5, 12.5, "last")
    if folds:
        gather(run, contest)
    return run


def write_history(directory: Path, metric: str, fold: int, epochs: int = 5) -> None:
    rows = [
        {
            "epoch": epoch,
            "seconds": 2.0 * epoch,
            "lr": 0.01 / epoch,
            "train_loss": 1 / epoch,
            "held_out_loss": (1.1 + 0.1 * fold) / epoch,
            metric: 1 - 1 / (1 + epoch + fold / 2),
        }
        for epoch in range(1, epochs + 1)
    ]
    table = pd.DataFrame(rows)
    table.loc[1, ["held_out_loss", metric]] = np.nan  # an epoch that was not measured
    table.to_csv(directory / "history.csv", index=False)


def write_exhibits(directory: Path, contest: Competition, held: np.ndarray, probs: np.ndarray) -> None:
    """As a fold's network would leave them."""
    places = notable(contest.truth[held], probs[held], contest.task)
    rows = held[np.unique(np.concatenate(list(places.values())))]
    images = np.stack([contest.images.read(key) for key in contest.train["image"].iloc[rows]])
    down = np.linspace(0, 255, 6).astype(np.uint8)
    generator = np.random.default_rng(0)
    arrays = {
        "seen": images[:6, ::-1],
        "seen_labels": np.array([f"label {place}" for place in range(len(images[:6]))]),
        "filters": generator.integers(0, 256, (8, 3, 3, 3), dtype=np.uint8),
        "cam_ids": np.array(contest.train["id"].iloc[rows].tolist()),
        "cam_images": images,
        "cams": np.tile(np.minimum(down[:, None], down), (len(images), 1, 1)),
    }
    with replacing(directory / "exhibits.npz") as part, part.open("wb") as file:
        np.savez(file, **arrays)
