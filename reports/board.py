"""The drawings of a page as images, for boards that show no page (TensorBoard)."""

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.figure import Figure

from reports.blocks import Drawing, Grid, Section
from reports.style import INK, as_png, shown

CELL = 0.42  # inches


def pngs_of(sections: Sequence[Section]) -> dict[str, Callable[[], bytes]]:
    """By section and caption, what gives a PNG: of each drawing, and of each matrix."""
    found: dict[str, Callable[[], bytes]] = {}
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Drawing):
                found[f"{section.title}/{block.caption}"] = block.png
            elif isinstance(block, Grid):
                side = 2.2 + CELL * len(block.row_names)
                found[f"{section.title}/{block.caption}"] = partial(as_png, partial(_matrix, block), (side, side))
    return found


def _matrix(grid: Grid, figure: Figure) -> None:
    axes = figure.add_subplot()
    axes.imshow(grid.shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.set_xticks(range(len(grid.column_names)), [shown(name) for name in grid.column_names], rotation=90)
    axes.set_yticks(range(len(grid.row_names)), [shown(name) for name in grid.row_names])
    axes.set_xlabel(grid.columns_are)
    axes.set_ylabel(grid.rows_are)
    for row, values in enumerate(grid.values):
        for column, value in enumerate(values):
            ink = "white" if grid.shares[row, column] > 0.5 else INK
            axes.text(column, row, format(value, grid.format), ha="center", va="center", fontsize=7, color=ink)
