"""Archives of what does not shrink, as large as a test wants them."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest


def tar_of_noise(noise: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        member = tarfile.TarInfo("b.bin")
        member.size = len(noise)
        file.addfile(member, io.BytesIO(noise))
    return made.getvalue()


def pack_noise(path: Path, noise: bytes) -> None:
    """PATH.7z or PATH.tar.gz, which are unpacked as a whole before anything is read. Skips the test where py7zr is needed and missing."""
    if path.suffix == ".7z":
        py7zr = pytest.importorskip("py7zr", reason="py7zr is optional")
        with py7zr.SevenZipFile(path, "w") as file:
            file.writestr(noise, "b.bin")
    else:
        path.write_bytes(gzip.compress(tar_of_noise(noise)))
