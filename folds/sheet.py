"""A sheet of images with a line under each, to look at what a finding means."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from competition.atomic import write_bytes
from competition.cache import pixels
from competition.contest import Competition

SIDE = 96
COLUMNS = 8
FOOT = 26


def write_sheet(path: Path, contest: Competition, rows: pd.DataFrame, lines: Sequence[tuple[str, str]], cache: Path) -> None:
    """Writes a PNG of the rows' images (columns id, image), each with its two lines under it, in their order."""
    channels = max((contest.images.shape(key)[2] for key in rows["image"]), default=1)
    seen = pixels(contest.images, rows, SIDE, channels, "bilinear", cache / contest.name)[:]
    tiles = [_tile(image, *two) for image, two in zip(seen, lines, strict=True)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    whole = np.vstack([np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)])
    write_bytes(path, cv2.imencode(".png", whole[..., ::-1])[1].tobytes())


def _tile(image: np.ndarray, first: str, second: str) -> np.ndarray:
    """uint8 of SIDE x SIDE x C as RGB, with a foot."""
    shown = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    tile = np.pad(shown, ((0, FOOT), (0, 6), (0, 0)), constant_values=255)
    for place, text in enumerate((first, second)):
        cv2.putText(tile, text[-15:], (1, SIDE + 11 + 12 * place), cv2.FONT_HERSHEY_PLAIN, 0.7, (0, 0, 0), 1)
    return tile
