"""Archives of an attacker's: nothing is read or written outside, nothing fills the machine; each is an error or a view of what is fine."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from competition import spans
from competition.archives import leads_out
from competition.config import CompetitionConfig
from competition.decode import decode
from competition.errors import CompetitionError
from competition.files import Files
from competition.load import load
from competition.zips import CENTRAL, ZipFolder
from submissions.lay_out import lay_out
from tests.layouts import CYCLE, csv, put, usual
from tests.security.noise import pack_noise, tar_of_noise

OUTSIDE = (
    "../out.png",
    "../../../../../../tmp/out.png",
    "train/../../out.png",
    "/out.png",
    "//server/share/out.png",
    "C:/out.png",
    "c:out.png",
    "..\\out.png",
    "\\out.png",
    "a\\..\\..\\out.png",
    "train/./../../out.png",
    "..",
    "",
    ".",
    "a\0b.png",
)
INSIDE = "train/a.png"


def as_tar(names: tuple[str, ...], mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as file:  # type: ignore[call-overload]
        for name in (*(name for name in names if "\0" not in name), INSIDE):
            member = tarfile.TarInfo(name)
            member.size = 6
            file.addfile(member, io.BytesIO(b"inside" if name == INSIDE else b"outsid"))
    return made.getvalue()


def as_7z(name: str, path: Path) -> Path:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    with py7zr.SevenZipFile(path, "w") as file:
        file.writestr(b"inside", INSIDE)
        file.writestr(b"outside", "x" * len(name))
        for entry in file.files:
            if entry.filename == "x" * len(name):
                entry._file_info["filename"] = name
    return path


def tree_of(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


@pytest.mark.parametrize("name", [name for name in OUTSIDE if name not in ("", ".", "..")])
def test_a_path_that_leads_out_is_known_on_any_system(name: str) -> None:
    assert leads_out(name)
    assert not leads_out(INSIDE)
    assert not leads_out("train/a..b/..c/d...png")


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_entry_that_leads_out_is_not_there(kind: str, name: str, tmp_path: Path) -> None:
    modes = {".tar": "w", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
    if kind == ".zip":
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            entry = zipfile.ZipInfo("y" * max(1, len(name.encode())))
            file.writestr(entry, b"outside")
            file.writestr(INSIDE, b"inside")
        content = made.getvalue().replace(b"y" * max(1, len(name.encode())), name.encode() or b"/")
    else:
        content = as_tar((name,), modes[kind])
    path = tmp_path / f"data{kind}"
    path.write_bytes(content)
    files = Files(path)
    assert files.paths == [INSIDE]
    assert files.read(INSIDE) == b"inside"
    put(tmp_path / "whole", {f"images{kind}": content, "train.csv": "id,label\n1,a\n"})
    assert Files(tmp_path / "whole").paths == [f"images{kind}/{INSIDE}", "train.csv"]


@pytest.mark.parametrize("name", ["../out.png", "/out.png", "a/../../out.png", "C:/out.png"])
def test_a_7z_writes_nothing_outside_its_directory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "temporary"
    home.mkdir()
    path = as_7z(name, tmp_path / "data.7z")
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    before = tree_of(tmp_path) - {"temporary"}
    try:
        files = Files(path)
    except CompetitionError:
        assert not any(home.iterdir())
    else:
        assert files.paths == [INSIDE]
        del files
    assert {name for name in tree_of(tmp_path) if not name.startswith("temporary")} == before
    assert not Path("/out.png").exists()


LINKS: dict[str, bytes] = {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "directory": tarfile.DIRTYPE,
    "contiguous, as of old": b"9",
}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret.txt", "train.csv"])
@pytest.mark.parametrize("kind", LINKS)
def test_links_and_devices_of_a_tar_are_not_there(kind: str, target: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as file:
        member = tarfile.TarInfo("train/link.png")
        member.type, member.linkname, member.devmajor, member.devminor = LINKS[kind], target, 1, 5
        file.addfile(member)
        below = tarfile.TarInfo("train/link.png/below.png")  # through the link
        below.size = 5
        file.addfile(below, io.BytesIO(b"below"))
    files = Files(path)
    read = {name: files.read(name) for name in files.paths}
    assert set(read.values()) <= {b"below", b""}
    assert not kind.endswith(("link", "device", "pipe")) or "train/link.png" not in read


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../secret.txt"])
def test_a_link_of_a_zip_is_the_text_of_its_target(target: str, tmp_path: Path) -> None:
    """As it lies in the archive: nothing follows it."""
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        entry = zipfile.ZipInfo("train/link.png")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, target)
    assert Files(path).read("train/link.png") == target.encode()


def test_a_link_of_a_7z_is_not_there(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    (tmp_path / "secret.txt").write_text("secret")
    source = put(tmp_path / "source", {INSIDE: b"inside"})
    (source / "train" / "link.png").symlink_to("a.png")
    with py7zr.SevenZipFile(tmp_path / "data.7z", "w") as file:
        file.writeall(source, "")
    files = Files(tmp_path / "data.7z")
    assert files.paths == [INSIDE]


@pytest.mark.parametrize("kind", ["pipe", "device", "nowhere", "itself"])
def test_what_is_no_file_in_a_directory_is_not_there(kind: str, tmp_path: Path) -> None:
    root = put(tmp_path / "data", {"train.csv": "id,label\n1,a\n"})
    if kind == "pipe":
        os.mkfifo(root / "x.png")
    else:
        (root / "x.png").symlink_to({"device": "/dev/zero", "nowhere": "nowhere", "itself": "x.png"}[kind])
    assert Files(root).paths == ["train.csv"]


def test_no_name_of_an_archive_is_written_outside_when_it_is_laid_out(tmp_path: Path) -> None:
    tree = usual(CYCLE, CYCLE[:4])
    archive = tmp_path / "digits.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in tree.items():
            file.writestr(name, content)
        for name in ("/" + str(tmp_path / "absolute.csv").lstrip("/"), "../../climbed.csv", "C:/drive.csv", "a/../../../b.csv"):
            file.writestr(name, "id,label\nb000,x\n")
    contest = load(CompetitionConfig(source=str(archive)))
    before = tree_of(tmp_path)
    lay_out(contest, tmp_path / "input" / "digits", 0.5)
    new = {name for name in tree_of(tmp_path) - before if name != "input" and not name.startswith("input/digits")}
    assert not new
    assert {Path(name).name for name in tree_of(tmp_path / "input" / "digits")}.isdisjoint(
        {"absolute.csv", "climbed.csv", "drive.csv", "b.csv"}
    )


def stored_ids(identifier: str) -> dict[str, bytes | str]:
    return {**usual(CYCLE, CYCLE[:4]), "train.csv": csv("id,label", [f"{identifier},{label}" for label in CYCLE])}


@pytest.mark.parametrize(
    "identifier", ["../../secret", "/etc/passwd", "C:\\secret", "..\\..\\secret", "file:///etc/passwd", "a\0b", "http://x/y"]
)
def test_an_id_names_an_image_of_the_competition_or_none(identifier: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(usual(CYCLE, CYCLE[:4])["train/a000.png"])  # type: ignore[arg-type]
    with pytest.raises(CompetitionError):
        load(CompetitionConfig(source=str(put(tmp_path / "data" / "in", stored_ids(identifier)))))
    good = usual(CYCLE, CYCLE[:4])
    rows = str(good["train.csv"]).splitlines()
    good["train.csv"] = "\n".join([*rows, f"{identifier},{CYCLE[0]}", ""])
    contents = put(tmp_path / "data" / "one", {**good})
    with contextlib.suppress(CompetitionError):
        contest = load(CompetitionConfig(source=str(contents)))
        assert all(key in Files(contents) for key in contest.train["image"])


# --- bombs


def entry_of(content: bytes, real: int, told: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of one file of so many zeros that says that it holds another number of bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        file.writestr("a.csv", content or bytes(real))
    whole = bytearray(made.getvalue())
    directory = whole.rindex(b"PK\1\2")
    whole[directory + 24 : directory + 28] = struct.pack("<I", told)
    return bytes(whole)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("told", [0, 10, 1000])
def test_a_file_that_inflates_to_more_than_it_says_is_damaged(told: int, method: int, tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(entry_of(b"", 50_000_000, told, method))
    files = Files(path)
    for read in (files.read, lambda name: b"".join(files.chunks(name))):
        with pytest.raises(CompetitionError, match="is damaged"):
            read("a.csv")


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python's own allocations took at the most."""
    import tracemalloc

    tracemalloc.start()
    try:
        with contextlib.suppress(CompetitionError):
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_bomb_takes_no_more_memory_than_it_says_or_a_chunk(method: int, tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(entry_of(b"", 100_000_000, 1000, method))
    files = Files(path)
    assert peak(lambda: files.read("a.csv")) < 30_000_000
    assert peak(lambda: files.head("a.csv", 100)) < 30_000_000


@pytest.mark.parametrize("told", [2**30 + 1, 2**32 - 2])
def test_a_file_that_says_that_it_is_a_bomb_is_refused(told: int, tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(entry_of(b"id,label\n", 0, told))
    for read in (Files(path).read, lambda name: b"".join(Files(path).chunks(name)), lambda name: Files(path).head(name, 10)):
        with pytest.raises(CompetitionError, match=r"would become \d\.0 GiB, as no data does; where it is meant so, unpack it beside"):
            read("a.csv")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs and memory of a hundredth of their size, so that they are made in no time."""
    monkeypatch.setattr(spans, "LARGE_BYTES", 10 * 2**20)
    monkeypatch.setattr(spans, "IN_MEMORY_BYTES", 2**20)


def tar_of_zeros(size: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        member = tarfile.TarInfo("a.csv")
        member.size = size
        file.addfile(member, io.BytesIO(bytes(size)))
    return made.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_tar_that_is_a_bomb_is_refused_and_leaves_nothing(
    kind: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / f"data{kind}").write_bytes(PACKERS[kind](tar_of_zeros(30 * 2**20)))
    with pytest.raises(CompetitionError, match="as no data does"):
        Files(tmp_path / f"data{kind}")
    assert not any((tmp_path / "temporary").iterdir())


def test_a_zip_within_a_zip_that_is_a_bomb_is_refused(small: None, tmp_path: Path) -> None:
    inner = entry_of(b"", 30 * 2**20, 30 * 2**20, zipfile.ZIP_STORED)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train.zip", inner)
        file.writestr("a.txt", b"x")
    (tmp_path / "data.zip").write_bytes(made.getvalue())
    files = Files(tmp_path / "data.zip")
    assert files.paths == ["a.txt"]
    assert "as no data does" in files.unopened["train.zip"]


def test_a_7z_that_is_a_bomb_is_refused(small: None, tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    with py7zr.SevenZipFile(tmp_path / "data.7z", "w") as file:
        file.writestr(bytes(20 * 2**20), "a.csv")
    with pytest.raises(CompetitionError, match="as no data does"):
        Files(tmp_path / "data.7z")


def picture_of_zeros(kind: str) -> bytes:
    """2,000 x 2,000 px in colour, whole and honest, packed as tightly as its kind can."""
    made = io.BytesIO()
    if kind == "TIFF":
        pixels = np.zeros((2000, 2000, 3), np.float32)
        return cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE])[1].tobytes()
    Image.new("RGB", (2000, 2000)).save(made, kind, optimize=True)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_picture_that_is_a_bomb_is_refused(kind: str, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    content = picture_of_zeros(kind)
    with pytest.raises(CompetitionError, match=r"too large: \d+,\d+ bytes would become 2,000 x 2,000 px, as no picture does"):
        decode(content, "a")
    monkeypatch.setattr(spans, "MOST_TIMES", 1100)
    assert not decode(content, "a").any(), "it is whole"


def test_pillows_own_limit_is_not_asked(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of so many pixels as its file has bytes is read, however large; what a few bytes become is refused."""
    scan = io.BytesIO()
    Image.new("L", (2000, 6000), 7).save(scan, "TIFF")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert (decode(scan.getvalue(), "a") == 7).all()
    with pytest.raises(CompetitionError, match=r"too large: \d+,\d+ bytes would become 2,000 x 2,000 px, as no picture does"):
        decode(picture_of_zeros("GIF"), "a")


def test_archives_in_archives_end(tmp_path: Path) -> None:
    content = b"x"
    for depth in range(12):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            file.writestr("a.zip" if depth else "a.txt", content)
        content = made.getvalue()
    (tmp_path / "data.zip").write_bytes(content)
    assert Files(tmp_path / "data.zip").paths == []


def test_a_disk_without_room_is_not_filled(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "LEFT_FREE", 2**62)
    noise = np.random.default_rng(0).bytes(3 * 2**20)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        member = tarfile.TarInfo("a.bin")
        member.size = len(noise)
        file.addfile(member, io.BytesIO(noise))
    (tmp_path / "data.tar.gz").write_bytes(made.getvalue())
    with pytest.raises(CompetitionError, match=r"unpacked it needs more than 0\.0 GiB.*set TMPDIR to a larger disk"):
        Files(tmp_path / "data.tar.gz")


@pytest.mark.parametrize("kind", [".tar.gz", ".7z"])
def test_what_is_unpacked_is_private_and_goes_with_the_view(
    kind: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "temporary"
    home.mkdir()
    noise = np.random.default_rng(0).bytes(3 * 2**20)
    path = tmp_path / f"data{kind}"
    pack_noise(path, noise)
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    files = Files(path)
    assert any(files.read(name) == noise for name in files.paths)
    (made,) = home.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert re.fullmatch(rf"competition\.\w+\.{os.getpid()}\.\w{{6,}}\.part", made.name)
    del files
    assert not any(home.iterdir())


# --- bytes that were changed


def base(kind: str) -> bytes:
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            for place in range(3):
                file.writestr(f"train/{place}.txt", f"{place}" * 50)
            with file.open(zipfile.ZipInfo("wide.bin"), "w", force_zip64=True) as entry:
                entry.write(b"wide")
    elif kind == "tar":
        return tar_of_noise(b"noise" * 50)
    elif kind == "tar.gz":
        return gzip.compress(tar_of_noise(b"noise" * 50))
    else:
        py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
        with py7zr.SevenZipFile(made, "w") as file:
            file.writestr(b"text" * 50, "a.txt")
    return made.getvalue()


@pytest.mark.parametrize(("kind", "times"), [("zip", 1500), ("tar", 400), ("tar.gz", 150), ("7z", 60)])
def test_changed_bytes_are_an_error_or_a_view_and_never_a_bug(kind: str, times: int, tmp_path: Path) -> None:
    """Each with one to four bytes changed, most of them to the largest and smallest numbers."""
    whole, generator = base(kind), np.random.default_rng(0)
    path = tmp_path / f"data.{kind}"
    for _ in range(times):
        content = bytearray(whole)
        for place in generator.integers(0, len(content), generator.integers(1, 5)):
            content[place] = generator.choice([0, 0xFF, 0x7F, 0x80, int(generator.integers(0, 256))])
        path.write_bytes(content)
        try:
            files = Files(path)
            for name in files.paths:
                with contextlib.suppress(CompetitionError):
                    files.head(name, 10)
                with contextlib.suppress(CompetitionError):
                    files.read(name)
                with contextlib.suppress(CompetitionError):
                    b"".join(files.chunks(name))
        except CompetitionError:
            continue


@pytest.mark.parametrize("field", range(4, 17))
@pytest.mark.parametrize("value", [0, 0x7FFF, 0xFFFF])
def test_each_number_of_a_zips_list_may_lie(field: int, value: int, tmp_path: Path) -> None:
    whole = bytearray(base("zip"))
    directory = whole.index(b"PK\1\2")
    numbers = list(CENTRAL.unpack_from(whole, directory))
    numbers[field] = 0xFFFFFFFF if value == 0xFFFF and field in (7, 8, 9, 15, 16) else value
    CENTRAL.pack_into(whole, directory, *numbers)
    (tmp_path / "data.zip").write_bytes(whole)
    try:
        files = Files(tmp_path / "data.zip")
    except CompetitionError:
        return
    for name in files.paths:
        with contextlib.suppress(CompetitionError):
            files.read(name)


def test_an_archive_within_an_archive_ends_where_its_entry_does(tmp_path: Path) -> None:
    """Whatever length it claims: what lies behind it is another file's."""
    folder = ZipFolder(spans.MemorySpan(base("zip")), "x")
    whole = spans.FileSpan(put(tmp_path, {"a.bin": b"0123456789"}) / "a.bin")
    assert whole.part(2, 4).part(1, 2**62).at(0, 2**62) == b"345"
    assert whole.part(2, 4).part(2**62, 5).at(0, 5) == b""
    assert whole.part(2, 4).at(2**63, 5) == b""
    assert folder.names
    assert zlib.crc32(folder.read("train/0.txt")) == folder.entry("train/0.txt").crc
