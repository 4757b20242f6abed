"""What the machine lacks, in words. Disks are small ones in memory where they may be mounted; libraries fail by themselves there."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition import cache
from competition.atomic import replacing, write_json, write_text
from competition.cache import Undecoded, pixels
from competition.console import guarded
from competition.images import ArrayImages
from competition.shortage import NotWritten, in_words, is_full, number_of, require_writable
from tests.faults.disks import filled, mounted, read_only

ROOT = Path(__file__).parent.parent.parent
LARGE = np.zeros(2**20, np.uint8)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as place:
        yield place


def _safetensors(part: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weights": LARGE}, part)


def _save(part: Path) -> None:
    with part.open("wb") as file:
        np.save(file, LARGE, allow_pickle=False)


def _savez(part: Path) -> None:
    with part.open("wb") as file:
        np.savez(file, large=LARGE)


def _picture(part: Path) -> None:
    from PIL import Image

    Image.effect_noise((900, 900), 90).save(part, "PNG")


WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda part: part.write_bytes(LARGE.tobytes()),
    "text": lambda part: part.write_text("a" * 2**20, encoding="utf-8"),
    "an array": _save,
    "arrays": _savez,
    "a table": lambda part: pd.DataFrame({"id": np.random.default_rng(0).random(2**17)}).to_parquet(part),
    "a csv": lambda part: pd.DataFrame({"id": range(2**18)}).to_csv(part),
    "weights": _safetensors,
    "a picture": _picture,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_what_was_there_and_says_what_to_do(writer: str, disk: Path) -> None:
    path = disk / "run" / "file"
    write_text(path, "as it was")
    with filled(disk), pytest.raises(NotWritten) as told, replacing(path) as part:
        WRITERS[writer](part)
    text = str(told.value)
    assert text.startswith(f"{path}: cannot be written, the disk at {disk} is full (0.")
    assert "make room there, or have it elsewhere (--machine.runs and --machine.cache, or TMPDIR)" in text
    assert "the same command goes on" in text
    assert [each.name for each in path.parent.iterdir()] == ["file"], "and no half is left"
    assert path.read_text() == "as it was"
    with replacing(path) as part:
        part.write_text("there is room again")
    assert path.read_text() == "there is room again"


def test_decoded_pixels_do_without_a_disk_that_fills_meanwhile(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "LEFT_FREE", -(2**30))  # as if there had been room when it was looked for
    images = np.random.default_rng(0).integers(0, 256, (9, 200, 200, 3), dtype=np.uint8)
    rows = pd.DataFrame({"id": list("abcdefghi"), "image": list("abcdefghi")}, dtype="str")
    seen = pixels(ArrayImages(list("abcdefghi"), images), rows, 200, 3, "bicubic", disk / "cache")
    assert isinstance(seen, Undecoded)
    np.testing.assert_array_equal(seen[:], images)
    assert "was filled meanwhile: each image is decoded anew" in " ".join(capsys.readouterr().out.split())
    assert list((disk / "cache").iterdir()) == []


def test_what_may_not_be_written_to_is_said_before_the_work(disk: Path) -> None:
    write_text(disk / "kept", "as it was")
    require_writable(disk, disk / "not" / "there" / "yet")
    with read_only(disk):
        for work in (
            lambda: require_writable(disk / "runs"),
            lambda: write_json(disk / "kept", {}),
            lambda: write_json(disk / "new" / "x", {}),
        ):
            with pytest.raises(NotWritten, match=rf"cannot be written, the disk at {disk} is mounted read-only; have it elsewhere"):
                work()
    assert (disk / "kept").read_text() == "as it was"


def test_where_no_file_can_be_is_said_before_the_work(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "as it was")
    with pytest.raises(NotWritten, match=rf"file/runs: {tmp_path}/file is no directory, and one is needed there"):
        require_writable(tmp_path, tmp_path / "file" / "runs")
    with pytest.raises(NotWritten, match=rf"file/cache/x: {tmp_path}/file is no directory"):
        write_text(tmp_path / "file" / "cache" / "x", "")
    with pytest.raises(NotWritten, match=rf"^{tmp_path}: is a directory, and a file is needed there"):
        write_text(tmp_path, "")
    with pytest.raises(NotWritten, match="x: is too long for this system"):
        write_text(tmp_path / ("x" * 300), "")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("words", [("train.py",), ("predict.py", "runs/digits/run-000000")], ids=["train", "predict"])
def test_the_scripts_say_so_in_a_second(words: tuple[str, ...], disk: Path) -> None:
    """As user and on a disk that is read-only; no image is decoded, and nothing is trained."""
    if words[0] == "predict.py":
        run = disk / words[1]
        for name in ("config.toml", "fold0/done.json"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text("" if name.endswith("toml") else "{}")
    with read_only(disk):
        command = [sys.executable, "-X", "importtime", str(ROOT / words[0]), *words[1:]]
        asked = subprocess.run(command, cwd=disk, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    said = [line for line in asked.stderr.splitlines() if not line.startswith("import time:")]
    assert asked.returncode == 1, said
    assert len(said) == 1
    assert "read-only" in said[0]
    assert not any(line.endswith(" torch") for line in asked.stderr.splitlines())


NUMBERS: dict[str, tuple[BaseException, int | None]] = {
    "the system's": (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
    "of safetensors": (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), errno.ENOSPC),
    "of pyarrow": (OSError("[Errno 30] Failed to open local file 'x'"), errno.EROFS),
    "of numpy": (OSError("8000 requested and 4096 written"), errno.ENOSPC),
    "none": (OSError("it failed"), None),
    "of another kind": (ValueError("28"), None),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_libraries_say_it_in_many_ways(case: str) -> None:
    error, number = NUMBERS[case]
    assert number_of(error) == number


WORDS: dict[str, tuple[BaseException, str]] = {
    "a full disk": (OSError(errno.ENOSPC, "", "/no/a"), r"/no/a: cannot be written, the disk at /.* is full \("),
    "a full disk, no name": (OSError(errno.EDQUOT, ""), r"a file: cannot be written, its disk is full; make room"),
    "read-only": (OSError(errno.EROFS, "", "/no/a"), r"/no/a: cannot be written, the disk at /.* is mounted read-only"),
    "not allowed": (PermissionError(errno.EACCES, "", "/no/a"), r"/no/a: user \d+ is not allowed to \(Permission denied\); allow it"),
    "a broken disk": (OSError(errno.EIO, "", "/no/a"), r"/no/a: the disk at /.* reports an input/output error; check that disk"),
    "a file for a directory": (OSError(errno.ENOTDIR, "", "/dev/null/a"), r"^/dev/null/a: /dev/null is no directory, .*name another place"),
    "a file for a directory, no name": (OSError(errno.ENOTDIR, ""), r"^a file: what stands there is no directory, and one is needed there"),
    "a directory for a file": (OSError(errno.EISDIR, "", "/no/a"), r"^/no/a: is a directory, and a file is needed there; name a file"),
    "too long a name": (OSError(errno.ENAMETOOLONG, "", "/no/a"), r"^/no/a: is too long for this system, .*choose a shorter one"),
    "open files": (OSError(errno.EMFILE, ""), r"too many files are open; `ulimit -n 65536`"),
    "memory": (MemoryError(), r"^the machine's memory is used up; fewer folds at once \(--machine.parallel-folds 1\)"),
    "memory, by numpy": (MemoryError("Unable to allocate 7 GiB for an array"), r"the machine's memory .*\n  Unable to allocate 7 GiB"),
    "memory, by a fork": (OSError(errno.ENOMEM, "Cannot allocate memory"), r"the machine's memory is used up"),
    "memory, by torch": (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), r"the machine's memory is used up"),
    "a device's memory": (RuntimeError("CUDA out of memory. Tried"), r"the device's memory is used up; smaller images"),
}


@pytest.mark.parametrize("case", WORDS)
def test_each_shortage_is_one_message_and_no_traceback(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    error, words = WORDS[case]
    assert re.search(words, in_words(error) or "")

    def work() -> int:
        raise error

    assert guarded(work) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "error", [OSError("it failed"), FileNotFoundError(errno.ENOENT, "", "a"), RuntimeError("shapes differ"), KeyError("a")]
)
def test_a_bug_is_no_shortage(error: Exception) -> None:
    assert in_words(error) is None

    def work() -> int:
        raise error

    with pytest.raises(type(error)):
        guarded(work)


def test_a_disk_is_full_where_not_even_a_log_fits(disk: Path) -> None:
    assert not is_full(disk / "train.log")
    with filled(disk):
        assert is_full(disk / "not" / "there")
