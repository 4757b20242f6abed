"""Images as a page can hold them: small, and within the page itself.

Legend: S side in px, C channels.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from competition.cache import pixels
from competition.contest import Competition
from competition.errors import CompetitionError

SIDE = 112
SMALL = 64  # px; what is smaller is enlarged pixel by pixel
QUALITY = 82
HEAT = 0.55  # of an image's colour that the strongest heat takes


@dataclass(frozen=True)
class Pictures:
    """of[key]: uint8 S x S x 3; fault: why there are none, where they could not be read."""

    of: Mapping[str, np.ndarray] = field(default_factory=dict)
    fault: str = ""


def read_pictures(contest: Competition, keys: Sequence[str], cache: Path) -> Pictures:
    """The images of these keys, whole, with black beside what is not square. They are decoded once, into the cache."""
    keys = list(dict.fromkeys(keys))
    if not keys:
        return Pictures()
    rows = pd.DataFrame({"id": keys, "image": keys}, dtype="str")
    try:
        channels = max(contest.images.shape(key).channels for key in keys)
        side = max(max(contest.images.shape(key)[:2]) for key in keys)
        whole = pixels(contest.images, rows, SIDE, channels, "nearest" if side <= SMALL else "bilinear", cache / contest.name, fit="pad")
    except CompetitionError as error:
        return Pictures(fault=f"the images cannot be read, so none is shown here: {error}")
    return Pictures({key: as_rgb(whole[place]) for place, key in enumerate(keys)})


def as_rgb(image: np.ndarray) -> np.ndarray:
    """uint8 H x W x 3 of any number of channels: the first three, or the first as grey."""
    return np.ascontiguousarray(image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2))


def enlarged(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The longer side at most so many px, and small images enlarged to it pixel by pixel."""
    scale = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if max(image.shape[:2]) <= SMALL else cv2.INTER_LINEAR
    return as_rgb(np.atleast_3d(cv2.resize(image, size, interpolation=interpolation)))


def with_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 H x W x 3: the image under the heat (uint8 h x w, 0 to 255): dark is left alone, bright is where the network looked."""
    grown = cv2.resize(heat, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(grown, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    share = HEAT * (grown[..., None] / np.float32(255))
    return np.clip(as_rgb(image) * (1 - share) + colours * share, 0, 255).astype(np.uint8)


def jpeg_uri(image: np.ndarray) -> str:
    """uint8 H x W x 3 as a data URI."""
    return _uri("jpeg", cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def png_uri(image: np.ndarray) -> str:
    """The same without loss, for pictures of a few px."""
    return _uri("png", cv2.imencode(".png", image[..., ::-1])[1])


def _uri(kind: str, data: np.ndarray) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
