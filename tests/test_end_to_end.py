"""The walk as a user walks it: the two scripts, on a competition of real files."""

import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from submissions.write import upload_command
from tests.submissions.kaggle_endpoint import lead_to, serving
from tests.walker import ROOT, Walker

CLASSES = ("circle", "stripes", "plain")


WALKER = Walker()
script = WALKER.run


@pytest.fixture(scope="module", autouse=True)
def walker() -> Iterator[None]:
    yield
    WALKER.close()


def alone(name: str, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own."""
    return subprocess.run([sys.executable, str(ROOT / name), *flags], cwd=cwd, capture_output=True, text=True, check=False)


def front_door(*words: str, cwd: Path) -> str:
    """What `python -m submissions` says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "submissions", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout


def picture(kind: str, rng: np.random.Generator) -> np.ndarray:
    image = rng.integers(90, 130, (20, 24, 3)).astype(np.uint8)
    if kind == "circle":
        cv2.circle(image, (12, 10), 6, (30, 30, 220), -1)
    if kind == "stripes":
        image[::4] = 240
    return image


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """shapes.zip as Kaggle gives one: train.csv, train/, test/, a sample submission that repeats an id."""
    where = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(where / "shapes.zip", "w") as archive:
        for part, count in (("train", 90), ("test", 30)):
            names = [f"{number:05d}" for number in range(count)]
            kinds = [CLASSES[number % 3] for number in range(count)]
            for name, kind in zip(names, kinds, strict=True):
                archive.writestr(f"{part}/{name}.png", cv2.imencode(".png", picture(kind, rng))[1].tobytes())
            if part == "train":
                archive.writestr("train.csv", pd.DataFrame({"id": names, "shape": kinds}).to_csv(index=False))
            else:
                rows = [*reversed(names), names[7]]
                archive.writestr("sample_submission.csv", pd.DataFrame({"id": rows, "shape": "plain"}).to_csv(index=False))
    return where


FAST = ("--folds.count", "3", "--optim.epochs", "12", "--model.backbone", "small/resnet9-8")


@pytest.fixture(scope="module")
def trained(competition: Path) -> subprocess.CompletedProcess[str]:
    return alone("train.py", "--competition", "shapes.zip", "--fold", "all", *FAST, cwd=competition)


def test_a_competition_becomes_a_checked_submission(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert "pooled [95 %]" in trained.stdout
    (run,) = (competition / "runs" / "shapes").glob("run-*")
    for fold in range(3):
        files = {path.name for path in (run / f"fold{fold}").iterdir()}
        assert {"model.safetensors", "model.json", "history.csv", "oof.parquet", "done.json", "tensorboard"} <= files
        assert "resume" not in files
    oof = pd.read_parquet(run / "oof.parquet")
    assert list(oof.columns) == ["id", "fold", "circle", "plain", "stripes"]
    folds = pd.read_csv(run / "folds.csv", dtype=str).set_index("id")["fold"].astype(int)
    assert sorted(oof["id"]) == sorted(folds.index)
    assert (folds.loc[oof["id"]].to_numpy() == oof["fold"].to_numpy()).all()
    ledger = pd.read_csv(competition / "runs" / "ledger.csv").iloc[0]
    assert ledger["pooled"] > 0.9
    assert (ledger["folds_done"], ledger["folds"], ledger["metric"]) == (3, 3, "accuracy")

    predicted = alone("predict.py", "--competition", "shapes.zip", cwd=competition)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    upload = shlex.split(predicted.stdout.splitlines()[-1])
    assert upload[:5] == ["kaggle", "competitions", "submit", "-c", "shapes"]
    written = Path(upload[upload.index("-f") + 1])
    submission = pd.read_csv(competition / written, dtype=str)
    assert submission["id"].tolist() == [f"{number:05d}" for number in [*reversed(range(30)), 7]]
    right = submission["shape"] == [CLASSES[int(name) % 3] for name in submission["id"]]
    assert right.mean() > 0.9
    facts = json.loads((competition / written).with_suffix(".json").read_text(encoding="utf-8"))
    assert facts["runs"] == [run.name]

    shown = subprocess.run(
        [sys.executable, "-m", "folds", "scores"],
        cwd=competition,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.name in shown.stdout


def test_a_submission_is_sent_and_the_log_shows_its_score_beside_cv(
    competition: Path, trained: subprocess.CompletedProcess[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """predict.py --submit, then the front door, as a user does it; the real kaggle client, an endpoint on this machine."""
    with serving(slug="shapes") as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        done = alone("predict.py", "--competition", "shapes.zip", "--output", "sent.csv", "--submit", "end to end", cwd=competition)
        assert done.returncode == 0, done.stdout + done.stderr
        (received,) = endpoint.submissions
        assert received["content"] == (competition / "sent.csv").read_bytes()
        facts = json.loads((competition / "sent.json").read_text(encoding="utf-8"))
        assert f"public accuracy 0.90000, out of fold {facts['cv']:.5f}" in done.stdout
        assert facts["public"] == 0.9
        shown = front_door("log", "--competition", "shapes.zip", cwd=competition)
        assert f"{facts['cv']:.5f}  0.90000" in shown
        assert "4 submissions are left today" in shown
    assert "sent.csv: fine (shapes: 31 rows, label, accuracy)" in front_door("check", "sent.csv", cwd=competition)


def test_a_finished_fold_is_not_trained_again(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    (run,) = (competition / "runs" / "shapes").glob("run-*")
    before = (run / "fold0" / "model.safetensors").stat().st_mtime_ns
    again = script("train.py", "--recipe", str(run / "config.toml"), "--fold", "0", cwd=competition)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "finished before: 0" in again.stdout
    assert (run / "fold0" / "model.safetensors").stat().st_mtime_ns == before
    assert len(list((competition / "runs" / "shapes").glob("run-*"))) == 1


@pytest.mark.parametrize("at_once", [1, 2])
def test_folds_that_a_budget_has_no_time_for_are_an_error_and_not_finished(at_once: int, tmp_path: Path) -> None:
    asked = ("--fold", "0,1", "--budget", "2s", "--machine.parallel-folds", str(at_once), *FAST)
    hurried = script("train.py", *asked, cwd=tmp_path)
    assert hurried.returncode == 2, hurried.stdout + hurried.stderr
    assert "fold 0: no time was left to train it; ask for a longer --budget" in hurried.stdout + hurried.stderr
    assert not list((tmp_path / "runs").rglob("done.json"))
    assert not (tmp_path / "runs" / "ledger.csv").exists()


def test_two_runs_blend_by_id(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    other = script("train.py", "--competition", "shapes.zip", "--fold", "1", "--seed", "1", "--name", "other", *FAST, cwd=competition)
    assert other.returncode == 0, other.stdout + other.stderr
    runs = [str(path) for path in sorted((competition / "runs" / "shapes").glob("*-*")) if (path / "config.toml").is_file()]
    blended = script("predict.py", *runs, "--views", "crops", "--output", "blend.csv", cwd=competition)
    assert blended.returncode == 0, blended.stdout + blended.stderr
    assert "1 of 3 folds x 6 views" in blended.stdout
    first, second = (pd.read_parquet(Path(competition, run) / "test.parquet").set_index("id") for run in runs)
    assert json.loads((competition / "blend.json").read_text(encoding="utf-8"))["blend"] == "mean"
    decided = ((first + second.loc[first.index]) / 2).idxmax(axis=1)
    written = pd.read_csv(competition / "blend.csv", dtype=str)
    assert (decided.loc[written["id"]].to_numpy() == written["shape"].to_numpy()).all()


def test_pseudo_labels_come_from_the_same_fold(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    """Fold 0 is taught by fold 0, says so, and says what that brought; a fold that the teacher has not finished is refused at once."""
    (teacher,) = (path for path in (competition / "runs" / "shapes").glob("run-*"))
    flags = ["--competition", "shapes.zip", "--name", "taught", "--pseudo", str(teacher), "--data.pseudo-sure", "0", *FAST]
    taught = script("train.py", "--fold", "0", *flags, cwd=competition)
    assert taught.returncode == 0, taught.stdout + taught.stderr
    assert f"test images are trained on, labelled by {teacher}/fold0" in taught.stdout
    assert f"with pseudo-labels against {teacher.name}: " in taught.stdout
    (run,) = (competition / "runs" / "shapes").glob("taught-*")
    assert len(np.load(run / "fold0" / "pseudo.npy")) > 0
    missing = [fold for fold in range(3) if not (teacher / f"fold{fold}" / "done.json").is_file()]
    for fold in missing[:1]:
        refused = script("train.py", "--fold", str(fold), *flags, cwd=competition)
        assert refused.returncode == 2
        assert f"has not finished fold {fold}" in refused.stderr


def test_a_blend_of_what_was_predicted_needs_no_second_look(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    """The same folds of two runs: each blend is scored, and a submission is written without torch."""
    other = script("train.py", "--competition", "shapes.zip", "--fold", "0,1", "--seed", "2", "--name", "second", *FAST, cwd=competition)
    assert other.returncode == 0, other.stdout + other.stderr
    runs = [str(next((competition / "runs" / "shapes").glob(f"{name}-*"))) for name in ("run", "second")]
    asked = [sys.executable, "-m", "submissions", "blend", *runs, "--output", str(competition / "again.csv")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = subprocess.run(asked, cwd=competition, env=environment, capture_output=True, text=True, check=False)
    assert before.returncode == 0, before.stderr
    assert "no submission is written" in before.stdout
    assert all(name in before.stdout for name in ("geometric", "stacking", "auto", "better than equal weights by"))
    predicted = script("predict.py", *runs, "--output", "first.csv", cwd=competition)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    after = subprocess.run([*asked, "--blend", "mean"], cwd=competition, env=environment, capture_output=True, text=True, check=False)
    assert after.returncode == 0, after.stderr
    assert (competition / "again.csv").read_bytes() == (competition / "first.csv").read_bytes()


@pytest.mark.parametrize(("number", "at_once"), [pytest.param(signal.SIGINT, "1", marks=pytest.mark.slow), (signal.SIGTERM, "2")])
def test_a_stop_leaves_a_run_that_goes_on(number: signal.Signals, at_once: str, competition: Path, tmp_path: Path) -> None:
    flags = [
        "--competition",
        str(competition / "shapes.zip"),
        "--fold",
        "0,1",
        *FAST,
        "--optim.epochs",
        "200",
        "--machine.parallel-folds",
        at_once,
    ]
    running = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *flags], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "epoch 1/" in line:
            break
    running.send_signal(number)
    rest = running.communicate(timeout=60)[0]
    assert running.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], rest
    assert "the same command goes on from here" in rest
    (run,) = (tmp_path / "runs" / "shapes").glob("run-*")
    assert list(run.glob("fold*/resume/state.safetensors")), "of two folds, the one that told of its epoch has a state at least"
    assert not list(run.glob("fold*/resume/*.part"))


def test_a_fold_that_fails_does_not_take_the_others_along(competition: Path, tmp_path: Path) -> None:
    flags = ["--competition", str(competition / "shapes.zip"), *FAST, "--optim.epochs", "1", "--machine.parallel-folds", "2"]
    made = script("train.py", *flags, "--fold", "2", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (run,) = (tmp_path / "runs" / "shapes").glob("run-*")
    state = run / "fold0" / "resume" / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"no state at all")
    both = script("train.py", *flags, "--fold", "0,1", cwd=tmp_path)
    assert both.returncode == 2
    assert (run / "fold1" / "done.json").is_file()
    assert "fold 0 ended with exit code 2" in both.stdout
    assert "the saved state cannot be read" in (run / "fold0" / "train.log").read_text(encoding="utf-8")
    assert "2 of 3 folds" in both.stdout


WRONG = {
    "flag": (["--optim.lrr", "1"], "Perhaps you meant"),
    "value": (["--optim.lr", "-1"], "greater than 0"),
    "backbone": (["--model.backbone", "timm/resnet81"], "unknown timm backbone 'resnet81': perhaps 'resnet18'"),
    "metric": (["--competition.metric", "acuracy"], "perhaps 'accuracy'"),
    "fold": (["--fold", "7"], "--fold 7: '7' is none of the folds 0 to 4"),
    "weights": (["--model.weights", "nowhere.safetensors"], "there is no such file"),
    "device": (["--machine.device", "cuda:9"], "--machine.device cuda:9: this machine has"),
    "augmentation": (["--augment.extra", "CoarseDropout(max_holes=8)"], "max_holes"),
    "recipe": (["--recipe", "quik"], "unknown recipe 'quik'"),
    "competition": (["--competition", "no-such-place"], "no-such-place"),
    "folds": (["--folds.count", "1"], "greater than or equal to 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_word_is_one_clear_message(case: str, tmp_path: Path) -> None:
    flags, text = WRONG[case]
    asked = script("train.py", *flags, cwd=tmp_path)
    assert asked.returncode == 2
    assert text in " ".join((asked.stdout + asked.stderr).split())
    assert "Traceback" not in asked.stderr


def test_damaged_images_are_named_by_id_and_path(competition: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(competition / "shapes.zip") as archive:
        archive.extractall(tmp_path / "shapes")
    damaged = tmp_path / "shapes" / "train" / "00041.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    asked = script("train.py", "--competition", "shapes", *FAST, cwd=tmp_path)
    assert asked.returncode == 2
    assert "1 of 90 images cannot be used" in asked.stderr
    assert "id '00041'" in asked.stderr
    assert "train/00041.png" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_predict_without_a_finished_fold_says_what_to_do(tmp_path: Path) -> None:
    asked = script("predict.py", cwd=tmp_path)
    assert asked.returncode == 2
    assert "no run of digits in runs has a finished fold: python train.py --competition digits makes one" in asked.stderr


def kaggle(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """The real client in an environment of its own: no credentials of the developer, no way out."""
    client = Path(sys.executable).parent / "kaggle"
    environment = {"HOME": str(home), "PATH": "", "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    return subprocess.run([str(client), *words], cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_kaggle_client_starts(tmp_path: Path) -> None:
    asked = kaggle("--version", home=tmp_path)
    assert asked.returncode == 0, asked.stdout + asked.stderr  # version 2.2.4 needs `six` and does not say so


def test_the_printed_line_is_one_that_the_kaggle_client_takes(tmp_path: Path) -> None:
    line = upload_command("a-competition", tmp_path / "a file.csv", "cv=0.9 git=abc run=it's")
    asked = kaggle(*shlex.split(line)[1:], home=tmp_path)
    assert asked.returncode == 1  # its parser is content (2 is for usage), and then it has no credentials
    assert "usage" not in asked.stderr
    assert "uthenticat" in asked.stdout + asked.stderr


def test_a_model_of_all_rows_joins_the_folds(competition: Path, trained: subprocess.CompletedProcess[str]) -> None:
    """After the folds only; alone, or beside them."""
    asked = ("--competition", "shapes.zip", "--name", "late", *FAST, "--optim.epochs", "2", "--optim.keep", "best")
    early = script("train.py", *asked, "--fold", "full", cwd=competition)
    assert (early.returncode, "--fold full: the folds come first, and '0', '1', '2' of" in early.stderr) == (2, True), early.stderr
    assert script("train.py", *asked, "--fold", "all", cwd=competition).returncode == 0
    (run,) = (competition / "runs" / "shapes").glob("late-*")
    name = str(run.relative_to(competition))
    none = script("predict.py", name, "--members", "full", cwd=competition)
    assert (none.returncode, "no model of all rows: python train.py --recipe" in none.stderr) == (2, True), none.stderr
    fitted = script("train.py", *asked, "--fold", "full", cwd=competition)
    assert fitted.returncode == 0, fitted.stdout + fitted.stderr
    assert "full  epoch 1/" in fitted.stdout
    assert json.loads((run / "full" / "done.json").read_text(encoding="utf-8"))["score"] is None
    tables = {}
    for members in ("folds", "full", "both"):
        done = script("predict.py", name, "--members", members, "--views", "identity", cwd=competition)
        assert done.returncode == 0, done.stdout + done.stderr
        tables[members] = pd.read_parquet(run / "test.parquet").set_index("id").to_numpy()
    np.testing.assert_allclose(tables["both"], (3 * tables["folds"] + tables["full"]) / 4, atol=1e-6)
    assert np.abs(tables["full"] - tables["folds"]).max() > 1e-4
