"""An array of any kind -> uint8 H x W x C, C of any number of channels: .npy files, and pixels that are not of 8 bits.

What has no one right answer is settled so: the channels are the last axis, or the first where that is the smaller one; true is 255; of 16
bits the high 8 stay, as in a PNG; fractions of 0 to 1 are times 255; any other numbers are stretched, channel by channel, from the
smallest to the largest of that image.

Legend: H height, W width, C channels.
"""

import io
import math

import numpy as np

from competition.errors import CompetitionError

MARK = b"\x93NUMPY"


def read_npy(content: bytes, key: str) -> np.ndarray:
    """uint8 H x W x C of a .npy file.

    Raises: CompetitionError for a file that is cut, holds objects (which could run anything), or is no image.
    """
    return as_image(load_npy(content, f"image {key!r}"), key)


def load_npy(content: bytes, what: str) -> np.ndarray:
    """The array of a .npy file. what: names the array in errors.

    Raises: CompetitionError for a file that is cut or holds objects (which could run anything).
    """
    shape = array_shape(content)
    if shape and math.prod(shape) > len(content):  # an element takes a byte at the least
        raise CompetitionError(f"{what}: the array is cut: {' x '.join(map(str, shape))} values do not fit into {len(content):,} bytes")
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy raises whatever comes on damaged bytes
        if "Object arrays" in str(error):
            raise CompetitionError(
                f"{what}: it holds Python objects, which run whatever they say when they are loaded, and so are not; where you trust "
                "them, np.load(..., allow_pickle=True).astype(str) or .astype(float) saved again is an array of text or numbers"
            ) from None
        raise CompetitionError(f"{what}: the array cannot be read ({error})") from None


def npy_shape(head: bytes) -> tuple[int, int, int] | None:
    """H, W, C from the first bytes of a .npy file; None where they are no image's."""
    shape = array_shape(head)
    return shape_of_image(shape) if shape else None


def array_shape(head: bytes) -> tuple[int, ...] | None:
    """The shape of the array, from the first bytes of a .npy file; None where they are none's."""
    file = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]
    except Exception:  # numpy raises whatever comes on damaged bytes
        return None


def as_image(array: np.ndarray, key: str) -> np.ndarray:
    """uint8 H x W x C of H x W, H x W x C or C x H x W.

    Raises: CompetitionError for another number of axes, no pixels, and values that are no numbers.
    """
    shape = shape_of_image(array.shape)
    if shape is None or not array.size:
        raise CompetitionError(
            f"image {key!r}: an image has two or three axes, this array is {' x '.join(map(str, array.shape)) or 'one value'}"
        )
    if array.ndim == 2:
        array = array[..., None]
    elif array.shape != shape:
        array = np.moveaxis(array, 0, 2)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == bool:
        return array * np.uint8(255)
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer) and not np.issubdtype(array.dtype, np.floating):
        raise CompetitionError(f"image {key!r}: an array of {array.dtype} is no image")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise CompetitionError(f"image {key!r}: {int((~np.isfinite(values)).sum()):,} of {values.size:,} values are NaN or infinite")
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    if np.issubdtype(array.dtype, np.floating) and low.min() >= 0 and high.max() <= 1:
        low, high = np.zeros_like(low), np.ones_like(high)
    return np.rint((values - low) / np.where(high > low, high - low, 1) * 255).astype(np.uint8)


def shape_of_image(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """H, W, C of an array of two or three axes; None of other ones."""
    if len(shape) == 2:
        return shape[0], shape[1], 1
    if len(shape) != 3:
        return None
    return (shape[1], shape[2], shape[0]) if shape[0] < shape[2] else (shape[0], shape[1], shape[2])
