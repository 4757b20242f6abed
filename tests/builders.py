"""Small competitions made by hand, for any test that needs one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from competition.contest import Answer, Competition, SubmissionFormat
from competition.images import ArrayImages
from competition.tables import as_table
from competition.task import Kind, Task

CLASSES: dict[Kind, tuple[str, ...]] = {
    "binary": ("0", "1"),
    "multiclass": ("cat", "dog", "new whale"),
    "ordinal": ("0", "1", "2", "3", "10"),
    "multilabel": ("rust", "scab", "12", "7"),
    "regression": ("pawpularity",),
}
ANSWERS: dict[Kind, Answer] = {
    "binary": "probability",
    "multiclass": "probabilities",
    "ordinal": "label",
    "multilabel": "labels",
    "regression": "number",
}
METRICS: dict[Kind, str] = {"binary": "roc_auc", "multiclass": "log_loss", "ordinal": "qwk", "multilabel": "f1_micro", "regression": "rmse"}


def make_competition(
    kind: Kind = "multiclass",
    rows: int = 6,
    answer: Answer | None = None,
    metric: str | None = None,
    classes: tuple[str, ...] | None = None,
    train_rows: int = 40,
    seed: int = 0,
    ids: Sequence[str] | None = None,
    **submission: Any,
) -> Competition:
    """A competition of `rows` test images and the sample submission that its answer asks for; ids: else "00000", "00001", ...

    submission: fields of SubmissionFormat that should be otherwise than usual.
    """
    usual = CLASSES[kind]
    if answer == "ranked":  # its names are separated by spaces
        usual = tuple(name.replace(" ", "_") for name in usual)
    task = Task(kind, classes or usual)
    generator = np.random.default_rng(seed)
    answer = answer or ANSWERS[kind]
    columns = task.classes if answer == "probabilities" else ("target",)
    ids = [f"{place:05d}" for place in range(rows)] if ids is None else list(ids)
    test = pd.DataFrame({"id": ids, "image": [f"test/{place}.png" for place in range(len(ids))]}, dtype="str")
    train = pd.DataFrame(
        {"id": [f"t{place}" for place in range(train_rows)], "image": [f"train/{place}.png" for place in range(train_rows)]}, dtype="str"
    )
    keys = [*train["image"], *test["image"]]
    sample = pd.DataFrame({"id": ids, **{column: ["0"] * len(ids) for column in columns}}, dtype="str")
    return Competition(
        name=f"small-{kind}",
        source="tests",
        train=train,
        truth=make_truth(task, train_rows, generator),
        test=test,
        images=ArrayImages(keys, generator.integers(0, 256, size=(len(keys), 8, 8, 3), dtype=np.uint8)),
        task=task,
        metric=metric or METRICS[kind],
        submission=replace(SubmissionFormat(answer, sample, "id", columns), **submission),
    )


def make_truth(task: Task, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Random truth, float32 N x K; each class holds at least once where there are rows enough."""
    count = len(task.classes)
    if task.kind == "regression":
        return generator.uniform(1, 100, size=(rows, count)).astype(np.float32)
    one = np.eye(count, dtype=np.float32)[generator.permutation(np.arange(rows) % count)]
    return one if task.one_of_many else np.maximum(one, generator.random((rows, count)) < 0.3).astype(np.float32)


def make_probs(task: Task, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Random predictions, float32 N x K, fit for a table."""
    if task.kind == "regression":
        return generator.uniform(1, 100, size=(rows, len(task.classes))).astype(np.float32)
    raw = generator.random((rows, len(task.classes))) ** 2 + 1e-3
    return (raw / raw.sum(axis=1, keepdims=True) if task.one_of_many else np.minimum(raw, 1)).astype(np.float32)


def make_table(competition: Competition, seed: int = 0) -> pd.DataFrame:
    """A table of random predictions for the competition's test images."""
    ids = competition.test["id"].tolist()
    return as_table(ids, make_probs(competition.task, len(ids), np.random.default_rng(seed)), competition.task)
