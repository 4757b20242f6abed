"""A competition laid out as Kaggle mounts it, with another number of test images than here: hidden tests have others too.

Files are linked or unpacked as they lie; tables that list the test lose the rows of the images that are left out.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.files import Files
from competition.load import load

TABLES = (".csv",)


def lay_out(contest: Competition, directory: Path, share: float = 0.5) -> int:
    """How many test images the competition in `directory` has: about `share` of those here; all of them, where it could not be varied.

    Raises: CompetitionError where a file cannot be read.
    """
    count = len(contest.test)
    kept = np.zeros(count, bool)
    kept[np.unique(np.linspace(0, count - 1, max(1, round(share * count))).astype(int))] = True
    ids = contest.test["id"].to_numpy()
    if not Path(contest.source).exists():
        _write_generic(contest, directory, kept)
        return int(kept.sum())
    for chosen in (kept, np.ones(count, bool)):
        _write_files(contest, directory, chosen)
        try:
            found = load(_question(contest, directory))
        except CompetitionError:
            continue
        if set(found.test["id"]) == set(ids[chosen]):
            return int(chosen.sum())
    raise CompetitionError(f"{contest.source}: laid out as files at Kaggle lie, it is not understood as the same competition any more")


def _question(contest: Competition, directory: Path) -> CompetitionConfig:
    asked = contest.settled or CompetitionConfig()
    return asked.model_copy(update={"source": str(directory), "slug": contest.name})


def _write_files(contest: Competition, directory: Path, kept: np.ndarray) -> None:
    files = Files(Path(contest.source))
    dropped = set(contest.test["image"].to_numpy()[~kept])
    for path in files.paths:
        place = directory / path.replace(".zip/", "/")  # what lies in an archive, Kaggle shows unpacked or not: both are read alike
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if path in dropped:
            continue
        on_disk = Path(contest.source) / path
        of_test = contest.settled is None or path != contest.settled.labels  # labels may look like ids of the test: 0 to 9
        if path.lower().endswith(TABLES) and of_test and not kept.all():
            place.write_text(_shorter(files.read(path).decode("utf-8-sig"), contest, kept), encoding="utf-8", newline="")
        elif on_disk.is_file():
            place.symlink_to(on_disk.resolve())
        else:
            with place.open("wb") as file:
                for chunk in files.chunks(path):
                    file.write(chunk)


def _shorter(text: str, contest: Competition, kept: np.ndarray) -> str:
    """A table without the rows of test images that are left out: those that name one, or that stand where one stands."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    ids = contest.test["id"].tolist()
    named = dict(zip(ids, kept.tolist(), strict=True))
    column = next((place for place in range(len(rows[0])) if _lists_test(rows, place, named)), None) if rows else None
    if column is not None:
        rows = [rows[0], *(row for row in rows[1:] if named[row[column]])]
    elif len(rows) == len(ids) + 1 and len(contest.train) != len(ids):  # pixels of test images in order, without an id
        rows = [rows[0], *(row for row, keep in zip(rows[1:], kept, strict=True) if keep)]
    else:
        return text
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _lists_test(rows: Sequence[Sequence[str]], place: int, named: dict[str, bool]) -> bool:
    return len(rows) > 1 and all(len(row) > place and row[place] in named for row in rows[1:])


def _write_generic(contest: Competition, directory: Path, kept: np.ndarray) -> None:
    """train.csv, train/, test/ and sample_submission.csv, for a competition that is known by name and has no files."""
    import cv2

    asked = contest.submission
    test = contest.test[kept]
    for part, rows in (("train", contest.train), ("test", test)):
        (directory / part).mkdir(parents=True, exist_ok=True)
        for name, image in zip(rows["id"], rows["image"], strict=True):
            cv2.imwrite(str(directory / part / f"{name}.png"), contest.images.read(image)[..., ::-1])
    contest.train.drop(columns="image").to_csv(directory / "train.csv", index=False)
    sample = asked.rows[asked.rows[asked.id_column].isin(set(test["id"]))]
    sample.to_csv(directory / "sample_submission.csv", index=False)
