"""A competition's zip, by the real client from an endpoint on this machine."""

import io
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from competition.__main__ import main
from competition.download import damage_of, download
from competition.errors import CompetitionError
from tests.submissions.kaggle_endpoint import Drops, Fails, lead_to, serving

ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")


def a_zip(seed: int = 0, size: int = 300_000) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("train.csv"), "id,label\na,0\n")
        archive.writestr(zipfile.ZipInfo("train/a.jpg"), np.random.default_rng(seed).bytes(size))
    return file.getvalue()


def test_the_zip_comes_whole_and_is_not_fetched_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(archive=a_zip()) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert main(["download", "https://www.kaggle.com/competitions/digits/data"]) == 0
        assert Path("digits.zip").read_bytes() == a_zip()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.zip", "home"]
        assert capsys.readouterr().out.splitlines() == [
            "digits.zip: 0.3 MB",
            "digits.zip: 0.3 MB, whole and sound",
            "python -m competition use digits.zip",
        ]
        assert main(["download", "digits"]) == 0
        assert "is there already, whole and sound" in capsys.readouterr().out
        assert Path("digits.zip").read_bytes() == a_zip()


@pytest.mark.parametrize("stale", [a_zip(1, 400_000), a_zip()[:100_000], b"something else", a_zip(2)])
def test_what_lies_there_is_replaced_where_it_is_not_the_same(
    stale: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newer, bigger zip of something else; a half one; no zip; one of the same size that is older than Kaggle's."""
    place = tmp_path / "digits.zip"
    place.write_bytes(stale)
    if len(stale) == len(a_zip()):
        os.utime(place, (0, 0))
    with serving(archive=a_zip()) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert download("digits", tmp_path) == place
    assert place.read_bytes() == a_zip()


def test_an_interrupted_download_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = a_zip(size=3_000_000)
    with serving(archive=content, archive_holds=2_500_000) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "competition", "download", "digits"]
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert endpoint.held.wait(60)
        part = tmp_path / ".digits.download" / "digits.zip"
        while not part.is_file() or part.stat().st_size < 2_000_000:
            sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=60)[0].endswith("stopped\n")
        assert running.returncode == 130
        assert not (tmp_path / "digits.zip").exists()
        download("digits", tmp_path)
        assert endpoint.ranges[-1].startswith("bytes=2")
    assert (tmp_path / "digits.zip").read_bytes() == content
    assert "digits.zip: going on after 2." in capsys.readouterr().out


def test_a_broken_connection_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(archive=a_zip()) as endpoint:
        endpoint.trouble["DownloadDataFiles"] = [Drops(), Fails(503)]
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        download("digits", tmp_path)
    assert (tmp_path / "digits.zip").read_bytes() == a_zip()
    assert capsys.readouterr().out.count("broken off; once more") == 2


def test_a_full_disk_is_seen_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 1000))
    with serving(archive=a_zip()) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        with pytest.raises(CompetitionError, match=r"0\.0 GB are needed, 0\.0 GB are free in .*\n  make room, or --into another disk"):
            download("digits", tmp_path)


@pytest.mark.parametrize("named", ["", "two words", "https://example.org/competitions/digits", "../digits", "-x"])
def test_a_name_that_is_none(named: str, tmp_path: Path) -> None:
    with pytest.raises(
        CompetitionError, match=r"is no competition's name: it is the last part of https://www\.kaggle\.com/competitions/NAME"
    ):
        download(named, tmp_path)


def test_a_damaged_zip_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(a_zip())
    assert damage_of(path) == ""
    content = bytearray(a_zip())
    content[150_000] ^= 255
    path.write_bytes(content)
    assert damage_of(path) == "'train/a.jpg' in it is damaged"
    path.write_bytes(a_zip()[:-10])
    assert damage_of(path) == "File is not a zip file"
