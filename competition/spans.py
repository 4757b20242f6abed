"""Bytes that can be read from any place by any thread: a file, a stretch of a file, or memory."""

import itertools
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None

from competition.atomic import HOST, is_left
from competition.errors import CompetitionError

IN_MEMORY_BYTES = 64 * 2**20  # what must be inflated as a whole and is larger than this goes to a temporary file
LARGE_BYTES, MOST_TIMES = 2**30, 200  # what is larger, and was packed more tightly, is no data: tables shrink to a fifth or a thirtieth
LEFT_SECONDS = 10 * 86_400.0  # after which an unpacked archive of another machine is left over, as systemd has it of /tmp
MOST_OPEN = 10_240  # files, where there is no limit: more than that macOS refuses
LEFT_FREE = 2**30  # bytes of the disk that no temporary file takes


class Span(Protocol):
    """`size` bytes, random access."""

    size: int

    def at(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; fewer only where the span ends."""
        ...

    def part(self, start: int, size: int) -> "Span":
        """A stretch of this span as a span of its own."""
        ...


class MemorySpan:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def at(self, start: int, length: int) -> bytes:
        return self.content[start : start + length]

    def part(self, start: int, size: int) -> "MemorySpan":
        """Here and below: no further than this span goes."""
        return MemorySpan(self.content[start : start + size])


class FileSpan:
    """A stretch of a file on disk. Opened at the first read; it can be forked, and pickled for another process."""

    def __init__(self, path: Path, start: int = 0, size: int | None = None) -> None:
        self.path = path
        self.start = start
        self.size = path.stat().st_size - start if size is None else size
        self._handle: int | None = None
        self._lock = threading.Lock()

    def at(self, start: int, length: int) -> bytes:
        handle = self._open() if self._handle is None else self._handle
        place, left = self.start + start, max(0, min(length, self.size - start))
        if not left:
            return b""  # a damaged archive may name a place that no file has
        content = self._read(handle, left, place)
        while len(content) < left and (more := self._read(handle, left - len(content), place + len(content))):
            content += more
        return content

    def part(self, start: int, size: int) -> "FileSpan":
        return FileSpan(self.path, self.start + start, max(0, min(size, self.size - start)))

    def _open(self) -> int:
        with self._lock:
            if self._handle is None:
                self._handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                weakref.finalize(self, os.close, self._handle)
                _allow_more_than(self._handle)
            return self._handle

    def _read(self, handle: int, length: int, place: int) -> bytes:
        if hasattr(os, "pread"):  # reads at a place of its own, whatever other threads and forks do
            return os.pread(handle, length, place)
        with self._lock:
            os.lseek(handle, place, os.SEEK_SET)
            return os.read(handle, length)

    def __getstate__(self) -> tuple[Path, int, int]:
        return self.path, self.start, self.size

    def __setstate__(self, state: tuple[Path, int, int]) -> None:
        self.__init__(*state)


def _allow_more_than(handle: int) -> None:
    """Where half of the files that this process may have open are, it may have as many as the system lets it: an archive is one."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if handle > soft // 2 and soft != hard and soft != resource.RLIM_INFINITY:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_OPEN if hard == resource.RLIM_INFINITY else hard, hard))


def is_bomb(size: int, packed: int) -> bool:
    """Whether so many bytes are to come of so few that they are there to fill the machine."""
    return size > LARGE_BYTES and size > MOST_TIMES * packed


def check_bomb(size: int, packed: int, what: str) -> None:
    """Raises: CompetitionError where it is a bomb."""
    if is_bomb(size, packed):
        raise CompetitionError(
            f"{what}: {packed:,} bytes would become {size / 2**30:,.1f} GiB, as no data does; where it is meant so, unpack it beside"
        )


def kept(chunks: Iterable[bytes], packed: int, what: str) -> Span:
    """The chunks as one span: in memory where they are few, else in a temporary file that goes when the span does.

    packed: the bytes that they come of.

    Raises: CompetitionError where they are far too many for that, or the disk has no room for them.
    """
    pieces: list[bytes] = []
    size = 0
    chunks = iter(chunks)
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > IN_MEMORY_BYTES:
            break
    else:
        return MemorySpan(b"".join(pieces))
    directory = temporary_directory()
    path, written = directory / "unpacked", 0
    try:
        with path.open("xb") as file:
            for chunk in itertools.chain(pieces, chunks):
                written += len(chunk)
                check_bomb(written, packed, what)
                check_room(len(chunk), directory, what)
                file.write(chunk)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    span = FileSpan(path)
    # A part of the span knows the path only: whoever takes parts keeps the span.
    weakref.finalize(span, shutil.rmtree, directory, ignore_errors=True)
    return span


def temporary_directory() -> Path:
    """A new directory, private, for what is unpacked; whoever asks for it removes it. Those that killed processes left are swept."""
    for left in Path(tempfile.gettempdir()).glob("competition.*.*.*.part"):
        with suppress(OSError, ValueError, OverflowError):  # anybody may put anything of such a name there
            if is_left(left, LEFT_SECONDS):
                shutil.rmtree(left)
    return Path(tempfile.mkdtemp(prefix=f"competition.{HOST}.{os.getpid()}.", suffix=".part"))


def check_room(size: int, directory: Path, what: str) -> None:
    """Raises: CompetitionError where so many bytes would leave the disk of temporary files all but full."""
    if size > (free := shutil.disk_usage(directory).free - LEFT_FREE):
        raise CompetitionError(
            f"{what}: unpacked it needs more than {max(0, free) / 2**30:,.1f} GiB, which is what {directory} has room for: "
            "unpack it beside, or set TMPDIR to a larger disk"
        )
