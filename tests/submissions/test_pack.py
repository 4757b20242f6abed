"""What is laid out for a dry run, and (slow) a packed digits that predicts offline in a clean environment as it does here."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from competition.config import CompetitionConfig
from competition.load import load
from competition.settings import competition_config
from submissions.dry_run import code_of, differing, network_off, plain
from submissions.errors import SubmissionError
from submissions.lay_out import lay_out
from submissions.pack import SOURCE_MARK, competition_toml
from submissions.wheels import IMAGE, LACKING
from tests.submissions.test_push import packed

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["zip", "directory", "archives", "pixels"])
def competition(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A competition of 30 + 12 images: as a zip, as a directory, as one with archives in it, as pixels in tables whose test has no ids."""
    generator = np.random.default_rng(0)
    names = {part: [f"{part}{number:03d}" for number in range(count)] for part, count in (("train", 30), ("test", 12))}
    tables = {
        "train.csv": pd.DataFrame({"id": names["train"], "label": ["cat", "dog", "owl"] * 10}),
        "sample_submission.csv": pd.DataFrame({"id": names["test"], "label": "cat"}),
    }
    files = {
        f"{part}/{name}.png": cv2.imencode(".png", generator.integers(0, 255, (8, 8, 3)))[1].tobytes()
        for part in names
        for name in names[part]
    }
    if request.param == "pixels":
        columns = [f"pixel{place}" for place in range(64)]
        pixels = pd.DataFrame(generator.integers(0, 255, (42, 64)), columns=columns)
        tables = {
            "train.csv": pixels[:30].assign(label=np.arange(30) % 3 + 1),  # labels that are ids of the test as well
            "test.csv": pixels[30:],
            "sample_submission.csv": pd.DataFrame({"ImageId": np.arange(12) + 1, "Label": 0}),
        }
        files = {}
    files |= {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    where = tmp_path / "animals"
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(content)
    for part in ("train", "test") if request.param == "archives" else ():
        shutil.make_archive(str(where / part), "zip", where / part)
        shutil.rmtree(where / part)
    if request.param != "zip":
        return where
    with zipfile.ZipFile(tmp_path / "animals.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return tmp_path / "animals.zip"


def test_a_test_of_another_size_is_laid_out(competition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is the same competition for who asks by the competition.toml of the package."""
    contest = load(CompetitionConfig(source=str(competition)))
    laid = tmp_path / "input" / "animals"
    assert lay_out(contest, laid, 0.5) == 6
    monkeypatch.chdir(tmp_path)
    Path("competition.toml").write_text(competition_toml(contest).replace(SOURCE_MARK, json.dumps(str(laid))))
    found = load(competition_config(str(laid)))
    assert (found.task, found.metric, found.name) == (contest.task, contest.metric, contest.name)
    assert set(found.test["id"]) < set(contest.test["id"])
    assert (len(found.test), len(found.submission.rows), len(found.train)) == (6, 6, len(contest.train))
    one = found.test.iloc[3]
    was = contest.test.set_index("id").loc[one["id"], "image"]
    np.testing.assert_array_equal(found.images.read(one["image"]), contest.images.read(str(was)))


def test_digits_are_laid_out_as_files(tmp_path: Path) -> None:
    contest = load(CompetitionConfig(source="digits"))
    assert lay_out(contest, tmp_path / "digits", 0.1) == 36
    (tmp_path / "competition.toml").write_text(competition_toml(contest))
    found = load(CompetitionConfig(source=str(tmp_path / "digits"), metric="accuracy", task="multiclass", answer="label"))
    assert (found.task, found.metric, len(found.test)) == (contest.task, "accuracy", 36)
    np.testing.assert_array_equal(
        found.images.read(found.train["image"].iloc[7])[..., 0], contest.images.read(contest.train["image"].iloc[7])[..., 0]
    )


def test_rows_that_differ_are_counted() -> None:
    ours = [["id", "p"], ["a", "0.5"], ["b", "cat"]]
    assert differing(ours, ours) == 0
    assert differing([["id", "p"], ["a", "0.5000000001"], ["b", "dog"]], ours) == 1
    with pytest.raises(SubmissionError, match=r"the notebook's CSV has 1 rows, ours 2: 'a'"):
        differing(ours[:2], ours)


@pytest.mark.parametrize("notebook", [False, True])
def test_what_a_dry_run_runs_is_the_same_script(notebook: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere: the package is named by a path from here, and the script runs in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    package = packed(Path("here"), notebook=notebook)
    code = code_of(package, tmp_path)
    assert code.is_absolute()
    assert code.read_text(encoding="utf-8") == (ROOT / "submissions" / "offline.py").read_text(encoding="utf-8")


def test_without_unshare_sockets_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("submissions.dry_run.NO_NETWORK", ["false"])
    before, told = network_off(tmp_path)
    assert (before, told) == ([], "sockets that refuse to connect (unshare is not permitted here)")
    for program in ("socket.create_connection(('127.0.0.1', 9))", "socket.socket().connect(('127.0.0.1', 9))"):
        done = subprocess.run(
            [sys.executable, "-c", f"import socket; {program}"],
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.endswith("OSError: the network is off\n")


NOT_FOR_PREDICTING = {"matplotlib", "tensorboard", "torchinfo", "kaggle", "six"}


def test_each_package_that_predicting_needs_is_packed_or_in_the_image() -> None:
    """That nothing else is needed, the dry run below shows."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=!~ ]", line)[0] for line in asked} - NOT_FOR_PREDICTING
    assert {plain(name) for name in names} <= {plain(name) for name in (*LACKING, *IMAGE)}
    assert not {plain(name) for name in LACKING} & {plain(name) for name in IMAGE}
    for name in LACKING:
        assert version(name)


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_packed_digits_predicts_offline_as_it_does_here(tmp_path: Path) -> None:
    fast = ("--folds.count", "2", "--optim.epochs", "2", "--model.backbone", "small/resnet9-8")
    run(str(ROOT / "train.py"), "--competition", "digits", "--fold", "all", *fast, cwd=tmp_path)
    run(str(ROOT / "predict.py"), "--competition", "digits", "--output", "ours.csv", cwd=tmp_path)
    said = run("-m", "submissions", "pack", "--hidden-rows", "100000", cwd=tmp_path)
    assert "network off by" in said
    assert "its CSV is ours: 180 rows" in said
    assert "a test of 100,000 would take about" in said
    package = tmp_path / "runs" / "digits" / "package"
    assert json.loads((package / "kernel" / "kernel-metadata.json").read_text())["enable_internet"] is False
    assert not [path for path in (package / "dataset").iterdir() if path.is_dir()]
    ours = pd.read_csv(tmp_path / "ours.csv", dtype=str).set_index("id")["label"]
    offline = pd.read_csv(package / "dry-run" / "kaggle" / "working" / "submission.csv", dtype=str).set_index("id")["label"]
    assert (ours.loc[offline.index] == offline).all()
