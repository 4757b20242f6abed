"""How ids are compared with the paths of images: by file name, stem, folder or number, exactly or nearly."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from competition.names import without_suffix

NUMBER = re.compile(r"[0-9]+")


class Spelling(NamedTuple):
    """How ids are compared with paths: by the path's last `depth` parts, with the ending or without.

    loose: capitals do not count, nor the zeros before a number, nor ".0" behind it: 12 is 00012.JPG.
    folder: the file's folder is called so, not the file. number: it is the only number in the file's name: 12 is image_0012.jpg.
    """

    depth: int
    suffixed: bool
    loose: bool = False
    folder: bool = False
    number: bool = False

    def of_path(self, path: str) -> str:
        if self.folder:
            return path.rpartition("/")[0].rpartition("/")[2]
        if self.number:
            numbers = NUMBER.findall(without_suffix(path.rpartition("/")[2]))
            return loosely(numbers[0]) if len(numbers) == 1 else ""
        name = path[path.rfind("/") + 1 :] if self.depth == 1 else "/".join(path.rsplit("/", self.depth)[-self.depth :])
        name = composed(name if self.suffixed else name[: name.rfind(".")])
        return loosely(name) if self.loose else name

    def of_paths(self, paths: Sequence[str]) -> list[str]:
        if self != Spelling(1, self.suffixed):
            return [self.of_path(path) for path in paths]
        names = [path[path.rfind("/") + 1 :] for path in paths]  # sixty thousand of them in a hundredth of a second
        names = names if self.suffixed else [name[: name.rfind(".")] for name in names]
        return names if all(map(str.isascii, names)) else list(map(composed, names))

    def of_id(self, identifier: str) -> str:
        name = composed(cleaned(identifier))
        name = "/".join(name.rsplit("/", self.depth)[-self.depth :])
        name = name if self.suffixed else without_suffix(name)
        return loosely(name) if self.loose or self.number else name

    def of_ids(self, ids: Sequence[str]) -> Sequence[str]:
        if self == Spelling(self.depth, False) and not any(
            "/" in value or "." in value or "\\" in value or not value.isascii() for value in ids
        ):
            return ids
        return [self.of_id(value) for value in ids]


BY_NUMBER = Spelling(1, False, number=True)


def cleaned(identifier: str) -> str:
    name = identifier.strip()
    if "://" in name:
        name = name.partition("://")[2].partition("?")[0]
    return name.replace("\\", "/").removeprefix("./").strip("/")


def composed(name: str) -> str:
    """Letters with their accents as one: macOS writes file names with accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def loosely(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    last = last.removesuffix(".0") if last.removesuffix(".0").isdigit() else last  # a number that was a fraction for a while
    return folder.lower() + slash + (last.lstrip("0") or "0" if last.isdigit() else last.lower())
