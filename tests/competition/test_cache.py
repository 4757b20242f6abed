import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from competition.cache import FITS, LEFT_FREE, Undecoded, fit_square, pixels
from competition.errors import CompetitionError
from competition.files import Files
from competition.images import ArrayImages, FileImages

INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos", "unheard of"]


def table(keys: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"id of {key}" for key in keys], "image": list(keys)}, dtype="str")


def photos(directory: Path, count: int = 4, side: int = 12) -> pd.DataFrame:
    """PNG files, the nth of the grey 10 n, and their rows."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(directory / f"{number}.png"), np.full((side, side, 3), 10 * number, np.uint8))
    return table([f"{number}.png" for number in range(count)])


class Counting(ArrayImages):
    """Counts what is read."""

    reads = 0

    def read(self, key: str, at_least: int | None = None) -> np.ndarray:
        self.reads += 1
        return super().read(key, at_least)


def test_pixels_of_the_right_size_are_kept_as_they_are(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    source = ArrayImages(list("abcde"), images)
    cached = pixels(source, table(list("dab")), 8, 3, "bicubic", tmp_path)
    np.testing.assert_array_equal(cached, images[[3, 0, 1]])
    assert (cached[:].dtype, cached[:].flags.writeable) == (np.uint8, False)


def test_without_room_images_are_decoded_whenever_they_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 12, 12, 3), dtype=np.uint8)
    ask = (table(list("abcdefg")), 8, 3, "bicubic")
    source = Counting(list("abcdefg"), images)
    seen, kept = pixels(source, *ask, tmp_path / "no", most_gib=1e-7), pixels(source, *ask, tmp_path / "yes")
    assert isinstance(seen, Undecoded)
    assert "more than --machine.cache-gib allows: each is decoded anew" in " ".join(capsys.readouterr().out.split())
    assert not list((tmp_path / "no").iterdir())
    assert (seen.shape, len(seen), Path(seen.filename).name) == (kept.shape, 7, Path(kept.filename).name)
    rows = np.array([4, 0, 4])
    for taken in (rows, np.array([], int), slice(None), slice(1, 5, 2), 3, np.int64(6), np.array([[1, 2], [3, 0]])):
        np.testing.assert_array_equal(seen[taken], kept[taken])
    before = source.reads
    seen[rows]
    assert source.reads == before + 3


def test_a_full_disk_is_no_place_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Usage:
        free = LEFT_FREE + 100

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    source, ask = ArrayImages(list("ab"), np.zeros((2, 8, 8, 3), np.uint8)), (8, 3, "bicubic", tmp_path)
    assert isinstance(pixels(source, table(["a", "b"]), *ask), Undecoded)
    assert f"{tmp_path} has room for 0.0" in " ".join(capsys.readouterr().out.split())
    Usage.free += 1000
    assert not isinstance(pixels(source, table(["a", "b"]), *ask), Undecoded)


def test_what_cannot_be_decoded_is_named_when_it_is_looked_at(tmp_path: Path) -> None:
    rows = photos(tmp_path / "photos")
    (tmp_path / "photos" / "2.png").write_bytes(b"none")
    seen = pixels(FileImages(Files(tmp_path / "photos")), rows, 8, 3, "bicubic", tmp_path / "cache", most_gib=0)
    assert seen[np.array([0, 3])].shape == (2, 8, 8, 3)
    with pytest.raises(CompetitionError, match=r"'2\.png'"):
        seen[np.array([1, 2])]


def test_what_is_there_is_not_read_again(tmp_path: Path) -> None:
    source = Counting(list("abc"), np.zeros((3, 8, 8, 3), np.uint8))
    for _ in range(2):
        pixels(source, table(list("abc")), 8, 3, "bicubic", tmp_path)
    assert source.reads == 3
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("rows", "size_px", "channels", "interpolation"),
    [("abc", 4, 3, "bicubic"), ("abc", 8, 1, "bicubic"), ("abc", 8, 3, "nearest"), ("acb", 8, 3, "bicubic"), ("ab", 8, 3, "bicubic")],
)
def test_another_question_is_another_file(rows: str, size_px: int, channels: int, interpolation: str, tmp_path: Path) -> None:
    source = ArrayImages(list("abc"), np.zeros((3, 8, 8, 3), np.uint8))
    pixels(source, table(list("abc")), 8, 3, "bicubic", tmp_path)
    other = pixels(source, table(list(rows)), size_px, channels, interpolation, tmp_path)
    assert other.shape == (len(rows), size_px, size_px, channels)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_changed_image_is_noticed(tmp_path: Path) -> None:
    rows = photos(tmp_path / "photos")
    ask = (rows, 12, 3, "bicubic", tmp_path / "cache")
    assert pixels(FileImages(Files(tmp_path / "photos")), *ask)[2].mean() == 20
    cv2.imwrite(str(tmp_path / "photos" / "2.png"), np.full((12, 12, 3), 99, np.uint8))
    os.utime(tmp_path / "photos" / "2.png", ns=(0, time.time_ns() + 10**9))
    cached = pixels(FileImages(Files(tmp_path / "photos")), *ask)
    assert cached[:, 0, 0, 0].tolist() == [0, 10, 99, 30]


def test_damaged_images_are_named_by_id_and_path(tmp_path: Path) -> None:
    rows = photos(tmp_path / "photos", 9)
    for number in (1, 3, 4, 6, 7):
        (tmp_path / "photos" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    text = r"(?s)5 of 9 images cannot be used; mend them, or take their rows .*\n  id 'id of 1.png', 1.png: .*and 2 more"
    with pytest.raises(CompetitionError, match=text):
        pixels(FileImages(Files(tmp_path / "photos")), rows, 12, 3, "bicubic", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == [], "nothing half-built is left"


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    rows = photos(tmp_path / "photos", 3)
    (tmp_path / "photos" / "1.png").unlink()
    with pytest.raises(CompetitionError, match=r"1\.png"):
        pixels(FileImages(Files(tmp_path / "photos")), rows, 12, 3, "bicubic", tmp_path / "cache")


def test_no_rows_are_no_pixels(tmp_path: Path) -> None:
    assert pixels(ArrayImages([], np.zeros((0, 8, 8, 3), np.uint8)), table([]), 8, 3, "bicubic", tmp_path).shape == (0, 8, 8, 3)


def test_grey_and_colour_beside_each_other(tmp_path: Path) -> None:
    photos(tmp_path / "photos", 1)
    cv2.imwrite(str(tmp_path / "photos" / "grey.png"), np.full((12, 12), 77, np.uint8))
    rows, source = table(["0.png", "grey.png"]), FileImages(Files(tmp_path / "photos"))
    for channels in (1, 3):
        cached = pixels(source, rows, 12, channels, "bicubic", tmp_path / "cache")
        assert cached[:, 0, 0].tolist() == [[0] * channels, [77] * channels]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(8, 8), (5, 5), (100, 60), (1, 1), (3, 200)])
@pytest.mark.parametrize("seen", [1, 3])
def test_any_image_becomes_the_square(shape: tuple[int, int], channels: int, interpolation: str, seen: int) -> None:
    flat = np.full((*shape, seen), 200, np.uint8)
    square = fit_square(flat, 8, channels, interpolation)
    assert (square.shape, square.dtype) == ((8, 8, channels), np.uint8)
    assert np.abs(square.astype(int) - 200).max() <= 1, "a flat image stays flat"


def test_what_is_not_square_is_stretched_padded_or_cut() -> None:
    wide = np.zeros((4, 8, 1), np.uint8)
    wide[:, 2:6], wide[:, :2] = 200, 90
    assert fit_square(wide, 4, 1, "bicubic", "stretch")[0, :, 0].tolist() == [90, 200, 200, 0]
    assert (fit_square(wide, 4, 1, "bicubic", "crop") == 200).all()
    padded = fit_square(wide, 8, 1, "bicubic", "pad")[..., 0]
    assert (padded[2:6] == wide[..., 0]).all()
    assert (padded[:2] == 0).all()
    assert (padded[6:] == 0).all()
    tall = wide.transpose(1, 0, 2)
    for fit in FITS:
        np.testing.assert_array_equal(
            fit_square(np.ascontiguousarray(tall), 8, 1, "nearest", fit), fit_square(wide, 8, 1, "nearest", fit).transpose(1, 0, 2)
        )


def test_another_fit_is_another_cache(tmp_path: Path) -> None:
    source = ArrayImages(["a"], np.random.default_rng(0).integers(0, 256, (1, 4, 8, 3), dtype=np.uint8))
    seen = [pixels(source, table(["a"]), 8, 3, "bicubic", tmp_path, fit=fit)[:] for fit in FITS]
    assert len(list(tmp_path.iterdir())) == len(FITS)
    assert not np.array_equal(seen[0], seen[1])
    for fit, kept in zip(FITS, seen, strict=True):
        undecoded = pixels(source, table(["a"]), 8, 3, "bicubic", tmp_path / "no", most_gib=0, fit=fit)
        np.testing.assert_array_equal(undecoded[:], kept)


def test_shrinking_is_the_mean_of_what_falls_together() -> None:
    chequered = (np.indices((16, 16)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    assert set(np.unique(fit_square(chequered, 8, 1, "bicubic"))) <= {127, 128}, "and no pattern that was not there"


def test_grey_of_colour_is_its_luminance() -> None:
    square = fit_square(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8), 2, 1, "bicubic")
    assert square[..., 0].tolist() == [[76, 150], [29, 255]]


def test_grey_of_many_channels_is_their_mean() -> None:
    bands = np.broadcast_to(np.arange(0, 60, 10, dtype=np.uint8), (8, 8, 6))
    assert np.unique(fit_square(bands, 8, 1, "bicubic")).tolist() == [25]


def test_channels_that_cannot_be_made_are_an_error() -> None:
    with pytest.raises(CompetitionError, match="it has 4 channels where 3 are asked for"):
        fit_square(np.zeros((8, 8, 4), np.uint8), 8, 3, "bicubic")


BUILD = """
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from competition.cache import pixels
from competition.images import ArrayImages

class Slow(ArrayImages):
    def read(self, key, at_least=None):
        time.sleep(float(sys.argv[2]))
        return super().read(key)

keys = [str(number) for number in range(40)]
images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
print("begun", flush=True)
cached = pixels(Slow(keys, images), pd.DataFrame({"id": keys, "image": keys}, dtype="str"), 8, 3, "bicubic", Path(sys.argv[1]))
assert (cached == images).all()
"""


def builder(directory: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(directory), str(seconds)], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_both_succeed(tmp_path: Path) -> None:
    builders = [builder(tmp_path, 0.02) for _ in range(2)]
    for child in builders:
        child.communicate()
    assert [child.returncode for child in builders] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 1


def test_one_that_is_killed_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    child = builder(tmp_path, 0.2)
    assert child.stdout is not None
    child.stdout.readline()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert list(tmp_path.glob("*.npy")) == []
    again = builder(tmp_path, 0)
    again.communicate()
    assert again.returncode == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"], "and what the killed one left is swept up"
