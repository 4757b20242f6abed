"""Whether a run's folds all see the same images: files that are changed between two commands would mix what the folds learn from."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from competition.atomic import read_array, write_text
from competition.cache import Pixels
from competition.errors import examples
from folds.run import Run

AT_ONCE = 256  # images compared


def changed_images(run: Run, ids: Iterable[str], seen: Pixels) -> str:
    """What to say where these are not the images that the run began with; empty where they are, or are those that it begins with.

    ids: of the N images seen. They are compared pixel by pixel where files have other sizes or times than then.
    """
    path = run.directory / "images.txt"
    now = Path(seen.filename).absolute()
    if not path.is_file():
        write_text(path, f"{now}\n")
        return ""
    began_with = Path(path.read_text(encoding="utf-8", errors="replace").strip())
    if began_with.name == now.name:
        return ""
    before = read_array(began_with, seen.shape, np.uint8, mapped=True)
    if before is None:
        return (
            f"image files have other sizes or times than when {run.directory} was begun; "
            f"whether their pixels changed cannot be told: {began_with} is gone"
        )
    parts = [slice(begin, begin + AT_ONCE) for begin in range(0, len(seen), AT_ONCE)]
    rows = [part.start + row for part in parts for row in np.flatnonzero((before[part] != seen[part]).any(axis=(1, 2, 3)))]
    if not rows:
        write_text(path, f"{now}\n")  # so that they need not be compared again
        return ""
    named = list(ids)
    return (
        f"{len(rows):,} of {len(seen):,} training images are not those that {run.directory} was begun with: "
        f"{examples(named[row] for row in rows)}; folds trained before have learned from the others. A new --name makes all folds alike"
    )
