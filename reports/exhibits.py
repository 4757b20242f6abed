"""What was made with a fold's network itself, and lies beside its weights: exhibits.npz.

Legend: n images, H x W their size, h x w that of a heat map or a filter.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reports.errors import ReportError

FILE = "exhibits.npz"


@dataclass(frozen=True)
class Exhibits:
    """seen: uint8 n x H x W x 3, training images as the network sees them, and their labels; filters: uint8 k x h x w x 1 or 3, the first
    layer's weights; heat_of[id]: uint8 H x W x 3 and h x w, a held-out image as the network sees it and where it looked."""

    seen: np.ndarray
    labels: list[str]
    filters: np.ndarray
    heat_of: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def read_exhibits(path: Path) -> Exhibits | None:
    """None where there is no such file; what a file lacks is empty.

    Raises: ReportError where it is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        none = np.zeros((0, 1, 1, 3), np.uint8)
        cams = zip(found.get("cam_ids", []), found.get("cam_images", none), found.get("cams", none), strict=True)
        seen = found.get("seen", none)
        labels = [str(label) for label in found.get("seen_labels", [""] * len(seen))]
        return Exhibits(seen, labels, found.get("filters", none), {str(name): (image, heat) for name, image, heat in cams})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ReportError(f"{path}: cannot be read ({error}); delete it, and the page is made without it") from None
