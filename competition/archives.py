"""Kinds of archives and how each is seen as a folder of files."""

import bz2
import gzip
import lzma
import os
import re
import tarfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, RawIOBase
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Protocol, cast

from competition.errors import CompetitionError
from competition.spans import FileSpan, Span, check_bomb, check_room, kept, temporary_directory
from competition.zips import ZipFolder

CHUNK_BYTES = 4 * 2**20
MOST_ZEROS_BYTES = 2**20  # behind the end of a tar, which is filled up to 10 KiB, seldom to more


class Folder(Protocol):
    """Files by name, read-only, safe for threads. Raises: CompetitionError that names the file and the folder."""

    @property
    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def head(self, name: str, most: int) -> bytes: ...
    def chunks(self, name: str) -> Iterator[bytes]: ...
    def size(self, name: str) -> int: ...
    def stamp(self, name: str) -> tuple[int, int]: ...
    def inner(self, name: str) -> Span: ...


class SpanFolder:
    """Files that lie open in a span, each at a place: a tar."""

    def __init__(self, span: Span, where: str, places: dict[str, tuple[int, int, int]]) -> None:
        self.span = span
        self.where = where
        self.places = places  # name -> offset, size, time of change in seconds

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def read(self, name: str) -> bytes:
        content = self.head(name, self.size(name))
        if len(content) != self.size(name):
            raise CompetitionError(f"{self.where}: {name!r} is cut: download the archive again")
        return content

    def head(self, name: str, most: int) -> bytes:
        offset, size, _ = self.places[name]
        return self.span.at(offset, min(most, size))

    def chunks(self, name: str) -> Iterator[bytes]:
        offset, size, _ = self.places[name]
        for place in range(0, size, CHUNK_BYTES):
            yield self.span.at(offset + place, min(CHUNK_BYTES, size - place))

    def size(self, name: str) -> int:
        return self.places[name][1]

    def stamp(self, name: str) -> tuple[int, int]:
        return self.places[name][1:]

    def inner(self, name: str) -> Span:
        offset, size, _ = self.places[name]
        return self.span.part(offset, size)


class DiskFolder:
    """A directory on disk."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self.root = root
        self.names = names

    def read(self, name: str) -> bytes:
        with self._telling(name):
            return (self.root / name).read_bytes()

    def head(self, name: str, most: int) -> bytes:
        with self._telling(name), (self.root / name).open("rb") as file:
            return file.read(most)

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._telling(name), (self.root / name).open("rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")

    def size(self, name: str) -> int:
        return self._status(name).st_size

    def stamp(self, name: str) -> tuple[int, int]:
        status = self._status(name)
        return status.st_size, status.st_mtime_ns

    def _status(self, name: str) -> os.stat_result:
        with self._telling(name):
            return (self.root / name).stat()

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CompetitionError(f"{self.root / name}: cannot be read: {error.strerror}") from None

    def inner(self, name: str) -> Span:
        return FileSpan(self.root / name)


class _Stream(RawIOBase):
    """A span as a file, for libraries that want one."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.span.size)[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: memoryview) -> int:
        content = self.span.at(self.place, len(buffer))
        buffer[: len(content)] = content
        self.place += len(content)
        return len(content)


def open_tar(span: Span, where: str) -> Folder:
    try:
        with tarfile.open(fileobj=cast(IO[bytes], BufferedReader(_Stream(span))), mode="r:") as tar:
            places: dict[str, tuple[int, int, int]] = {}
            for member in tar:
                name = member.name.removeprefix("./")
                if member.isreg():
                    places[name] = member.offset_data, member.size, int(member.mtime)
                elif member.islnk() and (linked := places.get(member.linkname.removeprefix("./"))):
                    places[name] = linked  # the second name of a file
            _check_end(span, tar.offset, where)
    except tarfile.TarError as error:
        raise CompetitionError(f"{where}: cannot be read as a tar ({error}): download it again") from None
    return SpanFolder(span, where, places)


def _check_end(span: Span, end: int, where: str) -> None:
    """Raises: CompetitionError where what stands behind a tar's last file is not a block of zeros, and zeros alone: tarfile takes
    whatever is no header for the end, and says nothing of the files behind it."""
    behind = span.at(end, MOST_ZEROS_BYTES + 1)
    zeros = len(behind) - len(behind.lstrip(b"\0"))
    if zeros < min(len(behind), tarfile.BLOCKSIZE):
        wrong = "where a file's header should be"
    elif zeros < len(behind):
        wrong = f"more follows its end, at byte {end + zeros:,}; several tars in one are unpacked by `tar -xif`"
    elif zeros > MOST_ZEROS_BYTES:
        wrong = "nothing but zeros from there on"
    elif zeros < tarfile.BLOCKSIZE:
        wrong = "its end is missing; where it was written without one, unpack it beside"
    else:
        return
    raise CompetitionError(f"{where}: the tar is cut or damaged at byte {end:,} ({wrong}): download it again")


def open_packed_tar(opener: Callable[..., Any], span: Span, where: str) -> Folder:
    """A tar that is compressed as a whole has no random access: it is inflated once, into memory or a temporary file."""
    try:
        with opener(BufferedReader(_Stream(span)), "rb") as file:
            return open_tar(kept(iter(partial(file.read, CHUNK_BYTES), b""), span.size, where), where)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise CompetitionError(f"{where}: is cut or damaged ({error}): download it again") from None


def open_7z(span: Span, where: str) -> Folder:
    """A 7z packs files together, so it has no random access either: it is unpacked once into a temporary directory."""
    try:
        import py7zr
    except ImportError:
        raise CompetitionError(
            f"{where}: 7z archives need the package py7zr (pip install 'podium[archives]'), or unpack it beside"
        ) from None
    directory = temporary_directory()
    try:
        with py7zr.SevenZipFile(BufferedReader(_Stream(span)), "r") as archive:
            if archive.needs_password():
                raise py7zr.PasswordRequired
            listed = archive.list()
            check_bomb(sum(file.uncompressed for file in listed), span.size, where)
            check_room(sum(file.uncompressed for file in listed), directory, where)
            # Links are left out; a path that leads out of the directory py7zr refuses, and so the whole archive.
            archive.extract(directory, [file.filename for file in listed if file.is_file and not leads_out(file.filename)])
    except BaseException as error:
        rmtree(directory, ignore_errors=True)
        if isinstance(error, CompetitionError) or not isinstance(error, Exception):
            raise
        if isinstance(error, py7zr.PasswordRequired):  # py7zr's own where the list of files is encrypted too
            raise CompetitionError(f"{where}: is encrypted: unpack it with its password first") from None
        # py7zr and its decompressors raise many kinds for what is damaged
        raise CompetitionError(f"{where}: cannot be read as 7z ({error}): download it again") from None
    there = [path.relative_to(directory).as_posix() for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink()]
    folder = DiskFolder(directory, there)
    weakref.finalize(folder, rmtree, directory, ignore_errors=True)
    return folder


ARCHIVES: dict[str, Callable[[Span, str], Folder]] = {
    ".zip": ZipFolder,
    ".tar": open_tar,
    ".tar.gz": partial(open_packed_tar, gzip.open),
    ".tgz": partial(open_packed_tar, gzip.open),
    ".tar.bz2": partial(open_packed_tar, bz2.open),
    ".tar.xz": partial(open_packed_tar, lzma.open),
    ".7z": open_7z,
    ".npz": ZipFolder,  # of .npy files
}


_SUFFIXES = (*ARCHIVES, *map(str.upper, ARCHIVES))


_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0")


def leads_out(name: str) -> bool:
    """Whether a path of an archive would lead out of the directory that it is unpacked into, on any system."""
    return _OUT.search(name) is not None


def archive_suffix(name: str) -> str | None:
    """The ending by which `name` is an archive, None where it is none."""
    if not name.endswith(_SUFFIXES):  # asked for each of sixty thousand images
        return None
    return next(suffix for suffix in ARCHIVES if name.lower().endswith(suffix))
