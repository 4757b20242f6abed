import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from competition.config import CompetitionConfig
from competition.load import load
from competition.tables import as_table
from submissions.__main__ import main
from submissions.format import csv_text, submission_frame

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def digits_csv(tmp_path: Path) -> Path:
    """A fine submission for the embedded digits."""
    competition = load(CompetitionConfig(source="digits"))
    ids = competition.test["id"].tolist()
    path = tmp_path / "s.csv"
    path.write_text(csv_text(submission_frame(as_table(ids, np.eye(10)[np.arange(len(ids)) % 10], competition.task), competition)))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The front door in this process, with the exit code and what it prints; errors of the flags end by SystemExit."""
    monkeypatch.chdir(tmp_path)

    def door(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        said = capsys.readouterr()
        return code, said.out, said.err

    return door


def test_a_fine_file_exits_0(digits_csv: Path) -> None:
    command = [sys.executable, "-m", "submissions", "check", "s.csv"]
    done = subprocess.run(command, cwd=digits_csv.parent, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "s.csv: fine (digits: 359 rows, label, accuracy)\n", "")


def test_warnings_are_allowed(digits_csv: Path, run: Run) -> None:
    lines = digits_csv.read_text().splitlines()
    digits_csv.write_text("\n".join([lines[0], *(line.split(",")[0] + ",1" for line in lines[1:])]))
    said = "warning: all 359 rows have the same answer: '1'\ns.csv: 1 warning (digits: 359 rows, label, accuracy)\n"
    assert run("check", "s.csv", "--competition", "digits") == (0, said, "")


def test_a_json_of_another_file_is_left_out_and_said_to_be(digits_csv: Path, run: Run) -> None:
    digits_csv.with_suffix(".json").write_text('{"runs": ["base-1a2b3c"], "sha256": "0"}')
    code, out, _ = run("check", "s.csv")
    assert (code, out.splitlines()[0]) == (
        0,
        "s.json: is not about s.csv as it is now (it was changed, or replaced?): no runs, no CV are taken from there",
    )


def test_errors_exit_2_and_go_to_stderr(digits_csv: Path, run: Run) -> None:
    lines = digits_csv.read_text().splitlines()
    digits_csv.write_text("\n".join([lines[0], "digit0004,[red]", *(line.split(",")[0] + ",1" for line in lines[2:-1])]))
    code, out, err = run("check", "s.csv")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: it has 358 rows, the sample has 359",
        "error: 1 id of the sample is missing: 'digit1794'",
        "error: 1 label is none of the 10 classes ('0', '1', '2' and 7 more): '[red]'",
        "s.csv: 3 errors; it would be refused (digits: 359 rows, label, accuracy)",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere.csv"), "error: nowhere.csv: cannot be read: No such file or directory"),
        (("check", "s.csv", "--competition", "./nowhere"), "error: there is no competition './nowhere'"),
        (("chek", "s.csv"), "Unrecognized options: chek"),
        (("check",), "Missing from python -m submissions check"),
    ],
)
def test_what_the_user_mistypes_exits_2(words: tuple[str, ...], said: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_help_needs_neither_pandas_nor_torch() -> None:
    program = "import sys, submissions.__main__; print(*[name for name in ('pandas', 'sklearn', 'torch') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
