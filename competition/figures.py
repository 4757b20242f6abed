"""What all pictures share: colours, and how a figure becomes a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from competition.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008: told apart by the colour-blind too
BLUE, ORANGE = PALETTE[:2]
GREY, DARK = "#bbbbbb", "#555555"  # for what is beside the point, and for what is asked


def write_png(path: Path, figure: "Figure") -> None:
    """Raises: NotWritten."""
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=120)
