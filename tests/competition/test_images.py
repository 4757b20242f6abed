"""Images: every lossless form of a picture gives the same array, and a file that is not whole is an error."""

import io
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from competition.decode import Shape, decode, shape_of
from competition.errors import CompetitionError
from competition.files import Files
from competition.images import ArrayImages, FileImages
from competition.pixels import PixelColumns, PixelTable, pixel_span

GENERATOR = np.random.default_rng(0)
FEW_COLOURS = GENERATOR.integers(0, 256, (40, 3), dtype=np.uint8)[GENERATOR.integers(0, 40, (13, 21))]  # H x W x 3 that a palette can hold
GREY = GENERATOR.integers(0, 256, (13, 21), dtype=np.uint8)
BLACK_AND_WHITE = (GREY > 127).astype(np.uint8) * 255


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png16(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes()


def with_palette(pixels: np.ndarray) -> Image.Image:
    """The same picture with a palette: exactly, where `quantize` only comes near."""
    colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    image = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8))
    image.putpalette(colours.astype(np.uint8).tobytes())
    return image


COLOUR = Image.fromarray(FEW_COLOURS)
COLOUR_FORMS = {
    "png": encoded(COLOUR, "PNG"),
    "png of 16 bits": png16(FEW_COLOURS[..., ::-1]),
    "png with a palette": encoded(with_palette(FEW_COLOURS), "PNG"),
    "png that is opaque": encoded(COLOUR.convert("RGBA"), "PNG"),
    "bmp": encoded(COLOUR, "BMP"),
    "tiff": encoded(COLOUR, "TIFF"),
    "tiff, packed": encoded(COLOUR, "TIFF", compression="tiff_lzw"),
    "webp": encoded(COLOUR, "WEBP", lossless=True),
    "webp that is opaque": encoded(COLOUR.convert("RGBA"), "WEBP", lossless=True, exact=True),
    "gif": encoded(with_palette(FEW_COLOURS), "GIF"),
    "gif, first of two": encoded(
        with_palette(FEW_COLOURS), "GIF", save_all=True, append_images=[Image.new("RGB", COLOUR.size, "red").quantize(2)]
    ),
    "ppm": encoded(COLOUR, "PPM"),
}
GREYS = Image.fromarray(GREY)
GREY_FORMS = {
    "png": encoded(GREYS, "PNG"),
    "png of 16 bits": png16(GREY),
    "png with alpha": encoded(GREYS.convert("LA"), "PNG"),
    "png with a palette": encoded(with_palette(np.repeat(GREY[..., None], 3, axis=2)), "PNG"),
    "bmp": encoded(GREYS, "BMP"),
    "tiff": encoded(GREYS, "TIFF"),
    "tiff of 16 bits": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "gif": encoded(GREYS, "GIF"),
    "pgm": encoded(GREYS, "PPM"),
}
BINARY = Image.fromarray(BLACK_AND_WHITE)
BINARY_FORMS = {
    "png": encoded(BINARY, "PNG"),
    "png of 1 bit": encoded(BINARY.convert("1"), "PNG"),
    "tiff of 1 bit": encoded(BINARY.convert("1"), "TIFF", compression="group4"),
    "bmp of 1 bit": encoded(BINARY.convert("1"), "BMP"),
    "gif": encoded(BINARY.convert("P"), "GIF"),
}


@pytest.mark.parametrize("form", COLOUR_FORMS)
def test_forms_of_a_colour_picture_are_equal(form: str) -> None:
    np.testing.assert_array_equal(decode(COLOUR_FORMS[form], form), FEW_COLOURS)
    assert shape_of(COLOUR_FORMS[form]) == Shape(13, 21, 3)


@pytest.mark.parametrize("form", GREY_FORMS)
def test_forms_of_a_grey_picture_are_equal(form: str) -> None:
    np.testing.assert_array_equal(decode(GREY_FORMS[form], form), GREY[..., None])
    assert shape_of(GREY_FORMS[form]) == Shape(13, 21, 1)


@pytest.mark.parametrize("form", BINARY_FORMS)
def test_forms_of_a_black_and_white_picture_are_equal(form: str) -> None:
    np.testing.assert_array_equal(decode(BINARY_FORMS[form], form), BLACK_AND_WHITE[..., None])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_is_what_pillow_reads(mode: str, progressive: bool) -> None:
    smooth = Image.fromarray(np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)).convert(mode)
    content = encoded(smooth, "JPEG", quality=95, progressive=progressive)
    with Image.open(io.BytesIO(content)) as image:
        peer = np.asarray(image).reshape(48, 64, -1).astype(int)
    pixels = decode(content, "a.jpg")
    assert pixels.shape == peer.shape
    assert pixels.dtype == np.uint8
    assert abs(pixels - peer).max() <= 3
    assert shape_of(content) == Shape(*peer.shape)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("at_least", "times"), [(None, 1), (49, 1), (48, 2), (25, 2), (24, 4), (13, 4), (12, 8), (1, 8)])
def test_a_jpeg_may_come_smaller_but_not_below_what_is_asked(mode: str, at_least: int | None, times: int) -> None:
    smooth = cv2.resize(np.random.default_rng(3).integers(0, 256, (5, 6, 3), dtype=np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC)
    content = encoded(Image.fromarray(smooth).convert(mode), "JPEG", quality=95)
    whole, given = decode(content, "a.jpg"), decode(content, "a.jpg", at_least)
    assert given.shape == (96 // times, 128 // times, whole.shape[2])
    shrunk = cv2.resize(whole, given.shape[1::-1], interpolation=cv2.INTER_AREA).reshape(given.shape)
    assert np.abs(shrunk.astype(int) - given).mean() < 2, "the same picture, its colours in the same order"


def test_a_turned_jpeg_is_turned_when_it_comes_smaller(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(np.zeros((96, 128, 3), np.uint8)), "JPEG", exif=exif)
    assert decode(content, "a.jpg").shape == (128, 96, 3)
    assert decode(content, "a.jpg", 20).shape == (32, 24, 3)


def test_cmyk_jpeg_becomes_rgb() -> None:
    content = encoded(Image.new("RGB", (16, 16), (200, 30, 40)).convert("CMYK"), "JPEG", quality=100)
    assert abs(decode(content, "a.jpg").astype(int) - (200, 30, 40)).max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_respected(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner tells all eight turns apart, with the sides' lengths
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {})
    content = encoded(Image.fromarray(np.ascontiguousarray(turned)), kind, exif=exif, **options)
    pixels = decode(content, "a")
    assert pixels.shape == upright.shape
    assert abs(pixels.astype(int) - upright).mean() < 2


def test_what_is_transparent_lies_on_white() -> None:
    half = np.zeros((1, 3, 4), np.uint8)
    half[0, :, 3] = 0, 128, 255
    assert decode(encoded(Image.fromarray(half), "PNG"), "a").tolist() == [[[255] * 3, [127] * 3, [0] * 3]]
    palette = COLOUR.quantize(8)
    clear = encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert decode(clear, "a")[0, 0].tolist() == [255, 255, 255]


BIG = Image.fromarray(GENERATOR.integers(0, 256, (64, 64, 3), dtype=np.uint8))
WHOLE = {
    "jpg": encoded(BIG, "JPEG"),
    "progressive.jpg": encoded(BIG, "JPEG", progressive=True),
    "png": encoded(BIG, "PNG"),
    "palette.png": encoded(BIG.quantize(64), "PNG"),
    "bmp": encoded(BIG, "BMP"),
    "tiff": encoded(BIG, "TIFF"),
    "lzw.tiff": encoded(BIG, "TIFF", compression="tiff_lzw"),
    "webp": encoded(BIG, "WEBP", lossless=True),
    "gif": encoded(BIG.quantize(64), "GIF"),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns of what a TIFF lacks, and then raises
@pytest.mark.parametrize("share", [0.001, 0.2, 0.6, 0.95, 0.995])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_cut_file_is_noticed(kind: str, share: float) -> None:
    decode(WHOLE[kind], kind)
    cut = WHOLE[kind][: int(len(WHOLE[kind]) * share)]
    with pytest.raises(CompetitionError, match=rf"image '{kind}': .*(cut|damaged|no image|empty)"):
        decode(cut, kind)


@pytest.mark.parametrize("kind", ["png", "palette.png"])
def test_a_changed_byte_in_a_png_is_noticed(kind: str) -> None:
    content = bytearray(WHOLE[kind])
    content[len(content) // 2] ^= 255
    with pytest.raises(CompetitionError, match="a checksum does not fit"):
        decode(bytes(content), kind)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    for more in (b"\0\0\r\n", b"<!-- made by a camera -->"):
        np.testing.assert_allclose(decode(WHOLE["jpg"] + more, "a").astype(int), decode(WHOLE["jpg"], "a").astype(int), atol=3)


def test_what_is_no_image_is_named() -> None:
    with pytest.raises(CompetitionError, match=r"image 'train/1.jpg': this is no image \(15 bytes, begins with b'<html>no'\)"):
        decode(b"<html>no</html>", "train/1.jpg")
    with pytest.raises(CompetitionError, match="image 'a': the file is empty"):
        decode(b"", "a")


def test_file_images_read_and_tell_shapes_from_headers(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as file:
        file.writestr("a.png", COLOUR_FORMS["png"])
        file.writestr("b.gif", GREY_FORMS["gif"])
        file.writestr("c.jpg", WHOLE["jpg"][:-20])
        exif = Image.Exif()
        exif[0x010E] = "x" * 60_000  # more than the head that is looked at first
        file.writestr("d.jpg", encoded(COLOUR, "JPEG", exif=exif))
    images = FileImages(Files(tmp_path / "data.zip"))
    assert images.shape("a.png") == Shape(13, 21, 3)
    assert images.shape("b.gif") == Shape(13, 21, 1)
    assert images.shape("d.jpg") == Shape(13, 21, 3)
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(images.read, ["a.png"] * 50):
            np.testing.assert_array_equal(pixels, FEW_COLOURS)
    with pytest.raises(CompetitionError, match=r"image 'c.jpg': the image is cut or damaged"):
        images.read("c.jpg")
    with pytest.raises(CompetitionError, match=r"there is no file 'e.png'"):
        images.read("e.png")
    assert images.stamp(["a.png"]) != images.stamp(["b.gif"])


def test_array_images() -> None:
    pixels = GENERATOR.integers(0, 256, (3, 4, 5, 1), dtype=np.uint8)
    images = ArrayImages(["a", "b", "c"], pixels)
    np.testing.assert_array_equal(images.read("b"), pixels[1])
    assert images.shape("c") == Shape(4, 5, 1)
    changed = pixels.copy()
    changed[1] ^= 1
    other = ArrayImages(["a", "b", "c"], changed)
    assert images.stamp(["a", "c"]) == other.stamp(["a", "c"])
    assert images.stamp(["a", "b"]) != other.stamp(["a", "b"])
    with pytest.raises(CompetitionError, match="there is no image 'd'"):
        images.read("d")
    with pytest.raises(CompetitionError, match="2 keys for 3 images"):
        ArrayImages(["a", "b"], pixels)
    with pytest.raises(CompetitionError, match="keys repeat: 'a'"):
        ArrayImages(["a", "b", "a"], pixels)
    with pytest.raises(CompetitionError, match="should be uint8 N x H x W x C, they are float32 3 x 4 x 5 x 1"):
        ArrayImages(["a", "b", "c"], pixels.astype(np.float32))


def pixel_csv(path: Path, pixels: np.ndarray) -> PixelColumns:
    header = ["label", *(f"pixel{place}" for place in range(pixels[0].size))]
    lines = [",".join(header), *(",".join(["7", *map(str, image.ravel())]) for image in pixels)]
    path.write_text("\n".join(lines) + "\n")
    shape = Shape(*pixels.shape[1:])
    return PixelColumns(Files(path.parent), [PixelTable(path.name, tuple(header), 1, len(header), shape, len(pixels))])


@pytest.mark.parametrize("channels", [1, 3])
def test_pixel_columns(tmp_path: Path, channels: int) -> None:
    pixels = GENERATOR.integers(0, 256, (20, 6, 6, channels), dtype=np.uint8)
    images = pixel_csv(tmp_path / "train.csv", pixels)
    assert images.shape("train.csv#3") == Shape(6, 6, channels)
    images = pickle.loads(pickle.dumps(images))  # noqa: S301 - as a data loader's workers do
    with ThreadPoolExecutor(4) as pool:
        for row, read in enumerate(pool.map(images.read, [f"train.csv#{row}" for row in range(20)])):
            np.testing.assert_array_equal(read, pixels[row])
    for key in ("train.csv#20", "test.csv#0", "train.csv", "train.csv#x"):
        with pytest.raises(CompetitionError, match="there is no image"):
            images.read(key)
    before = images.stamp(["train.csv#0"])
    pixel_csv(tmp_path / "train.csv", pixels[:19])
    assert images.stamp(["train.csv#0"]) != before


def test_pixels_that_are_none_are_named(tmp_path: Path) -> None:
    images = pixel_csv(tmp_path / "train.csv", np.full((3, 4, 4, 1), 256, np.int64))
    with pytest.raises(CompetitionError, match=r"train.csv: pixels should be whole numbers of 0 to 255"):
        images.read("train.csv#0")


PIXEL_HEADERS = {
    "pixel0 ...": ["label", *(f"pixel{place}" for place in range(784))],
    "1x1 ...": [*(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)), "label"],
    "pixel_0 ..., id": ["id", *(f"pixel_{place}" for place in range(784))],
    "0 ... 3071": [str(place) for place in range(3072)],
}


@pytest.mark.parametrize("name", PIXEL_HEADERS)
def test_pixel_columns_are_found_by_name_and_value(name: str) -> None:
    header = PIXEL_HEADERS[name]
    span = pixel_span(header, [["9"] * len(header)])
    assert span is not None
    side = 32 if len(header) == 3072 else 28
    assert span[1] - span[0] == side * side * (3 if side == 32 else 1)
    assert span[2] == Shape(side, side, 3 if side == 32 else 1)
    assert pixel_span(header, [["0.5"] * len(header)]) is None  # features between 0 and 1
    assert pixel_span(header, [["1"] * len(header)]) is None  # yes and no
    assert pixel_span(header, [["300"] * len(header)]) is None
