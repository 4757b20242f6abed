"""Competitions that ask for something else than one answer an image: masks, boxes, confidences, sentences, several images an id."""

import re
from collections.abc import Collection, Iterable, Sequence

from competition.config import CompetitionConfig
from competition.errors import CompetitionError, examples
from competition.image_index import ImageIndex

PLACES = frozenset(
    ["encodedpixels", "rle", "rlemask", "pixels", "mask", "segmentation", "multipolygonwkt", "predictionstring", "bbox", "boxes"]
)
NAME_AND_CONFIDENCE = re.compile(r"[^\s.]+ \d*\.\d+")
MANY_AN_ID = 3  # image names that are shown
BOXES = frozenset(["xmin", "ymin", "xmax", "ymax", "bbox", "bboxx", "bboxy", "box"])
WORDS_OF_SENTENCES = 5  # on average: names of classes are shorter


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


def refuse_sentences(where: str, column: str, labels: Sequence[str], rows: int) -> None:
    """Nothing, where labels are classes.

    Raises: CompetitionError where most rows have a sentence of their own, as captions are.
    """
    if len(labels) * 2 > rows and sum(len(label.split()) for label in labels) >= WORDS_OF_SENTENCES * len(labels):
        raise CompetitionError(
            f"{where}: {column!r} holds {len(labels):,} different sentences in {rows:,} rows, such as {labels[0]!r}: "
            "captions and answers in words are not what this is made for. Where another column holds classes, name it by "
            "--competition.target-columns"
        )


def boxes_beside(columns: Iterable[str]) -> str:
    """A sentence about columns of boxes; empty where there are none."""
    boxes = [name for name in columns if re.sub(r"[^a-z]", "", name.lower()) in BOXES]
    return f" Its columns {examples(boxes)} are of boxes: places in images are not what this is made for" if boxes else ""


def more_than_an_image(ids: Sequence[str], index: ImageIndex) -> str:
    """A sentence about ids that are an image's name and more (a class, another image); empty where they are not."""
    for identifier in [value.strip() for value in ids[:2]]:
        for cut in re.finditer(r"[_\-/ ]", identifier):
            begin, rest = identifier[: cut.start()], identifier[cut.end() :]
            if rest and index.has(begin):
                return (
                    f" {identifier!r} is the image {begin!r} and {rest!r}: a row for each class, or for two images, is not understood; "
                    "make a table with one row an image and a column for each answer"
                )
    return ""


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


def no_images(paths: Sequence[str], where: str, unread: Collection[str]) -> CompetitionError:
    """The error for a competition without an image, with what is there instead; unread: why tables could not be read."""
    kinds: dict[str, int] = {}
    for path in paths:
        kind = path[path.rfind(".") :].lower() if "." in path else "no ending"
        kinds[kind] = kinds.get(kind, 0) + 1
    shown = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5])
    what = f"there are {len(paths):,} files ({shown})" if paths else "there are no files"
    hints = [hint for kind, hint in HINTS.items() if kind in kinds]
    hint = hints[0] if hints else "image files in folders or archives are looked for, or CSVs with a column a pixel"
    told = f". Not read: {examples(unread)}" if unread else ""
    return CompetitionError(f"{where}: no images and no table with pixel columns: {what}; {hint}{told}")


_RECORDS = "images have to be taken out of these files and written as JPEG or PNG first"
HINTS = {
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".m4a"), "sounds are not read: write their spectrograms as PNG first"),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), "videos are not read: write frames of them as JPEG first"),
    ".npy": "arrays of images are read where their names say what they are: X_train.npy, y_train.npy and X_test.npy, one of each",
    **dict.fromkeys((".tfrec", ".tfrecord", ".tfrecords", ".bson", ".hdf5", ".h5", ".pkl", ".parquet", ".nii"), _RECORDS),
}
