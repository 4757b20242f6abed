"""Pictures to measure with: smooth colours with some grain, of the size and the weight that photographs have."""

from pathlib import Path

import cv2
import numpy as np


def make_images(place: Path, count: int, width: int, height: int, suffix: str) -> list[Path]:
    """The files, in order. suffix: .jpg or .png."""
    generator = np.random.default_rng(0)
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{number:05d}{suffix}" for number in range(count)]
    for path in paths:
        coarse = generator.integers(0, 256, (max(2, height // 32), max(2, width // 32), 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), np.clip(smooth + generator.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8))
    return paths
