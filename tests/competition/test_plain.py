"""Text that is shown: nothing in it steers a terminal, and no secret is in it; all else is as it was."""

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition import console
from competition.contest import Reason
from competition.errors import CompetitionError
from competition.plain import STARS, plain
from tests.security.hostile import NAMES

STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ORDINARY = ["cat", "new whale", "Fat Hen", "ümlaut 猫 \U0001f408", "नमस्ते", "a\u200db", "[red]", "1 < 2 & 'b'", "two\nlines\tand a tab"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_as_it_was(text: str) -> None:
    assert plain(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_steers_and_what_was_shown_once_stays(text: str) -> None:
    shown = plain(text)
    assert not STEERS.search(shown)
    assert plain(shown) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(("text", "told"), [("\x1b[2J", r"\x1b[2J"), ("a\rb", r"a\rb"), ("\u202ex", r"\u202ex"), ("\udcff", r"\udcff")])
def test_what_steers_is_written_out(text: str, told: str) -> None:
    assert plain(text) == told


@pytest.mark.parametrize(
    "variable", ["KAGGLE_KEY", "KAGGLE_API_TOKEN", "WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET"]
)
def test_a_secret_of_the_environment_is_stars(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "s3cr3t-0123456789")
    assert plain("refused: s3cr3t-0123456789!") == f"refused: {STARS}!"


def test_a_file_that_holds_a_token_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "access_token").write_text("KGAT_x")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(tmp_path / "access_token"))
    assert str(tmp_path / "access_token") in plain(f"the file {tmp_path / 'access_token'}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:pass@host/simple", "https://***@host/simple"),
        ("at https://ghp_abc123@host/x, again", "at https://***@host/x, again"),
        ("http://[::1]:80/?access_token=abc&page=2", "http://[::1]:80/?access_token=***&page=2"),
        ("https://x/blob?X-Goog-Signature=0a1b&x=1", "https://x/blob?X-Goog-Signature=***&x=1"),
        ("https://x/?api_key='abc'", "https://x/?api_key='abc'"),
        ("https://www.kaggle.com/competitions/digits", "https://www.kaggle.com/competitions/digits"),
        ("mail@host", "mail@host"),
    ],
)
def test_passwords_in_addresses_are_stars(text: str, told: str) -> None:
    assert plain(text) == told


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal that takes colours is sent."""
    from rich.console import Console

    sent = io.StringIO()
    made = Console(
        file=sent, force_terminal=True, highlight=False, markup=False, emoji=False, soft_wrap=True, width=200, color_system="standard"
    )
    monkeypatch.setattr(console, "console", made)
    monkeypatch.setattr(console, "errors", made)
    return sent


OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")  # colours and the cursor's way, by rich itself
WAYS = {
    "say": lambda name: console.say(f"class {name} it is"),
    "head": lambda name: console.say(" of it", head=name),
    "error": lambda name: console.fail(CompetitionError(f"{name} is wrong")),
    "table": lambda name: console.table(name, [name, "b"], [[name, name]]),
    "reason": lambda name: console.show_reasons([Reason(name, name, name)]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_and_steers_nothing(name: str, way: str, terminal: io.StringIO) -> None:
    WAYS[way](NAMES[name])
    sent = OWN.sub("", terminal.getvalue())
    assert not STEERS.search(sent)
    assert plain(NAMES[name]) in sent


def test_the_description_of_a_progress_bar_is_as_it_is(terminal: io.StringIO) -> None:
    with console.progress("[/] [red]\x1b]0;x\x07", 10) as advance:
        advance(10)
    assert r"[/] [red]\x1b]0;x\x07" in OWN.sub("", terminal.getvalue())
