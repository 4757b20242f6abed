"""Files that are whole or not there: written beside their place, synced, renamed."""

import glob
import json
import math
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EIO
from hashlib import sha256
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

import psutil

from competition.shortage import FULL, MISPLACED, SHUT, NotWritten, number_of

if TYPE_CHECKING:
    import numpy as np

LEFT_SECONDS = 86_400.0  # after which a half-written file of another machine is one that was killed


def _machine() -> str:
    """What tells machines, and containers on one, apart: their numbers of processes are their own."""
    told = [platform.node()]
    with suppress(OSError):
        told += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), str(Path("/proc/self/ns/pid").readlink())]
    return f"{re.sub(r'[^A-Za-z0-9_]', '_', told[0])}_{sha256(' '.join(told).encode()).hexdigest()[:8]}"


HOST = _machine()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what was written there takes the place of `path` when the block ends without error.

    Raises: NotWritten where the disk is full, read-only or shut to this user, or no file can stand there, whatever library has met that;
    `path` is as it was.
    """
    part = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.{get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        part.unlink(missing_ok=True)
        part.touch(exist_ok=False)  # never through a link that somebody put there
        yield part
        with part.open("r+b") as written:  # Windows syncs what may be written to
            os.fsync(written.fileno())
        part.replace(path)
        sync_directory(path.parent)
    except Exception as error:
        if (number := number_of(error)) in (*FULL, *SHUT, *MISPLACED, EIO):
            raise NotWritten(number, path) from error
        raise
    finally:
        with suppress(OSError):  # of a directory that may not be written to
            part.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Removes what a killed process left half-written beside `path`: one of this machine, or of another a day ago."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(FileNotFoundError):
            if is_left(part, LEFT_SECONDS):
                part.unlink()


def is_left(part: Path, seconds: float) -> bool:
    """Whether the process that made *.HOST.PROCESS.*.part is gone; where it is another machine's, whether nothing was written since then.

    Raises: FileNotFoundError.
    """
    *_, host, writer, _, _ = part.name.split(".")
    if host == HOST:
        return not (writer.isdigit() and psutil.pid_exists(int(writer)))
    return time.time() - part.stat().st_mtime >= seconds


def sync_directory(directory: Path) -> None:
    """Makes a rename in the directory last through a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_array(path: Path, array: "np.ndarray") -> None:
    """A .npy file, for `read_array`."""
    import numpy as np

    with replacing(path) as part, part.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, shape: "tuple[int, ...]", dtype: "type[np.generic]", mapped: bool = False) -> "np.ndarray | None":
    """The array that was kept in a .npy file, None where there is none, or it is not the one that is wanted. Objects are never loaded.

    shape: -1 for an axis of any length. mapped: read-only, and from the disk when it is looked at.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            array = np.lib.format.open_memmap(path, mode="r") if mapped else np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, OverflowError):
        return None
    fits = array.ndim == len(shape) and all(wanted in (-1, length) for wanted, length in zip(shape, array.shape, strict=True))
    return array if fits and array.dtype == dtype else None


def write_json(path: Path, content: Any) -> None:
    """JSON for any reader: NaN and infinities, which it has not, become null."""
    write_text(path, json.dumps(_finite(content), indent=2) + "\n")


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
