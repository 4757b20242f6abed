"""Images that lie on top of each other in one array, and their labels in another or in a table, row by row.

X_train.npy, y_train.npy, X_test.npy
train.npz with x and y, test.npz with x
train_images.npy, train_labels.csv, test_images.npy

Legend: N images, H height, W width, C channels.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from competition.arrays import array_shape, load_npy, shape_of_image
from competition.decode import Shape
from competition.detect_sample import called_a_sample
from competition.errors import CompetitionError
from competition.files import Files
from competition.names import is_image, role_of_file
from competition.pixels import square
from competition.text_tables import Table, Tables

MOST_ARRAYS = 16  # with more of them, or other images beside, a .npy file is an image
ARRAY_OF_NPZ = re.compile(r"\.npz/[^/]*\.npy$", re.IGNORECASE)
HEAD_BYTES = 4096  # hold what a .npy file says of itself


@dataclass(frozen=True)
class Stack:
    """Images of one array: N x H x W, N x H x W x C, N x C x H x W, or N x pixels of a square; a key is PATH#ROW, the first row is 0."""

    path: str
    rows: int
    shape: Shape
    labels: str = ""  # the array of its labels, row by row

    def key(self, row: int) -> str:
        return f"{self.path}#{row}"

    def read(self, files: Files) -> np.ndarray:
        """uint8 N x H x W x C: of 0 to 255, of fractions of 0 to 1 or of -1 to 1, of true and false, or the high 8 of 16 bits.

        Raises: CompetitionError for an array that is cut, holds objects, or whose values are others.
        """
        array = load_npy(files.read(self.path), self.path)
        if array.ndim == 4 and array.shape[1:] != self.shape:
            array = np.moveaxis(array, 1, 3)
        return _eight_bits(array, self.path).reshape(-1, *self.shape)


def find_stacks(files: Files) -> tuple[set[str], dict[str, Stack]]:
    """Arrays that are no image files of their own; and by role (train, val, test) the stack of images.

    Of a role with two arrays of images, or without those of training, none is a stack.
    """
    if not any(path.endswith((".npy", ".NPY")) for path in files.paths):  # as nearly always, and there may be sixty thousand paths
        return set(), {}
    packed = {path for path in files.paths if ARRAY_OF_NPZ.search(path)}
    images = [path for path in files.paths if path not in packed and is_image(path)]
    loose = images if len(images) <= MOST_ARRAYS and all(path.lower().endswith(".npy") for path in images) else []
    shapes = {path: array_shape(files.head(path, HEAD_BYTES)) for path in (*packed, *loose)}
    stacks = {}
    for role in ("train", "val", "test"):
        own = {path: shape for path, shape in shapes.items() if shape and role_of_file(path) == role}
        axes = max(map(len, own.values()), default=0)
        of_images = [path for path, shape in own.items() if len(shape) == axes and _of_one(shape)]
        if len(of_images) == 1 and (shape := _of_one(own[of_images[0]])):
            rows = own[of_images[0]][0]
            labels = [path for path in own if path != of_images[0] and own[path][0] == rows and len(own[path]) <= 2]
            stacks[role] = Stack(of_images[0], rows, shape, labels[0] if len(labels) == 1 else "")
    stacks = stacks if "train" in stacks else {}
    return packed | {path for stack in stacks.values() for path in (stack.path, stack.labels) if path}, stacks


def add_stacks(stacks: dict[str, Stack], files: Files, tables: Tables) -> None:
    """Puts each stack among the tables: beside its images stand its labels, or the rows of the table of its role that has as many."""
    for role, stack in stacks.items():
        frame, told = pd.DataFrame(index=range(stack.rows)), stack.labels
        if told:
            frame = _labels(load_npy(files.read(told), told), told)
        else:
            as_long = [path for path, table in tables.of.items() if not table.pixels and len(table.frame) == stack.rows]
            fitting = [path for path in as_long if role_of_file(path) == role]
            if role == "train" and not fitting:
                fitting = [path for path in as_long if role_of_file(path) is None and not called_a_sample(path)]
            if len(fitting) == 1:
                told = fitting[0]
                frame = _in_order(tables.of.pop(told).frame)
        tables.of[stack.path] = Table(stack.path, frame, stack)
        if told:
            tables.notes.append(f"{told} goes with {stack.path}, row by row")


def _of_one(shape: tuple[int, ...]) -> Shape | None:
    """The shape of an image of a stack; None for an array that is none."""
    if len(shape) == 2:
        return square(shape[1])
    found = shape_of_image(shape[1:]) if math.prod(shape) else None
    return Shape(*found) if found else None


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by a column that counts them, from 0 or 1, where there is one; else as they stand."""
    for name in frame.columns:
        if "id" in name.lower() and frame[name].str.isdecimal().all():
            places = frame[name].astype(int)
            if sorted(places) in (list(range(len(frame))), list(range(1, len(frame) + 1))):
                return frame.iloc[np.argsort(places.to_numpy())].reset_index(drop=True)
    return frame.reset_index(drop=True)


def _labels(array: np.ndarray, path: str) -> pd.DataFrame:
    """A column of classes or numbers, also of N x K where each row has a single 1; else a column each.

    Raises: CompetitionError where they are neither text nor numbers.
    """
    if array.dtype.kind not in "biufUS":
        raise CompetitionError(f"{path}: labels are text or numbers, these are {array.dtype}")
    if array.ndim == 2 and array.shape[1] > 1 and _has_a_1_in_each_row(array):
        array = array.argmax(axis=1)
    if array.dtype.kind == "b" or (array.dtype.kind == "f" and (array == np.rint(array)).all()):
        array = array.astype(np.int64)
    text = np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array.astype(str)
    columns = text.reshape(len(text), -1).T
    return pd.DataFrame({"label" if len(columns) == 1 else f"label {place}": column for place, column in enumerate(columns)}, dtype="str")


def _has_a_1_in_each_row(array: np.ndarray) -> bool:
    return array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all())


def _eight_bits(array: np.ndarray, path: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array * np.uint8(255)
    if array.dtype == np.uint16 and array.max() > 255:
        return (array >> 8).astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise CompetitionError(f"{path}: an array of {array.dtype} holds no images")
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        array = array * 255
    elif array.dtype.kind == "f" and low >= -1 and high <= 1:
        array = (array + 1) * 127.5
    elif not (low >= 0 and high <= 255):  # NaN, too
        raise CompetitionError(
            f"{path}: its values go from {low:g} to {high:g}; 0 to 255, 0 to 1 and -1 to 1 are understood: save it so, best as uint8"
        )
    return np.rint(array).astype(np.uint8)
