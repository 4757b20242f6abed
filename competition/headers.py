"""Tables whose first line is a row already: which are so, what their columns are called, and which belong together.

train.txt:  images/1.jpg 3                                             -> image, label
images.txt: 1 001.Bird/1.jpg    and    image_class_labels.txt: 1 1     -> one table: number, image, image_class_labels
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from competition.image_index import ImageIndex
from competition.names import is_image, words
from competition.pixels import pixel_names

NUMBER, IMAGE, LABEL = "number", "image", "label"
WORDS_OF_HEADERS = frozenset(  # a cell of nothing else is a header's: image_id, file name
    ["id", "ids", "image", "images", "img", "name", "names", "file", "filename", "path", "filepath", "label", "labels", "class", "target"]
)
LOOKED_AT_CELLS = 5


def names_without_header(first: Sequence[str], below: Sequence[Sequence[str]], path: str, index: ImageIndex) -> list[str] | None:
    """Names for the columns of a table whose first line is data; None where it is a header. below: lines that follow."""
    cells = [cell.strip() for cell in first]
    numbers = all(map(_is_number, cells))
    text = path.lower().endswith(".txt")
    place = next((place for place, cell in enumerate(cells) if is_image(cell) or (len(cells) == 1 and "/" in cell)), None)
    if place is None and not numbers:
        place = next((place for place in range(min(len(cells), LOOKED_AT_CELLS)) if _name_images(place, [first, *below], index)), None)
    if place is not None:
        before = _numbered(NUMBER, place)
        return [*before, IMAGE, *_numbered(LABEL, len(cells) - place - 1)]
    if numbers and (text or cells != [str(number) for number in range(len(cells))]):
        if names := pixel_names(len(cells)):
            return names
    elif not (text and _is_number(cells[0])):
        return None
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return [NUMBER, *_numbered(stem, len(cells) - 1)]


def joined_by_number(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The frames; those that number the same rows as one that names images, in one folder, have become columns of that."""
    left = dict(frames)
    for path, frame in frames.items():
        if list(frame.columns[:2]) != [NUMBER, IMAGE] or not frame[NUMBER].is_unique:
            continue
        for other, beside in frames.items():
            if (
                other != path
                and other.rpartition("/")[0] == path.rpartition("/")[0]
                and list(beside.columns[:1]) == [NUMBER]
                and IMAGE not in beside.columns
                and set(beside[NUMBER]) == set(frame[NUMBER])
                and beside[NUMBER].is_unique
            ):
                left[path] = left[path].merge(beside, on=NUMBER, how="left", suffixes=("", f" of {other}"))
                left.pop(other, None)  # another list of images may have had it
    return left


def _numbered(name: str, count: int) -> list[str]:
    return [name if place == 0 else f"{name} {place + 1}" for place in range(count)]


def _name_images(place: int, rows: Sequence[Sequence[str]], index: ImageIndex) -> bool:
    """Whether the cells at a place all are called as images are, and the first row is no header: that may be called so by chance."""
    cells = [row[place].strip() for row in rows if len(row) > place]
    return len(cells) > 1 and not any(map(_is_header, rows[0])) and all(map(index.has, cells))


def _is_header(cell: str) -> bool:
    said = words(cell)
    return bool(said) and WORDS_OF_HEADERS.issuperset(said) and not any(map(str.isdigit, cell))


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit()
