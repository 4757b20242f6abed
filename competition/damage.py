"""Which image files are cut or damaged, as far as a fraction of a second allows: `inspect` tells before training does.

Sizes of all files, then whole files, evenly spread, until the time is up: their beginning, their end, checksums of zips and PNGs, and
the markers inside a JPEG. Pixels are not decoded, but for some JPEGs', at an eighth of their size.
"""

import math
import os
import re
from collections.abc import Sequence
from tempfile import TemporaryFile
from time import perf_counter
from typing import NamedTuple

from competition.decode import END_OF_JPEG, JPEG, PNG, decode, no_image, opened, shape_of
from competition.errors import CompetitionError
from competition.images import FileImages, ImageSource

SIZES_SECONDS, READ_SECONDS, DECODED_SECONDS = 0.03, 0.05, 0.05
STDERR = 2
# As libjpeg warns; not of extraneous bytes before the end, which some programs write.
PIXELS_MADE_UP = re.compile(
    rb"premature end|bad Huffman code|instead of RST|Inconsistent progression|extraneous bytes before marker 0x(?!d9)"
)
STRIDE = 997  # a prime: neighbours in a folder are looked at one after the other only where there are few
START_OF_SCAN = b"\xda"
NO_MARKER = re.compile(rb"\xff[\x02-\xbf\xf0-\xfd]")  # in the data of a scan 0xFF is followed by 0, a restart or the next segment


class Looked(NamedTuple):
    """What is wrong, a line a file; how many files' sizes were looked at, and how many files were read whole."""

    damaged: list[str]
    sizes: int
    whole: int


def look_for_damage(images: ImageSource, keys: Sequence[str]) -> Looked:
    """Damaged files among the keys; images that are no files are never damaged."""
    if not isinstance(images, FileImages):
        return Looked([], 0, 0)
    spread = [key for start in range(min(STRIDE, len(keys))) for key in keys[start::STRIDE]]
    damaged: dict[str, str] = {}
    sizes = whole = 0
    end = perf_counter() + SIZES_SECONDS
    for key in spread:
        if perf_counter() > end:
            break
        sizes += 1
        if not images.files.size(key):
            damaged[key] = f"image {key!r}: the file is empty"
    end = perf_counter() + READ_SECONDS
    for key in spread:
        if perf_counter() > end:
            break
        whole += 1
        try:
            wrong = what_is_wrong(images.files.read(key))
        except CompetitionError as error:
            damaged[key] = str(error)
            continue
        if wrong:
            damaged.setdefault(key, f"image {key!r}: {wrong}")
    damaged |= made_up(images, [key for key in spread if key not in damaged], DECODED_SECONDS)
    return Looked([damaged[key] for key in keys if key in damaged], sizes, whole)


def made_up(images: ImageSource, keys: Sequence[str], seconds: float = math.inf) -> dict[str, str]:
    """The keys of JPEGs that decode, but to pixels of which libjpeg made some up, and what is wrong with each; as far as the time goes."""
    found: dict[str, str] = {}
    if not isinstance(images, FileImages):
        return found
    end = perf_counter() + seconds
    for key in keys:
        if perf_counter() > end:
            break
        try:
            content = images.files.read(key)
            if content[:2] == JPEG and PIXELS_MADE_UP.search(_said_by_libjpeg(content, key)):
                found[key] = f"image {key!r}: the JPEG seems damaged, its data break off or do not fit: some of its pixels are made up"
        except CompetitionError as error:
            found[key] = str(error)
        except OSError:  # this process has no standard error, or nothing has room for what is said there
            break
    return found


def what_is_wrong(content: bytes) -> str:
    """What is wrong with an image file, empty where nothing is seen."""
    if not content:
        return "the file is empty"
    if shape_of(content) is None:
        return no_image(content)
    if content[:2] == JPEG:
        if END_OF_JPEG not in content[-64:] and content.rstrip(b"\0\r\n ")[-2:] != END_OF_JPEG:
            return "the JPEG is cut, its end is missing" if END_OF_JPEG not in content else ""
        return "the JPEG seems damaged, its data are broken in the middle" if _broken_scan(content) else ""
    if content[:8] == PNG:
        try:
            opened(content).verify()
        except Exception as error:  # Pillow raises whatever comes on damaged bytes
            return f"the PNG is cut or damaged ({error})"
    return ""


def _said_by_libjpeg(content: bytes, key: str) -> bytes:
    """What it warns of while it decodes a JPEG: on the process's standard error, without a name, where other words wait meanwhile.

    Raises: CompetitionError.
    """
    with TemporaryFile() as said:
        before = os.dup(STDERR)
        os.dup2(said.fileno(), STDERR)
        try:
            decode(content, key, at_least=1)
        finally:
            os.dup2(before, STDERR)
            os.close(before)
        said.seek(0)
        return said.read()


def _broken_scan(content: bytes) -> bool:
    place = 2
    while content[place : place + 1] == b"\xff" and content[place + 1 : place + 2] != START_OF_SCAN:
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    end = content.find(END_OF_JPEG, place)
    return NO_MARKER.search(content, place + 2, end if end >= 0 else len(content)) is not None
