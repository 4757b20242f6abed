"""python -m competition: what it prints, what it writes, how it ends."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from competition.__main__ import main
from competition.config import CompetitionConfig
from competition.load import load
from competition.settings import competition_config
from tests.layouts import archive, put, usual
from tests.miniatures.not_understood import NOT_UNDERSTOOD

HEAVY = ("torch", "sklearn", "albumentations", "cv2", "timm", "kaggle")


@pytest.fixture
def contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small competition, and a working directory beside it."""
    for part, count in (("train", 6), ("test", 2)):
        for number in range(count):
            (tmp_path / "leaves" / part).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (30, 20), (number, 0, 0)).save(tmp_path / "leaves" / part / f"{number}.png")
    rows = "".join(f"{number},{'[rust]' if number % 3 else 'scab'}\n" for number in range(6))
    (tmp_path / "leaves" / "train.csv").write_text("id,label\n" + rows)
    (tmp_path / "leaves" / "sample_submission.csv").write_text("id,label\n0,0\n1,0\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "leaves"


def test_inspect_shows_everything(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(contest)]) == 0
    shown = capsys.readouterr().out
    for text in (
        "leaves  6 training images, 2 test images",
        "all 20 x 30 px, all RGB",
        "[rust]",
        "66.7%",
        "█",
        "roc_auc",
        "sample_submission.csv",
        "?  metric",
    ):
        assert text in shown
    assert len(shown.splitlines()) <= 40


def test_inspect_names_a_damaged_image(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (contest / "train" / "3.png").write_bytes(b"nothing")
    assert main(["inspect", str(contest)]) == 0
    assert "damaged: image 'train/3.png': this is no image" in capsys.readouterr().out


def test_inspect_counts_what_is_damaged(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        (contest / "train" / f"{number}.png").write_bytes(b"")
    assert main(["inspect", str(contest)]) == 0
    shown = capsys.readouterr().out
    assert "damaged: image 'train/0.png': the file is empty" in shown
    assert "damaged: 1 more" in shown
    assert "read whole to find damaged ones: all 8 files" in shown


def test_inspect_tells_of_repeats(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train.csv", "sample_submission.csv"):
        text = (contest / name).read_text()
        (contest / name).write_text(text + text.splitlines()[1] + "\n")
    assert main(["inspect", str(contest)]) == 0
    shown = capsys.readouterr().out
    assert "note: 1 images have more than one row in train.csv: their rows are taken together" in shown
    assert "submission: 3 rows of id, label; 1 rows repeat an id" in shown


def test_inspect_of_a_number_shows_its_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = usual([f"{number}.5" for number in range(9)], ["0"] * 4, header="id,size")
    assert main(["inspect", str(put(tmp_path, tree))]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"name +least +quarter +median +three quarters +most", shown)
    assert re.search(r"size +0.5 +2.5 +4.5 +6.5 +8.5", shown)


def test_inspect_of_the_embedded_digits(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inspect"]) == 0
    assert "digits  1,438 training images, 359 test images with labels of its own" in capsys.readouterr().out


def test_use_writes_a_file_that_means_the_same(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["use", str(contest)]) == 0
    assert "competition.toml is about leaves; look at what is doubtful: answer, metric" in capsys.readouterr().out
    text = Path("competition.toml").read_text()
    for line in (
        '# metric = "roc_auc"',
        '# labels = "train.csv"',
        '# target_columns = ["label"]',
        "# doubtful: two classes and one column",
    ):
        assert line in text
    found = load(competition_config())
    assert (found.name, found.metric, found.task.classes) == ("leaves", "roc_auc", ("[rust]", "scab"))
    Path("competition.toml").write_text(
        text.replace('# metric = "roc_auc"', 'metric = "log_loss"').replace('# slug = "leaves"', 'slug = "our-leaves"')
    )
    changed = load(competition_config())
    assert (changed.name, changed.metric) == ("our-leaves", "log_loss")
    edited = Path("competition.toml").read_text()
    assert main(["use", str(contest)]) == 2
    assert "competition.toml is there already, and sets 'slug', 'metric': edit it, or move it away first" in capsys.readouterr().err
    assert Path("competition.toml").read_text() == edited


def test_use_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # what nobody edited is written anew
        assert main(["use", "digits"]) == 0
    assert competition_config() == CompetitionConfig(source="digits")
    assert 'source = "digits"' in Path("competition.toml").read_text()


def test_list_names_competitions_metrics_and_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in ("digits", "roc_auc", "recipes"):
        assert name in shown


def test_what_the_user_can_put_right_ends_with_2(contest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nowhere"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: there is no competition 'nowhere'")
    assert not captured.out
    for wrong in (["inspekt"], ["inspect", "--colour"], ["use"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_is_not_understood_ends_with_2_and_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(put(tmp_path, NOT_UNDERSTOOD[name][0]()))]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert len(shown.err.splitlines()) == 1
    assert not shown.out


def locked(content: dict[str, bytes | str]) -> bytes:
    """A zip that says of each entry that it is encrypted."""
    data = bytearray(archive(content))
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        for found in re.finditer(mark, bytes(data)):
            data[found.start() + flags] |= 1
    return bytes(data)


SOURCES = {
    "notes.txt": (b"hello", "is neither a directory nor an archive"),
    "hello.zip": (b"hello", "this is no zip"),
    "cut.zip": (archive(usual("012" * 3, "0000"))[:900], "the zip is cut, its end with the list of files is missing: download it again"),
    "locked.zip": (locked(usual("012" * 3, "0000")), "no table could be read: .*is encrypted: unpack the archive with its password first"),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("command", ["inspect", "train.py"])
def test_a_source_that_is_none_is_one_error(name: str, command: str, tmp_path: Path) -> None:
    content, text = SOURCES[name]
    (tmp_path / name).write_bytes(content)
    root = Path(__file__).resolve().parents[2]
    words = [root / "train.py", "--competition", name] if command == "train.py" else ["-m", "competition", "inspect", name]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == 2
    assert re.match(f"error: .*{text}", done.stderr)
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported(contest: Path) -> None:
    code = (
        "import sys; from competition.__main__ import main; code = main(['inspect', sys.argv[1]]); "
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]; sys.exit(str(heavy) if heavy else code)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(contest)], capture_output=True, text=True, env={"PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    """What `--help | head` does, where head ends before the first line is written."""
    read, written = os.pipe()
    os.close(read)
    asked = subprocess.run([sys.executable, "-m", "competition", "--help"], stdout=written, stderr=subprocess.PIPE, check=False)
    os.close(written)
    assert asked.returncode == 141
    assert not asked.stderr
