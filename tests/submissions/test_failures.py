"""Each failure on the way to the leaderboard, with the real kaggle client: what is printed, the exit code, and what the server received.

WRITE_DOCS=1 python -m pytest tests/submissions/test_failures.py    writes the table of docs/submitting.md anew
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from competition.console import guarded
from competition.contest import Competition
from competition.download import download
from submissions.awaited import PENDING
from submissions.format import submission_frame
from submissions.send import Patience
from submissions.upload import upload
from submissions.write import Origin, file_id, write
from tests.builders import make_competition, make_table
from tests.submissions.failures import CASES, CHANGING, prepared
from tests.submissions.kaggle_endpoint import KEY, TOKEN, lead_to, serving

DOCS = Path(__file__).parents[2] / "docs" / "submitting.md"
BEGIN, END = "<!-- failures -->\n", "<!-- /failures -->\n"
CONTEST = replace(make_competition("multiclass", answer="label", metric="accuracy"), name="leaf-diseases", source="leaf-diseases.zip")
ORIGIN = Origin(("base-1a2b3c",), ("identity",), scores={"base-1a2b3c": 0.91}, cv=0.91234, git="abc1234")
QUICK = Patience(retries=(), read_back=(0.0, 0.0), polls=(0.0,))


def written(directory: Path, contest: Competition = CONTEST, seed: int = 0) -> Path:
    """A fine submission with its JSON beside it."""
    path = directory / "runs" / contest.name / "submissions" / "one.csv"
    write(submission_frame(make_table(contest, seed), contest), path, contest, ORIGIN)
    return path.relative_to(directory)


@pytest.mark.parametrize("name", CASES)
def test_failure(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        prepared(endpoint, case.given)
        if case.given.get("begun"):
            endpoint.accept(f"from elsewhere file={file_id(file)}", file.read_bytes(), "one.csv")
        if case.home:
            case.home(tmp_path / "home", monkeypatch)
        if case.damaged:
            file.write_text(file.read_text().rpartition("\n0")[0] + "\n")
        patience = replace(QUICK, call=case.seconds, retries=(0.0,) * case.retries, scored=0.0 if "pending" in case.given else 60.0)
        if case.command == "submit":
            code = guarded(lambda: upload(file, CONTEST, "try 1", Path("runs"), patience))
        else:
            code = guarded(lambda: download(CONTEST.name, Path()) is None)
        said = "".join(capsys.readouterr())
        assert len(endpoint.submissions) == case.sent
        if case.calls is not None:
            assert [call for call, _ in endpoint.calls if call in CHANGING] == list(case.calls)
        assert len(endpoint.of("CreateSubmission")) <= 1, "what may have been accepted is never sent again"
    assert not [secret for secret in (KEY, TOKEN, "KGAT_stale", "fedcba98", "secret") if secret in said]
    assert "Traceback" not in said
    row = f"| {case.title} | {shown(said, tmp_path)} | {code} |"
    if os.environ.get("WRITE_DOCS"):
        into_docs(case.title, row)
    assert row in DOCS.read_text(encoding="utf-8").splitlines(), row
    assert code in (0, 2, PENDING)


def test_the_table_has_these_rows_and_no_others() -> None:
    titles = [line.split(" | ")[0].removeprefix("| ") for line in table_of(DOCS.read_text(encoding="utf-8"))[2:]]
    assert titles == [case.title for case in CASES.values()]


def shown(said: str, directory: Path) -> str:
    """What was printed, as a cell: without what is otherwise each time, and without the lines that are the same in all cases."""
    lines = [line for line in said.splitlines() if not line.startswith(("sending ", "leaf-diseases.zip: 0.0"))]
    text = "<br>".join(line.strip() for line in lines).replace(str(directory / "home"), "~").replace(str(directory), "")
    text = re.sub(r"in \d+ h \d\d min", "in 6 h 30 min", text)
    text = re.sub(r"file=[0-9a-f]{10}", "file=1a2b3c4d5e", text)
    text = re.sub(r"\(20\d\d-[^)]*\)", "(2026-11-04T10:00:00+00:00)", text)
    return text.replace("|", "\\|")


def table_of(text: str) -> list[str]:
    return text.partition(BEGIN)[2].partition(END)[0].splitlines()


def into_docs(title: str, row: str) -> None:
    """Puts the row into the table, in the order of the cases."""
    text = DOCS.read_text(encoding="utf-8")
    head, *rows = (lambda lines: [lines[:2], *lines[2:]])(table_of(text))
    of_title = {str(line).split(" | ")[0].removeprefix("| "): str(line) for line in rows} | {title: row}
    ordered = [*head, *(of_title[case.title] for case in CASES.values() if case.title in of_title)]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    DOCS.write_text(before + BEGIN + "".join(f"{line}\n" for line in ordered) + END + after, encoding="utf-8")
