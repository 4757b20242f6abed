"""Names do not leave their directory or steer a terminal, and no secret is said or written anywhere."""

import ast
import json
import os
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from competition.atomic import replacing, write_text
from competition.config import CompetitionConfig, Config
from competition.console import fail, say
from competition.credentials import find_credentials
from competition.errors import CompetitionError
from competition.load import load
from folds.errors import FoldError
from folds.run import environment
from reports.report import write_report
from submissions.errors import SubmissionError
from submissions.format import submission_frame
from submissions.origin import runs_of
from submissions.pack import files_of
from submissions.write import Origin, write
from tests.builders import make_table
from tests.reports.made import made_competition, made_run
from tests.security.hostile import read_safely

ROOT = Path(__file__).parents[2]
PATHS = (
    "..",
    ".",
    "../x",
    "/srv/x",
    "a/b",
    "a\\b",
    "C:x",
    "x\0",
    "x\n",
    "\x1b[31m",
    " x",
    "x ",
    "x.",
    ".x",
    "-x",
    "",
    "x" * 101,
    "猫" * 67,
    "\udcff",
    "a:b",
    "a|b",
    "<a>",
)
FINE = ("run", "b0 big", "[red]", "größe", "a=1,b=2", "v1.2", "x" * 100, "猫" * 66, "=1+1", "{x}", "$x", "it's")
SECRETS = {
    "KAGGLE_KEY": "0123456789abcdef-planted-key",
    "KAGGLE_API_TOKEN": "KGAT_planted_token_0123456789",
    "WANDB_API_KEY": "planted-wandb-0123456789",
    "HF_TOKEN": "hf_planted0123456789",
    "HUGGING_FACE_HUB_TOKEN": "hf_planted9876543210",
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-password",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+0123456789",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_is_a_path_is_refused_before_anything_is_made(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CompetitionError, match="a directory is called so"):
        Config(name=name).run_directory("digits")
    with pytest.raises(CompetitionError, match=r"competition\.slug .*: a directory is called so"):
        load(CompetitionConfig(source="digits", slug=name))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", FINE)
def test_a_name_that_is_one_directorys_stays_in_it(name: str, tmp_path: Path) -> None:
    config = Config.model_validate({"name": name, "machine": {"runs": tmp_path}})
    made = config.run_directory("digits")
    made.mkdir(parents=True)
    assert made.resolve().parent == tmp_path.resolve() / "digits"


def test_a_csv_of_somebody_elses_does_not_lead_to_runs_elsewhere(tmp_path: Path) -> None:
    contest = made_competition("binary", rows=12)
    run = made_run(tmp_path / "elsewhere", contest)
    file = tmp_path / "runs" / contest.name / "submissions" / "a.csv"
    for name in (str(run.directory), f"../../elsewhere/{contest.name}/{run.name}", "", ".", "..", None, {}, 5):
        assert runs_of(file, {"runs": [name], "competition": f"../elsewhere/{contest.name}" if name else "/"}, tmp_path / "runs") == []


@pytest.mark.parametrize("name", ["config.toml", "fold0/oof.parquet"])
def test_a_link_out_of_a_run_is_not_packed(name: str, tmp_path: Path) -> None:
    contest = made_competition("binary", rows=12)
    run = made_run(tmp_path / "runs", contest)
    assert len(files_of(run)) > 3
    (tmp_path / "kaggle.json").write_text('{"username": "me", "key": "planted"}')
    (run.directory / name).unlink()
    (run.directory / name).symlink_to(tmp_path / "kaggle.json")
    with pytest.raises(SubmissionError, match="links to files of another directory are not packed"):
        files_of(run)


def test_all_that_is_printed_goes_through_the_console() -> None:
    """What prints by itself would show control characters and secrets."""
    alone = {"console.py", "kaggle_child.py", "offline.py"}  # these two run where nothing of ours is
    rooms = [path for room in ("competition", "folds", "models", "submissions", "reports") for path in (ROOT / room).rglob("*.py")]
    for path in [*rooms, ROOT / "train.py", ROOT / "predict.py"]:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        prints = [
            call
            for call in calls
            if (isinstance(call, ast.Name) and call.id == "print") or (isinstance(call, ast.Attribute) and call.attr == "print")
        ]
        assert path.name in alone or not prints, path


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Secrets in the environment and in the files of a home."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for name, content in {
        ".kaggle/kaggle.json": json.dumps({"username": "me", "key": "planted-in-kaggle-json"}),
        ".kaggle/access_token": "planted-in-access-token",
        ".cache/huggingface/token": "planted-in-hf-token",
        ".netrc": "machine api.wandb.ai login user password planted-in-netrc",
    }.items():
        write_text(home / name, content)
        (home / name).chmod(0o600)
    return (*SECRETS.values(), "planted")


def test_nothing_that_a_run_writes_holds_a_secret(
    planted: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contest = made_competition("multiclass", rows=24)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    run = made_run(Path("runs"), contest)
    write_report(run, contest)
    write(submission_frame(make_table(contest), contest), Path("runs/submission.csv"), contest, Origin((run.name,), git="abc"))
    environment()
    find_credentials()
    for value in planted:
        say(f"the server says: token {value} is not known, at https://me:{value}@host/?token={value}")
        fail(FoldError(f"{value} is wrong"))
    said = "".join(capsys.readouterr())
    assert "***" in said
    whole = {"said": said.encode(), **{str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}}
    assert len(whole) > 10
    for value in SECRETS.values():
        assert not [name for name, content in whole.items() if value.encode() in content]
    assert not [name for name, content in whole.items() if b"planted" in content and name != "said"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("planted")
def test_no_secret_is_in_what_the_scripts_say_and_leave(tmp_path: Path) -> None:
    """Trained, predicted and packed: nothing of it, nor of what lies in its wheels, holds a secret or is a pickle."""
    place = tmp_path / "work"
    place.mkdir()
    quick = ["--folds.count", "2", "--optim.epochs", "1", "--model.backbone", "small/resnet9-8", "--data.size-px", "8"]
    train = ["train.py", "--competition", "digits", "--fold", "all", *quick, "--machine.threads", "1", "--machine.save-seconds", "0"]
    said = ""
    for script, *flags in (train, ["predict.py"], ["-m", "submissions", "pack", "--no-dry-run"]):
        command = [sys.executable, script if script == "-m" else str(ROOT / script), *flags]
        ran = subprocess.run(command, cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said += ran.stdout + ran.stderr
    whole = {"said": said.encode()}
    for path in [path for path in place.rglob("*") if path.is_file()]:
        read_safely(path)
        whole[str(path)] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                whole |= {f"{path}: {name}": archive.read(name) for name in archive.namelist()}
    endings = {Path(name).suffix for name in whole}
    assert endings >= {".safetensors", ".parquet", ".html", ".csv", ".json", ".toml", ".npy", ".whl", ".py"}
    for value in (*SECRETS.values(), "planted-in-"):
        assert not [name for name, content in whole.items() if value.encode() in content]


@pytest.mark.parametrize("letters", [40, 200, 300, 5000])
def test_a_token_of_any_length_is_said_by_its_name_alone(letters: int, tmp_path: Path) -> None:
    token = ("KGAT_" + "a1B2" * letters)[:letters]
    found = find_credentials({"HOME": str(tmp_path), "KAGGLE_API_TOKEN": token})
    assert found.used == "the environment variable KAGGLE_API_TOKEN"
    assert token not in repr(found)


def test_a_file_of_a_token_that_others_can_read_is_noted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("KGAT_x")
    (tmp_path / "token").chmod(0o644)
    found = find_credentials({"HOME": str(tmp_path), "KAGGLE_API_TOKEN": str(tmp_path / "token")})
    assert found.notes == (f"{tmp_path / 'token'} can be read by others on this machine: chmod 600 {tmp_path / 'token'}",)


def test_what_is_half_written_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("precious")
    with replacing(tmp_path / "a.txt") as part:
        name = part
        part.write_text("one")
    name.symlink_to(tmp_path / "precious.txt")
    write_text(tmp_path / "a.txt", "two")
    assert (tmp_path / "precious.txt").read_text() == "precious"
    assert (tmp_path / "a.txt").read_text() == "two"
    assert not (tmp_path / "a.txt").is_symlink()


def test_the_rooms_make_no_temporary_file_of_a_known_name() -> None:
    for room in ("competition", "folds", "models", "submissions", "reports"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "mktemp(" not in text, path
            assert f'"{Path("/") / "tmp"}' not in text, path
            assert "chmod(" not in text, path


def test_a_competition_of_a_hostile_name_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from competition.show import show

    contest = replace(
        made_competition("multiclass", rows=12, classes=("[/]", "\x1b[2J", ":dog: \u202e")), name="[/] \x1b]0;x\x07", source="[red]"
    )
    show(contest)
    said = capsys.readouterr().out
    assert said.startswith(r"[/] \x1b]0;x\x07  12 training images")
    for shown in ("[/]", r"\x1b[2J", r":dog: \u202e", "([red])"):
        assert shown in said
    assert "\x1b" not in said


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_ours_are_no_credentials_to_be_read(tmp_path: Path) -> None:
    """What is written is never executable, whatever the umask."""
    write_text(tmp_path / "a.txt", "x")
    assert not stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) & 0o111
