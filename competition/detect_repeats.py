"""Label tables in which an image has more than one row."""

from dataclasses import replace

import numpy as np

from competition.detect_labels import Rows
from competition.detect_other import boxes_beside
from competition.detect_target import Target
from competition.errors import CompetitionError, examples
from competition.text_tables import repeated


def one_row_an_image(train: Rows, target: Target) -> tuple[Rows, Target, list[str]]:
    """The rows with each image once: equal rows are one, and rows that say different things are an error.

    Raises: CompetitionError that names the ids whose rows disagree.
    """
    if len(set(train.images)) == len(train.images):
        return train, target, []
    if target.task.kind != "multilabel" or len(target.columns) > 1:
        first: dict[str, bytes] = {}
        kept_images = [image for image, kept in zip(train.images, target.kept, strict=True) if kept]
        rows = [answer.tobytes() for answer in target.truth]
        disagree = {image: None for image, row in zip(kept_images, rows, strict=True) if first.setdefault(image, row) != row}
        if disagree:
            boxes = boxes_beside(train.frame.columns)
            id_of = dict(zip(train.images, train.ids, strict=True))
            if target.task.kind == "regression":
                remedy = "Make a copy with one row an image, with their mean, say"
            elif (marks := _marks(train, target)) and len(rows) == len(set(kept_images)) * len(target.task.classes):
                remedy = (
                    f"A row for each class, marked by {marks!r}, is not understood; write one row an image, with a column for each class"
                )
            else:
                remedy = "Is each a label of its own? Then --competition.task multilabel"
            raise CompetitionError(
                f"{train.where}: {len(disagree):,} ids are there more than once with different labels: "
                f"{examples(id_of[image] for image in disagree)}. {remedy}{boxes and '.'}{boxes}"
            )
    truth = np.zeros((len(train.images), target.truth.shape[1]), np.float32)
    truth[target.kept] = target.truth
    place_of: dict[str, int] = {}
    for place, image in enumerate(train.images):
        if not target.kept[place]:
            continue
        if image in place_of:
            truth[place_of[image]] = np.maximum(truth[place_of[image]], truth[place]) if target.task.kind == "multilabel" else truth[place]
        place_of.setdefault(image, place)
    kept = np.zeros(len(train.images), bool)
    kept[list(place_of.values())] = True
    count = len(repeated(train.images))
    return (
        train,
        replace(target, truth=truth[kept], kept=kept),
        [f"{count:,} images have more than one row in {train.where}: their rows are taken together"],
    )


def _marks(train: Rows, target: Target) -> str | None:
    """The column beside the label that says of each row whether it holds."""
    others = [name for name in train.frame.columns if name and name not in target.columns]
    return next((name for name in others if set(train.frame[name].str.strip()) <= {"0", "1", "0.0", "1.0"}), None)
