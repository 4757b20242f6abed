"""Competitions that ask for something else than one answer an image: masks, boxes, confidences, or one answer for several images."""

import re
from collections.abc import Iterable, Sequence

from competition.config import CompetitionConfig
from competition.errors import CompetitionError, examples
from competition.image_index import ImageIndex

PLACES = frozenset(
    ["encodedpixels", "rle", "rlemask", "pixels", "mask", "segmentation", "multipolygonwkt", "predictionstring", "bbox", "boxes"]
)
NAME_AND_CONFIDENCE = re.compile(r"[^\s.]+ \d*\.\d+")
MANY_AN_ID = 3  # image names that are shown


def refuse_places(where: str, columns: Iterable[str], ask: CompetitionConfig) -> None:
    """Nothing, where the columns ask for labels or numbers.

    Raises: CompetitionError where one asks for places in images, and no other was asked for.
    """
    places = [name for name in columns if re.sub(r"[^a-z]", "", name.lower()) in PLACES]
    if places and not ask.target_columns:
        raise CompetitionError(
            f"{where}: {examples(places)} asks for places in images (masks or boxes); this is made for classes and numbers of whole "
            "images. Where a table has such a column too, name it by --competition.target-columns, and a sample by --competition.sample"
        )


def refuse_confidences(where: str, cells: Iterable[str], ask: CompetitionConfig) -> None:
    """Nothing, where cells are answers alone.

    Raises: CompetitionError where each cell of a sample submission is a name and a number behind it, and no answer was asked for.
    """
    filled = [cell for cell in cells if cell]
    if ask.answer == "auto" and filled and all(map(NAME_AND_CONFIDENCE.fullmatch, filled)):
        raise CompetitionError(
            f"{where}: cells such as {filled[0]!r} are a label and how sure it is, which is no format that is written here: "
            "--competition.answer label writes the label alone"
        )


def many_an_id(ids: Sequence[str], index: ImageIndex) -> str:
    """A sentence about ids that mean several images each (a folder, or names that begin so), with an example; empty where they do not."""
    for identifier in [value.strip() for value in ids[:2]]:
        if not identifier:
            continue
        begins = re.compile(rf"(^|/){re.escape(identifier)}(/|[_-][^/]*$)")
        if len(found := [path for group in index.groups.values() if not group.beside for path in group.paths if begins.search(path)]) > 1:
            return (
                f" {identifier!r} is {len(found):,} images ({examples(found, MANY_AN_ID)}): an id that means several images is not "
                "understood; make a copy with one image an id (put side by side, or the best one), or name a column of files by "
                "--competition.id-column"
            )
    return ""
