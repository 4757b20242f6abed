"""Tables that are one table in parts: train_1.csv and train_2.csv, batch_1/labels.csv and batch_2/labels.csv, train.csv and val.csv."""

import re
from collections.abc import Mapping

import pandas as pd

from competition.errors import examples
from competition.names import ROLE_WORDS, WORD, role_of_file

SUBMISSION = "submission"
PARTS_OF_NAMES = frozenset(["part", "fold", "split", "batch", "chunk", "shard"])


def parts_joined(frames: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The frames with parts as one, under the path of the first; and a note on each that was joined.

    Parts have the same columns, paths that differ in numbers alone (or in train and val), and a column whose values name each row of
    all of them once: versions of one table, that name the same rows again, are no parts, nor are samples of two stages.
    """
    together: dict[tuple[str, ...], list[str]] = {}
    for path, frame in frames.items():
        together.setdefault((_called(path), *frame.columns), []).append(path)
    left, notes = dict(frames), []
    for paths in together.values():
        paths.sort(key=lambda path: role_of_file(path) == "val")  # what is for training comes first
        whole = pd.concat([frames[path] for path in paths], ignore_index=True) if len(paths) > 1 else frames[paths[0]]
        if len(paths) == 1 or SUBMISSION in paths[0].lower() or not any(name and whole[name].is_unique for name in whole.columns):
            continue
        notes.append(f"{examples(paths)} are taken together: parts of one table, of {len(whole):,} rows")
        left[paths[0]] = whole
        for path in paths[1:]:
            del left[path]
    return left, notes


def _called(path: str) -> str:
    """What parts of one table are called alike: the path without numbers, and without what says that it is for training."""
    letters = re.sub(r"\d+", "#", path.lower())
    said = [word for word in WORD.findall(letters) if word not in PARTS_OF_NAMES and ROLE_WORDS.get(word) not in ("train", "val")]
    for_training = role_of_file(path) in ("train", "val")
    return " ".join([*said, "train"]) if for_training else letters
