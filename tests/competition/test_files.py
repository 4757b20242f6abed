"""Files: the same view of a directory and of every kind of archive, and errors that say what is wrong with one."""

import io
import json
import os
import pickle
import shutil
import subprocess
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from competition.archives import ARCHIVES
from competition.config import CompetitionConfig
from competition.errors import CompetitionError
from competition.files import Files, is_junk
from competition.load import load
from tests.layouts import CYCLE, SPECIES, put, usual

CONTENT = {
    "train.csv": b"id,label\n1,cat\n",
    "train/1.jpg": bytes(range(256)) * 40,
    "train/deep/er/2.jpg": b"two",
    "empty.txt": b"",
    "test/\u00fcmlaut \u732b.jpg": b"three",
}


def as_directory(root: Path, content: dict[str, bytes] = CONTENT) -> Path:
    for name, data in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def as_zip(path: Path, content: dict[str, bytes] = CONTENT, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.comment = comment
        for name, data in content.items():
            file.writestr(name, data)
    return path


def as_tar(path: Path, mode: Literal["w", "w:gz", "w:bz2", "w:xz"]) -> Path:
    with tarfile.open(path, mode) as file:
        for name, data in CONTENT.items():
            member = tarfile.TarInfo("./" + name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def as_7z(path: Path) -> Path:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    with py7zr.SevenZipFile(path, "w") as file:
        for name, data in CONTENT.items():
            file.writestr(data, name)
    return path


MAKERS = {
    ".zip": as_zip,
    ".tar": lambda path: as_tar(path, "w"),
    ".tar.gz": lambda path: as_tar(path, "w:gz"),
    ".tgz": lambda path: as_tar(path, "w:gz"),
    ".tar.bz2": lambda path: as_tar(path, "w:bz2"),
    ".tar.xz": lambda path: as_tar(path, "w:xz"),
    ".7z": as_7z,
    ".npz": as_zip,
}


def contents(files: Files) -> dict[str, bytes]:
    return {path: files.read(path) for path in files.paths}


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_every_archive_reads_as_the_directory_does(tmp_path: Path, suffix: str) -> None:
    archive = Files(MAKERS[suffix](tmp_path / f"data{suffix}"))
    assert contents(archive) == CONTENT
    assert contents(Files(as_directory(tmp_path / "data"))) == CONTENT
    for path in archive.paths:
        assert archive.head(path, 5) == CONTENT[path][:5]
        assert b"".join(archive.chunks(path)) == CONTENT[path]
        assert archive.size(path) == len(CONTENT[path])


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_every_archive_inside_a_directory_or_a_zip_is_a_folder(tmp_path: Path, suffix: str) -> None:
    name = f"images{suffix}"
    inner = MAKERS[suffix](tmp_path / name)
    directory = as_directory(tmp_path / "data", {name: inner.read_bytes(), "a.csv": b"x"})
    wanted = {"a.csv": b"x", **{f"{name}/{path}": data for path, data in CONTENT.items()}}
    assert contents(Files(directory)) == wanted
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert contents(Files(as_zip(tmp_path / f"outer{method}.zip", {name: inner.read_bytes(), "a.csv": b"x"}, method))) == wanted


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("comment", [b"", b"PK\x05\x06 a comment that looks like an end"[5:]])
def test_zip_agrees_with_the_standard_library(tmp_path: Path, method: int, comment: bytes) -> None:
    path = as_zip(tmp_path / "data.zip", method=method, comment=comment)
    with zipfile.ZipFile(path) as peer:
        assert contents(Files(path)) == {name: peer.read(name) for name in peer.namelist()}


def test_a_zip_with_more_than_65535_files_and_bytes_before_it(tmp_path: Path) -> None:
    content = {f"{number}.txt": b"" for number in range(65_600)} | {"last.txt": b"here"}
    path = as_zip(tmp_path / "data.zip", content, zipfile.ZIP_STORED)
    files = Files(path)
    assert len(files.paths) == 65_601
    assert files.read("last.txt") == b"here"


def test_bytes_before_a_zip_are_skipped(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "data.zip")
    path.write_bytes(b"#!/bin/sh\n" * 10 + path.read_bytes())
    assert contents(Files(path)) == CONTENT


def test_zip64_sizes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file, file.open(zipfile.ZipInfo("wide.bin"), "w", force_zip64=True) as entry:
        entry.write(b"wide")
    assert Files(path).read("wide.bin") == b"wide"


def test_junk_and_hidden_files_are_not_there(tmp_path: Path) -> None:
    junk = ["__MACOSX/train/._1.jpg", "train/._1.jpg", ".DS_Store", "train/.DS_Store", "train/Thumbs.db", ".git/config", "a/.cache/1.jpg"]
    content = {**dict.fromkeys(junk, b"junk"), "train/1.jpg": b"one"}
    assert all(map(is_junk, junk))
    assert Files(as_zip(tmp_path / "data.zip", content)).paths == ["train/1.jpg"]
    assert Files(as_directory(tmp_path / "data", content)).paths == ["train/1.jpg"]


def test_an_archive_beside_its_unpacked_folder_is_left_out(tmp_path: Path) -> None:
    directory = as_directory(tmp_path / "data", {"train/1.jpg": b"one"})
    as_zip(directory / "train.zip", {"1.jpg": b"one"})
    files = Files(directory)
    assert files.paths == ["train/1.jpg"]
    assert files.left_out == ["train.zip"]


def test_a_link_to_its_own_parent_ends(tmp_path: Path) -> None:
    directory = as_directory(tmp_path / "data", {"train/1.jpg": b"one"})
    (directory / "train" / "again").symlink_to(directory, target_is_directory=True)
    assert Files(directory).paths == ["train/1.jpg"]


def test_many_threads_read_right(tmp_path: Path) -> None:
    content = {f"{number}.bin": np.random.default_rng(number).bytes(2000) for number in range(100)}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        files = Files(as_zip(tmp_path / f"{method}.zip", content, method))
        names = list(content) * 10
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(files.read, names)) == [content[name] for name in names]


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    files = Files(as_zip(tmp_path / "data.zip"))
    files.read("train.csv")
    assert contents(pickle.loads(pickle.dumps(files))) == CONTENT  # noqa: S301 - as a data loader's workers do


def test_stamp_changes_with_the_content_only(tmp_path: Path) -> None:
    one, two = as_zip(tmp_path / "1.zip"), as_zip(tmp_path / "2.zip", {**CONTENT, "train.csv": b"id,label\n1,dog\n"})
    keys = ["train/1.jpg", "train/deep/er/2.jpg"]
    assert Files(one).stamp(keys) == Files(two).stamp(keys)
    assert Files(one).stamp([*keys, "train.csv"]) != Files(two).stamp([*keys, "train.csv"])
    directory = as_directory(tmp_path / "data")
    before = Files(directory).stamp(keys)
    assert Files(directory).stamp(keys) == before
    os.utime(directory / keys[0], ns=(1, 1))
    assert Files(directory).stamp(keys) != before


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    whole = as_zip(tmp_path / "data.zip").read_bytes()
    for name, content, text in (
        ("cut", whole[:-40], "the zip is cut.*download it again"),
        ("page", b"<!doctype html><html>", "web page and no zip: the download needs a login"),
        ("text", b"hello", r"this is no zip \(it is 5 bytes and begins with b'hello'\)"),
        ("empty", b"", "this is no zip"),
        ("hole", whole[:-300] + whole[-200:], "cut or damaged|list of files is damaged"),
    ):
        (tmp_path / f"{name}.zip").write_bytes(content)
        with pytest.raises(CompetitionError, match=text):
            Files(tmp_path / f"{name}.zip")
    with pytest.raises(CompetitionError, match="nowhere: there is no such directory or archive"):
        Files(tmp_path / "nowhere")
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(CompetitionError, match=r"a.rar: is neither a directory nor an archive \(.zip, .tar"):
        Files(tmp_path / "a.rar")
    with pytest.raises(CompetitionError, match="there is no file 'nothing'"):
        Files(tmp_path / "data.zip").read("nothing")
    for suffix in (".tar", ".tar.gz", ".tar.xz"):
        (tmp_path / f"bad{suffix}").write_bytes(b"no archive at all " * 100)
        with pytest.raises(CompetitionError, match="download it again"):
            Files(tmp_path / f"bad{suffix}")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_changed_byte_in_a_zip_is_noticed(tmp_path: Path, method: int) -> None:
    path = as_zip(tmp_path / "data.zip", {"a.bin": np.random.default_rng(0).bytes(1000)}, method)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(CompetitionError, match=r"data.zip: 'a.bin' is damaged \(its checksum does not fit\)"):
        Files(path).read("a.bin")


def test_an_encrypted_file_is_named(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "data.zip", {"a.bin": b"secret"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the local header
    content[content.index(b"PK\1\2") + 8] |= 1  # and in the directory
    path.write_bytes(content)
    with pytest.raises(CompetitionError, match=r"'a.bin' is encrypted: unpack the archive with its password first"):
        Files(path).read("a.bin")


def test_an_unknown_packing_is_named(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "data.zip", {"a.bin": b"x" * 100}, zipfile.ZIP_LZMA)
    with pytest.raises(CompetitionError, match=r"'a.bin' is packed by method 14, which cannot be read here"):
        Files(path).read("a.bin")


@pytest.mark.parametrize("names_too", [False, True])
def test_a_7z_with_a_password_says_so(names_too: bool, tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    with py7zr.SevenZipFile(tmp_path / "locked.7z", "w", password="secret", header_encryption=names_too) as file:  # noqa: S106
        file.writestr(b"id,label\n1,a\n", "train.csv")
    with pytest.raises(CompetitionError, match=r"locked.7z: is encrypted: unpack it with its password first$"):
        Files(tmp_path / "locked.7z")


@pytest.mark.skipif(shutil.which("zip") is None, reason="Python writes no encrypted zips")
def test_a_zip_with_a_password_says_so(tmp_path: Path) -> None:
    put(tmp_path, {"train.csv": "id,label\n1,a\n" * 50})
    subprocess.run(["zip", "-q", "-P", "secret", "locked.zip", "train.csv"], cwd=tmp_path, check=True)
    with pytest.raises(CompetitionError, match=r"locked.zip: 'train.csv' is encrypted: unpack the archive with its password first$"):
        Files(tmp_path / "locked.zip").read("train.csv")


def test_labels_in_a_7z(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
    tree = usual(CYCLE, CYCLE[:4])
    labels = {row.split(",")[0]: row.split(",")[1] for row in str(tree.pop("train.csv")).splitlines()[1:]}
    with py7zr.SevenZipFile(put(tmp_path, tree) / "labels.7z", "w") as file:
        file.writestr(json.dumps(labels).encode(), "train_labels.json")
    found = load(CompetitionConfig(source=str(tmp_path)))
    assert (found.task.classes, len(found.train)) == (SPECIES, 9)
