"""scikit-learn's bundled handwritten digits as a competition: 1,797 images of 8 x 8, every fifth kept for the test.

Source: UCI, Optical Recognition of Handwritten Digits, through sklearn.datasets.load_digits. It needs no network.
"""

import numpy as np
import pandas as pd

from competition.config import CompetitionConfig
from competition.contest import Competition, Reason, SubmissionFormat
from competition.errors import CompetitionError, examples
from competition.images import ArrayImages
from competition.metrics import check_metric
from competition.task import Task

KNOWN = {"task": "multiclass", "answer": "label"}


def load(ask: CompetitionConfig) -> Competition:
    """The embedded competition: ten classes, scored by accuracy; a submission names the digit of each test image.

    Raises: CompetitionError for a metric that is none or does not fit, and for other settings: all else is known.
    """
    refused = [
        key for key, value in ask.model_dump(exclude={"source", "slug", "metric"}).items() if value not in (KNOWN.get(key), "auto", ())
    ]
    if refused:
        raise CompetitionError(f"digits is known by name, {examples(refused)} cannot be set for it: leave that out")
    from sklearn.datasets import load_digits

    flat, target = load_digits(return_X_y=True)
    pixels = np.round(np.asarray(flat).reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    ids = [f"digit{number:04d}" for number in range(len(pixels))]
    held_back = np.arange(len(pixels)) % 5 == 4
    labels = [str(label) for label in target]
    task = Task("multiclass", tuple(str(digit) for digit in range(10)))
    rows = pd.DataFrame({"id": ids, "image": ids, "label": labels})
    train, test = rows[~held_back].reset_index(drop=True), rows[held_back].reset_index(drop=True)
    return Competition(
        name="digits" if ask.slug == "auto" else ask.slug,
        source="digits",
        train=train,
        truth=task.encode(train["label"].tolist()),
        test=test[["id", "image"]],
        images=ArrayImages(ids, pixels),
        task=task,
        metric="accuracy" if ask.metric == "auto" else check_metric(ask.metric, task),
        submission=SubmissionFormat("label", pd.DataFrame({"id": test["id"], "label": "0"}), "id", ("label",)),
        reasons=(Reason("everything", "digits", "the embedded competition is known"),),
        test_truth=task.encode(test["label"].tolist()),
    )
