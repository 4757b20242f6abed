"""An image file's bytes -> uint8 H x W x C, C of 1 (grey) or 3 (RGB), or of any number for arrays; the same for every lossless form.

What has no one right answer is settled so: turned as its EXIF orientation says; transparent parts lie on white; of 16 bits the
high 8 stay; a palette of greys is grey; a GIF gives its first frame, a TIFF its first page. A file that is cut or damaged is an error.

cv2 is used where it is fast and right (8-bit JPEG and PNG, grey or colour), Pillow for the rest.
"""

import io
import math
import re
import struct
import warnings
import zlib
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from competition import arrays
from competition.dicom import dicom_shape, is_dicom, read_dicom
from competition.errors import CompetitionError
from competition.spans import is_bomb

if TYPE_CHECKING:
    from PIL import Image

JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
LFS = b"version https://git-lfs"
TIFF = (b"II*\0", b"MM\0*")
END_OF_JPEG, END_OF_PNG = b"\xff\xd9", b"IEND\xaeB`\x82"
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MOST_PX_A_BYTE = 1024  # of a JPEG: a block of 64 takes a bit at the least
PNG_GREY, PNG_RGB = 0, 2
PNG_HEADER_BYTES = 33
FRACTION_BYTES = 4
MOST_INFLATED = 1032  # bytes of one that deflate has packed
PILLOWS_WARNINGS = ("ignore", None, Warning, re.compile("PIL"), 0)  # as the list of filters has it
# What Pillow may read, by whatever ending. It would read forty kinds, and start Ghostscript for one of them (EPS).
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000", *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()))
PILLOWS_BYTES = {"P": 3, "I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # of a value, by mode; a palette's become RGB
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")


class Shape(NamedTuple):
    height: int
    width: int
    channels: int


def decode(content: bytes, key: str, at_least: int | None = None) -> np.ndarray:
    """uint8 H x W x C. at_least: a JPEG may come at a half, a quarter or an eighth of its size, its sides not below so many px.

    Raises: CompetitionError that names the key and what is wrong with the file.
    """
    if not content:
        raise _bad(key, "the file is empty")
    if content[:2] == JPEG:
        return _decode_jpeg(content, key, at_least)
    if content[:8] == PNG:
        return _decode_png(content, key)
    if content[:6] == arrays.MARK:
        return arrays.read_npy(content, key)
    if is_dicom(content):
        return read_dicom(content, key)
    return _decode_by_pillow(content, key)


def shape_of(head: bytes) -> Shape | None:
    """Height, width and channels from the first bytes of a file, before any turn; None where they do not tell."""
    if head[:2] == JPEG:
        return _jpeg_shape(head)
    if head[:8] == PNG and len(head) >= 29:
        width, height, _, colour = struct.unpack(">IIBB", head[16:26])
        if colour in (0, 4):
            return Shape(height, width, 1)
        if colour == PNG_RGB or colour == 6:
            return Shape(height, width, 3)
    if head[:6] == arrays.MARK:
        shape = arrays.npy_shape(head)
        return Shape(*shape) if shape else None
    if is_dicom(head):
        shape = dicom_shape(head)
        return Shape(*shape) if shape else None
    from PIL import UnidentifiedImageError

    try:
        with opened(head) as image:
            if image.mode == "P" and not is_bomb(image.width * image.height, len(head)):
                image.load()  # which colours of a palette are used, the pixels tell
            grey = image.mode in ("1", "L", "LA", "F", "I", *SIXTEEN_BITS) or (image.mode == "P" and _grey_palette(image))
            return Shape(image.height, image.width, 1 if grey else 3)
    except UnidentifiedImageError:
        return _tiff_shape(head) if head[:4] in TIFF else None
    except Exception:  # Pillow raises whatever comes on damaged bytes
        return None


def no_image(content: bytes) -> str:
    """What is to be said of a file that is none."""
    return "a Git LFS pointer to an image: `git lfs pull` brings the image itself" if content.startswith(LFS) else "this is no image"


def _decode_jpeg(content: bytes, key: str, at_least: int | None) -> np.ndarray:
    import cv2

    if content[-2:] != END_OF_JPEG and content.rstrip(b"\0\r\n ")[-2:] != END_OF_JPEG:
        # cv2 fills what is missing with grey and says nothing; Pillow tells a cut file from one with something after its end.
        return _decode_by_pillow(content, key)
    shape = _jpeg_shape(content)
    if shape is None or shape.channels == 4:
        return _decode_by_pillow(content, key)
    if shape.height * shape.width > MOST_PX_A_BYTE * len(content):
        what = f"{shape.width:,} x {shape.height:,} px do not fit into {len(content):,} bytes"
        raise _bad(key, f"the image is cut or damaged: {what}")
    _check_size(shape, 1, content, key)
    reduced = {
        8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
        4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
        2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
    }
    fits = [flags for times, flags in reduced.items() if at_least and min(shape.height, shape.width) >= times * at_least]
    grey, colour = fits[0] if fits else (cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR_RGB)
    pixels = _by_cv2(content, grey if shape.channels == 1 else colour)
    if pixels is None:
        return _decode_by_pillow(content, key)
    if pixels.ndim == 2:
        return pixels[..., None]
    return pixels if colour == cv2.IMREAD_COLOR_RGB else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _by_cv2(content: bytes, flags: int) -> np.ndarray | None:
    """What cv2 makes of an image file; None where it cannot, or the image has more pixels than it allows."""
    import cv2

    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _decode_png(content: bytes, key: str) -> np.ndarray:
    import cv2

    kinds = _png_chunks(content, key)
    if content[12:16] != b"IHDR" or len(content) < PNG_HEADER_BYTES:
        raise _bad(key, "the PNG is damaged, it does not begin with its size")
    depth, colour = content[24], content[25]
    if depth != 8 or colour not in (PNG_GREY, PNG_RGB) or kinds & {b"tRNS", b"eXIf", b"acTL"}:
        return _decode_by_pillow(content, key)
    flag = cv2.IMREAD_GRAYSCALE if colour == PNG_GREY else cv2.IMREAD_COLOR_RGB
    width, height = struct.unpack(">II", content[16:24])
    shape = Shape(height, width, 1 if colour == PNG_GREY else 3)
    if math.prod(shape) > MOST_INFLATED * len(content):
        raise _bad(key, f"the image is too large: {width:,} x {height:,} px do not fit into {len(content):,} bytes")
    _check_size(shape, 1, content, key)
    pixels = _by_cv2(content, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        return _decode_by_pillow(content, key)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _check_size(shape: Shape, value_bytes: int, content: bytes, key: str) -> None:
    """Raises: CompetitionError where the pixels, of so many bytes a value, are a bomb."""
    if is_bomb(math.prod(shape) * value_bytes, len(content)):
        what = f"{len(content):,} bytes would become {shape.width:,} x {shape.height:,} px, as no picture does"
        raise _bad(key, f"the image is too large: {what}; where it is meant so, save it smaller")


def _png_chunks(content: bytes, key: str) -> set[bytes]:
    """The kinds of chunks in a PNG, once it is sure that it is whole and each checksum fits."""
    place, kinds = 8, set()
    while b"IEND" not in kinds:
        if place + 12 > len(content):
            raise _bad(key, "the PNG is cut, its end is missing")
        length = int.from_bytes(content[place : place + 4], "big")
        body = content[place + 4 : place + 8 + length]
        if zlib.crc32(body) != int.from_bytes(content[place + 8 + length : place + 12 + length], "big"):
            raise _bad(key, "the PNG is cut" if place + 12 + length > len(content) else "the PNG is damaged, a checksum does not fit")
        kinds.add(body[:4])
        place += 12 + length
    return kinds


def _jpeg_shape(content: bytes) -> Shape | None:
    place = 2
    while place + 10 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return Shape(height, width, content[place + 9])
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _decode_by_pillow(content: bytes, key: str) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with opened(content) as image:
            _check_size(Shape(image.height, image.width, len(image.getbands())), PILLOWS_BYTES.get(image.mode, 1), content, key)
            image.load()
            if image.format == "PPM" and image.mode == "I":  # 16 bits: Pillow makes the maximum that the file names 65,535
                return arrays.as_image(np.asarray(image).astype(np.uint16), key)
            with suppress(Exception):  # an EXIF that is none tells of no turn, and the pixels are whole
                image = ImageOps.exif_transpose(image)
            return _eight_bits(image, key)
    except CompetitionError:
        raise
    except Image.UnidentifiedImageError:
        if content[:4] in TIFF and (pixels := _decode_tiff_by_cv2(content, key)) is not None:
            return arrays.as_image(pixels, key)
        raise _bad(key, f"{no_image(content)} ({len(content):,} bytes, begins with {content[:8]!r})") from None
    except Exception as error:  # Pillow raises whatever comes on damaged bytes
        raise _bad(key, f"the image is cut or damaged ({error})") from None


def opened(content: bytes) -> "Image.Image":
    """An image file of one of the FORMATS as Pillow has it, not decoded yet.

    Raises: whatever comes on damaged bytes.
    """
    from PIL import Image

    # Pillow warns of what is odd in a file; what is wrong is an error anyway. (catch_warnings is not for threads.)
    if PILLOWS_WARNINGS not in warnings.filters:
        warnings.filterwarnings("ignore", module="PIL")
    Image.MAX_IMAGE_PIXELS = None  # what is no bomb is looked at by _check_size, whatever its size: scans have billions of pixels
    return Image.open(io.BytesIO(content), formats=FORMATS)


def _tiff_shape(content: bytes) -> Shape | None:
    """That of a TIFF that Pillow does not read; None where its first list of tags is not there."""
    from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, SAMPLESPERPIXEL, ImageFileDirectory_v2

    try:
        tags, file = ImageFileDirectory_v2(content[:8]), io.BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return Shape(int(tags[IMAGELENGTH]), int(tags[IMAGEWIDTH]), int(tags.get(SAMPLESPERPIXEL, 1)))
    except Exception:  # Pillow raises whatever comes on damaged bytes
        return None


def _decode_tiff_by_cv2(content: bytes, key: str) -> np.ndarray | None:
    """RGB in the file's own type: fractions in several channels, which Pillow does not read."""
    import cv2

    if (shape := _tiff_shape(content)) is not None:
        _check_size(shape, FRACTION_BYTES, content, key)
    pixels = _by_cv2(content, cv2.IMREAD_UNCHANGED)
    if pixels is not None and pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        return pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]  # cv2 has blue first
    return pixels


def _eight_bits(image: "Image.Image", key: str) -> np.ndarray:
    from PIL import Image

    if image.mode in SIXTEEN_BITS:
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[..., None]
    if image.mode in ("I", "F"):
        return arrays.as_image(np.asarray(image), key)
    grey = image.mode in ("1", "L", "LA", "La") or (image.mode == "P" and _grey_palette(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode == "P":
        image = image.convert("RGB")
    pixels = np.asarray(image.convert("L") if grey and image.mode in ("1", "L") else image.convert("RGB"))
    if pixels.ndim == 2:
        return pixels[..., None]
    return pixels[..., :1] if grey else pixels


def _grey_palette(image: "Image.Image") -> bool:
    """Whether all colours of a palette that the (loaded) picture uses are grey."""
    palette = np.frombuffer(image.palette.tobytes(), np.uint8) if image.palette and image.palette.mode == "RGB" else None
    if palette is None:
        return False
    colours = palette[: len(palette) // 3 * 3].reshape(-1, 3)
    colours = colours[[place for place, count in enumerate(image.histogram()[: len(colours)]) if count]]
    return bool((colours[:, 0] == colours[:, 1]).all() and (colours[:, 1] == colours[:, 2]).all())


def _bad(key: str, what: str) -> CompetitionError:
    return CompetitionError(f"image {key!r}: {what}")
