"""A zip's list of entries and their bytes, read by place.

The standard zipfile makes an object an entry and takes half a second for sixty thousand; `inspect` has one second.
Format: PKWARE APPNOTE 6.3.9, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14-16 (end records), 4.5.3 (zip64).
"""

import bz2
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from competition.errors import CompetitionError
from competition.spans import Span, check_bomb, kept

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL_MARK = b"PK\3\4"
END = struct.Struct("<4s4H2IH")
LOCATOR64 = struct.Struct("<4sIQI")
END64 = struct.Struct("<4sQ2H2I4Q")
ENCRYPTED, UTF8_HIGH_BYTE = 0x1, 0x8  # bits of the flags; the second is 0x800 of both bytes
STORED, DEFLATED, BZIP2 = 0, 8, 12
CHUNK_BYTES = 4 * 2**20
EXTRA_SLACK_BYTES = 64  # local headers carry more extra fields than the directory says; one read then nearly always does


class ZipEntry(NamedTuple):
    offset: int  # of the local header
    packed: int  # bytes in the archive
    size: int  # bytes once unpacked
    crc: int
    method: int
    flags: int


class ZipFolder:
    """The files in a zip, by name."""

    def __init__(self, span: Span, where: str) -> None:
        self.span = span
        self.where = where
        size, offset, self._shift, count = _end(span, where)
        self._directory = span.at(offset + self._shift, size)
        self._place = _places(self._directory, count, where)

    @property
    def names(self) -> list[str]:
        return list(self._place)

    def read(self, name: str) -> bytes:
        entry = self.entry(name)
        if entry.method in (STORED, DEFLATED):
            packed = self._packed(name, entry, entry.packed)
            content = packed if entry.method == STORED else self._inflated(name, packed, entry.size)
        else:
            content = b"".join(self.chunks(name))
        if len(content) != entry.size or zlib.crc32(content) != entry.crc:
            raise self._damaged(name)
        return content

    def head(self, name: str, most: int) -> bytes:
        entry = self.entry(name)
        if entry.method == STORED:
            return self._packed(name, entry, min(most, entry.packed))
        for chunk in self.chunks(name, min(most, CHUNK_BYTES)):
            return chunk[:most]
        return b""

    def chunks(self, name: str, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The file's bytes in pieces, for those that are large."""
        entry = self.entry(name)
        start = self._start(name, entry)
        inflate: Any = None
        if entry.method == STORED:
            pass
        elif entry.method == DEFLATED:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        elif entry.method == BZIP2:
            inflate = bz2.BZ2Decompressor()
        else:
            raise CompetitionError(
                f"{self.where}: {name!r} is packed by method {entry.method}, which cannot be read here: unpack the archive, or pack it anew"
            )
        check_bomb(entry.size, entry.packed, f"{self.where}: {name!r}")
        crc = size = 0
        step = max(chunk_bytes // 8, 2**16) if inflate else chunk_bytes
        for place in range(0, entry.packed, step):
            packed = self.span.at(start + place, min(step, entry.packed - place))
            try:
                for piece in _pieces(inflate, packed, chunk_bytes) if inflate else [packed]:
                    crc = zlib.crc32(piece, crc)
                    size += len(piece)
                    if size > entry.size:
                        raise self._damaged(name)
                    yield piece
            except (zlib.error, OSError, EOFError):
                raise self._damaged(name) from None
            if not packed:  # the archive says that it is longer than it is
                break
        if size != entry.size or crc != entry.crc:
            raise self._damaged(name)

    def entry(self, name: str) -> ZipEntry:
        place = self._place[name]
        _, _, _, flags, method, _, _, crc, packed, full, name_len, extra_len, _, _, _, _, start = CENTRAL.unpack_from(
            self._directory, place
        )
        if packed == 0xFFFFFFFF or full == 0xFFFFFFFF or start == 0xFFFFFFFF:
            begin = place + CENTRAL.size + name_len
            full, packed, start = _wide(self._directory[begin : begin + extra_len], full, packed, start)
        return ZipEntry(start + self._shift, packed, full, crc, method, flags)

    def size(self, name: str) -> int:
        return self.entry(name).size

    def stamp(self, name: str) -> tuple[int, int]:
        entry = self.entry(name)
        return entry.size, entry.crc

    def inner(self, name: str) -> Span:
        """An entry that is itself an archive, as a span: in place where it is stored, else inflated once."""
        entry = self.entry(name)
        if entry.method == STORED:
            return self.span.part(self._start(name, entry), entry.size)
        return kept(self.chunks(name), entry.packed, f"{self.where}: {name!r}")

    def _packed(self, name: str, entry: ZipEntry, length: int) -> bytes:
        slack = LOCAL.size + len(name.encode()) + EXTRA_SLACK_BYTES
        content = self.span.at(entry.offset, slack + length)
        begin = self._header_bytes(name, entry, content)
        if begin + length <= len(content):
            return content[begin : begin + length]
        return self.span.at(entry.offset + begin, length)

    def _start(self, name: str, entry: ZipEntry) -> int:
        return entry.offset + self._header_bytes(name, entry, self.span.at(entry.offset, LOCAL.size))

    def _header_bytes(self, name: str, entry: ZipEntry, content: bytes) -> int:
        if entry.flags & ENCRYPTED:
            raise CompetitionError(f"{self.where}: {name!r} is encrypted: unpack the archive with its password first")
        if len(content) < LOCAL.size or content[:4] != LOCAL_MARK:
            raise self._damaged(name)
        fields = LOCAL.unpack_from(content)
        return LOCAL.size + fields[9] + fields[10]

    def _inflated(self, name: str, packed: bytes, size: int) -> bytes:
        check_bomb(size, len(packed), f"{self.where}: {name!r}")
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)  # what is longer than it says is damaged
        except zlib.error:
            raise self._damaged(name) from None

    def _damaged(self, name: str) -> CompetitionError:
        return CompetitionError(f"{self.where}: {name!r} is damaged (its checksum does not fit): download the archive again")


def _pieces(inflate: Any, packed: bytes, most: int) -> Iterator[bytes]:
    """What so many packed bytes become, at most so many bytes at a time: a thousandth of them may be enough to fill the memory."""
    while True:
        piece = inflate.decompress(packed, most)
        yield piece
        if len(piece) < most or inflate.eof:
            return
        packed = getattr(inflate, "unconsumed_tail", b"")  # bz2 keeps it itself


def _places(directory: bytes, count: int, where: str) -> dict[str, int]:
    """Name -> where its entry begins in the directory. Entries are taken apart when they are read: most never are."""
    places: dict[str, int] = {}
    place, end, left = 0, len(directory), count
    begin_of, fixed = struct.Struct("<4s24x3H").unpack_from, CENTRAL.size
    while place < end:
        signature, name_len, extra_len, comment_len = begin_of(directory, place) if place + fixed <= end else (b"", 0, 0, 0)
        if signature != b"PK\1\2":
            break
        left -= 1
        raw = directory[place + fixed : place + fixed + name_len]
        name = raw.decode("ascii") if raw.isascii() else _decoded(raw, bool(directory[place + 9] & UTF8_HIGH_BYTE))
        if "\\" in name:
            name = name.replace("\\", "/")
        name = name.removeprefix("./")  # `zip -r data.zip ./train` writes so
        if name and name[-1] != "/":
            places[name] = place
        place += fixed + name_len + extra_len + comment_len
    if place != end or left & 0xFFFF:  # some writers have sixteen bits for the number of files, however many there are
        raise CompetitionError(f"{where}: the zip's list of files is damaged: download it again")
    return places


def _decoded(raw: bytes, marked: bool) -> str:
    """A name that is no ASCII: macOS and others write UTF-8 without marking it so; what is none is of the old code page."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8" if marked else "cp437", "replace")


def _end(span: Span, where: str) -> tuple[int, int, int, int]:
    """Size and offset of the directory, how many bytes stand before the zip in the file, and how many files it has."""
    tail_start = max(0, span.size - END.size - 0xFFFF - LOCATOR64.size)
    tail = span.at(tail_start, span.size - tail_start)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or found + END.size > len(tail):
        raise CompetitionError(f"{where}: {_not_a_zip(span)}")
    _, _, _, _, count, size, offset, _ = END.unpack_from(tail, found)
    end = tail_start + found
    locator = tail[found - LOCATOR64.size : found] if found >= LOCATOR64.size else b""
    if locator[:4] == b"PK\6\7":
        record = span.at(end - LOCATOR64.size - END64.size, END64.size)
        if record[:4] != b"PK\6\6":
            record = span.at(LOCATOR64.unpack(locator)[2], END64.size)
        if len(record) == END64.size and record[:4] == b"PK\6\6":
            fields = END64.unpack(record)
            count, size, offset = fields[7:10]
            end -= LOCATOR64.size + END64.size
    shift = end - size - offset
    if shift < 0 or (shift and span.at(0, 4) == LOCAL_MARK):  # the second: the list found is that of a zip within a zip that is cut
        raise CompetitionError(f"{where}: the zip is cut or damaged: download it again")
    return size, offset, shift, count


def _wide(extra: bytes, full: int, packed: int, start: int) -> tuple[int, int, int]:
    """Sizes and offset that did not fit into 32 bits, from the zip64 extra field."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == 1:
            there = min(length, len(extra) - place - 4) // 8
            wide = iter(struct.unpack_from(f"<{there}Q", extra, place + 4))
            full, packed, start = (next(wide, value) if value == 0xFFFFFFFF else value for value in (full, packed, start))
        place += 4 + length
    return full, packed, start


def _not_a_zip(span: Span) -> str:
    begin = span.at(0, 512)
    if begin[:4] == LOCAL_MARK:
        return "the zip is cut, its end with the list of files is missing: download it again"
    if begin.lstrip()[:1] == b"<":
        return "this is a web page and no zip: the download needs a login and accepted rules"
    return f"this is no zip (it is {span.size:,} bytes and begins with {begin[:8]!r})"
