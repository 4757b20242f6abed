"""Image files that are odd or damaged: one of them is the first training picture. What its pixels are, or what is said of it."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

RAMP = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)  # H x W
COLOUR = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)
GREY = RAMP[..., None]
Wanted = np.ndarray | str


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npy_of(header: str) -> bytes:
    """An array file of such a header and no values."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, data: bytes = b"", kind: int = 0) -> bytes:
    """A PNG that says it has such sides, with whatever data."""
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def turned(pixels: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(pixels, "PNG", exif=exif)


def with_palette() -> Image.Image:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    image.putpalette(COLOUR.reshape(-1, 3).tobytes())
    return image


def see_through() -> np.ndarray:
    """RGBA: black, the left half clear."""
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, 3:, 3] = 255
    return pixels


def on_white() -> np.ndarray:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :3] = 255
    return pixels


def tall_jpeg() -> bytes:
    """A JPEG that says it has 65,500 x 65,500 pixels."""
    content = bytearray(encoded(COLOUR, "JPEG"))
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", 65_500, 65_500)
    return bytes(content)


WHOLE = encoded(COLOUR, "PNG")
JPEG = encoded(np.full((64, 64, 3), 99, np.uint8), "JPEG")
FLAT = np.full((4, 6, 3), 120, np.uint8)
SAID = r"1 of 9 images cannot be used; .*id 'a0', train/a0\.\w+: image 'train/a0\.\w+': "

IMAGES: dict[str, tuple[str, Callable[[], bytes], Wanted]] = {  # ending, file, pixels or the message
    "RGB": ("png", lambda: WHOLE, COLOUR),
    "grey": ("png", lambda: encoded(RAMP, "PNG"), GREY),
    "16 bits": ("png", lambda: cv2.imencode(".png", RAMP.astype(np.uint16) * 256 + 77)[1].tobytes(), GREY),
    "16 bits in colour": ("png", lambda: cv2.imencode(".png", COLOUR[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), COLOUR),
    "1 bit": ("png", lambda: encoded(Image.fromarray(RAMP > 100), "PNG"), np.where(GREY > 100, 255, 0).astype(np.uint8)),
    "a palette": ("png", lambda: encoded(with_palette(), "PNG"), COLOUR),
    "alpha": ("png", lambda: encoded(see_through(), "PNG"), on_white()),
    "grey and alpha": ("png", lambda: encoded(np.stack([RAMP, np.full_like(RAMP, 255)], axis=2), "PNG"), GREY),
    "interlaced": ("png", lambda: cv2.imencode(".png", RAMP)[1].tobytes(), GREY),
    "turned on its side": ("png", lambda: turned(np.ascontiguousarray(np.rot90(COLOUR)), 6), COLOUR),
    "upside down": ("png", lambda: turned(np.ascontiguousarray(np.rot90(COLOUR, 2)), 3), COLOUR),
    "an EXIF that is none": ("png", lambda: encoded(COLOUR, "PNG", exif=b"Exif\0\0nonsense"), COLOUR),
    "1 px": ("png", lambda: encoded(np.full((1, 1, 3), 7, np.uint8), "PNG"), np.full((1, 1, 3), 7, np.uint8)),
    "1 px high": ("png", lambda: encoded(COLOUR[:1], "PNG"), COLOUR[:1]),
    "1 px wide": ("png", lambda: encoded(np.ascontiguousarray(COLOUR[:, :1]), "PNG"), COLOUR[:, :1]),
    "very wide": ("png", lambda: encoded(np.full((1, 9000), 9, np.uint8), "PNG"), np.full((1, 9000, 1), 9, np.uint8)),
    "animated GIF": (
        "gif",
        lambda: encoded(with_palette(), "GIF", save_all=True, append_images=[Image.new("RGB", (6, 4), "red").quantize(2)]),
        COLOUR,
    ),
    "animated PNG": ("png", lambda: encoded(Image.fromarray(COLOUR), "PNG", save_all=True, append_images=[Image.fromarray(FLAT)]), COLOUR),
    "animated WebP": (
        "webp",
        lambda: encoded(Image.fromarray(COLOUR), "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(FLAT)]),
        COLOUR,
    ),
    "TIFF of two pages": (
        "tif",
        lambda: encoded(Image.fromarray(COLOUR), "TIFF", save_all=True, append_images=[Image.fromarray(FLAT)]),
        COLOUR,
    ),
    "TIFF of 16 bits": ("tif", lambda: encoded(RAMP.astype(np.uint16) * 256, "TIFF"), GREY),
    "TIFF of fractions": ("tif", lambda: encoded(RAMP.astype(np.float32) / 255, "TIFF"), GREY),
    "CMYK TIFF": ("tif", lambda: encoded(Image.new("CMYK", (6, 4), (0, 0, 0, 135)), "TIFF"), FLAT),
    "CMYK JPEG": ("jpg", lambda: encoded(Image.new("CMYK", (6, 4), (0, 0, 0, 135)), "JPEG", quality=100), FLAT),
    "BMP": ("bmp", lambda: encoded(COLOUR, "BMP"), COLOUR),
    "PGM of 16 bits": ("pgm", lambda: b"P5\n6 4\n65535\n" + (RAMP * np.uint16(256) + 77).astype(">u2").tobytes(), GREY),
    "PGM with a maximum of its own": ("pgm", lambda: b"P5\n6 4\n32767\n" + (RAMP * np.uint16(128) + 64).astype(">u2").tobytes(), GREY),
    "PPM": ("ppm", lambda: encoded(COLOUR, "PPM"), COLOUR),
    "PNG called jpg": ("jpg", lambda: WHOLE, COLOUR),
    "GIF called png": ("png", lambda: encoded(with_palette(), "GIF"), COLOUR),
    "BMP called jpeg": ("jpeg", lambda: encoded(COLOUR, "BMP"), COLOUR),
    "array of 3 channels": ("npy", lambda: array(COLOUR), COLOUR),
    "array, channels first": ("npy", lambda: array(COLOUR.transpose(2, 0, 1)), COLOUR),
    "array of fractions": ("npy", lambda: array(RAMP.astype(np.float64) / 255), GREY),
    "array of true and false": ("npy", lambda: array(RAMP > 100), np.where(GREY > 100, 255, 0).astype(np.uint8)),
    "something behind a PNG": ("png", lambda: WHOLE + b"more", COLOUR),
    # damaged
    "empty": ("png", lambda: b"", "the file is empty"),
    "a text": ("png", lambda: b"hello", r"this is no image \(5 bytes, begins with b'hello'\)"),
    "a page": ("jpg", lambda: b"<html>404</html>", r"this is no image \(16 bytes, begins with b'<html>40'\)"),
    "a pointer of Git LFS": (
        "png",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
        "a Git LFS pointer to an image",
    ),
    "zeros": ("png", lambda: bytes(2000), r"this is no image \(2,000 bytes"),
    "PNG cut in half": ("png", lambda: WHOLE[: len(WHOLE) // 2], "the PNG is cut"),
    "PNG without its end": ("png", lambda: WHOLE[:-12], "the PNG is cut, its end is missing"),
    "PNG with another byte": (
        "png",
        lambda: WHOLE[:50] + bytes([WHOLE[50] ^ 1]) + WHOLE[51:],
        "the PNG is damaged, a checksum does not fit",
    ),
    "PNG of an end alone": ("png", lambda: WHOLE[:8] + chunk(b"IEND", b""), "the PNG is damaged, it does not begin with its size"),
    "PNG without pixels": ("png", lambda: png(6, 4), "the image is cut or damaged"),
    "PNG of no width": ("png", lambda: png(0, 4), "this is no image"),
    "JPEG cut in half": ("jpg", lambda: JPEG[: len(JPEG) // 2], "the image is cut or damaged"),
    "JPEG of two bytes": ("jpg", lambda: JPEG[:2], "this is no image"),
    "JPEG whose end is zeros": ("jpg", lambda: JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "the image is cut or damaged"),
    "GIF cut in half": ("gif", lambda: encoded(with_palette(), "GIF")[:60], "the image is cut or damaged|this is no image"),
    "TIFF cut in half": ("tif", lambda: encoded(COLOUR, "TIFF")[:60], "the image is cut or damaged|this is no image"),
    "WebP cut in half": ("webp", lambda: encoded(COLOUR, "WEBP", lossless=True)[:40], "the image is cut or damaged|this is no image"),
    "BMP cut in half": ("bmp", lambda: encoded(COLOUR, "BMP")[:70], "the image is cut or damaged"),
    "a PNG that says it is huge": ("png", lambda: png(60_000, 60_000), "the image is too large"),
    "a PNG beyond all numbers": ("png", lambda: png(2**31 - 1, 2**31 - 1), "the image is too large"),
    "a JPEG that says it is huge": ("jpg", tall_jpeg, "the image is cut or damaged: 65,500 x 65,500 px do not fit into"),
    "array that is cut": ("npy", lambda: array(COLOUR)[:-9], "the array cannot be read|the array is cut"),
    "array of four axes": ("npy", lambda: array(COLOUR[None]), "an image has two or three axes, this array is 1 x 4 x 6 x 3"),
    "array of nothing": ("npy", lambda: array(np.zeros((0, 6), np.uint8)), "this array is 0 x 6"),
    "array of NaN": ("npy", lambda: array(np.full((4, 6), np.nan)), "24 of 24 values are NaN or infinite"),
    "array of words": ("npy", lambda: array(np.array([["a", "b"]])), "an array of <U1 is no image"),
    "array of objects": (
        "npy",
        lambda: npy_of("{'descr': '|O', 'fortran_order': False, 'shape': (4, 6), }"),
        "it holds Python objects|the array is cut",
    ),
    "array of a million times a million": (
        "npy",
        lambda: npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"),
        r"the array is cut: 1000000 x 1000000 values do not fit into \d+ bytes",
    ),
    "array without a header": ("npy", lambda: b"\x93NUMPY\1\0\x10\0{'descr': (((((", "the array cannot be read"),
}
