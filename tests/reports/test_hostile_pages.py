"""Pages and pictures of a competition whose every name is markup, a script or a command to a terminal: they are text, and nothing else."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.contest import Competition
from competition.images import ArrayImages
from competition.plain import STEERING, plain
from folds.scores import COLUMNS
from reports.board import pngs_of
from reports.compare import write_comparison
from reports.evidence import evidence_of
from reports.leaderboard import write_leaderboard
from reports.report import sections_of, write_report
from tests.reports.made import made_competition, made_run
from tests.reports.reading import read_page
from tests.security.hostile import NAMES

CLASSES = tuple(name for key, name in NAMES.items() if key != "half")  # no table holds half a letter
TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link style body a header h1 h2 h3 p button nav ul li main section div table thead tbody tr th td figure"
        " figcaption svg g path defs use text tspan clippath rect image line img span dl dt dd pre details summary script",
    )
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: set[str] = set()
        self.policy, self.scripts, self.inside = "", list[str](), False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        told = dict(attrs)
        self.inside = tag == "script"
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def looked_at(path: Path, names: tuple[str, ...] = ()) -> None:
    """That a page is valid, made of the templates' tags, runs its own script alone, and shows these names."""
    text = path.read_bytes().decode("utf-8")
    page, tags = read_page(text), Tags()
    tags.feed(text)
    assert not page.faults
    assert not tags.seen - TAGS
    assert not STEERING.search(text)
    (script,) = tags.scripts
    assert f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}';" in tags.policy
    assert tags.policy.startswith("default-src 'none'; img-src data:;")
    for name in names:
        assert re.sub(r"\s+", " ", plain(name)).strip() in re.sub(r"\s+", " ", page.text)


def hostile(kind: str, rows: int = 6 * len(CLASSES)) -> Competition:
    classes = {"binary": CLASSES[:2], "regression": CLASSES[:3]}.get(kind, CLASSES)
    contest = made_competition(kind, rows=rows, classes=tuple(name.replace(" ", "_") for name in classes) if kind == "ranking" else classes)
    ids = [f"{CLASSES[row % len(CLASSES)]}{row}" for row in range(rows)]
    keys = [f"{name}.png" for name in ids]
    images = ArrayImages([*keys, *contest.test["image"]], np.full((rows + len(contest.test), 8, 8, 1), 90, np.uint8))
    return replace(
        contest, train=pd.DataFrame({"id": ids, "image": keys}, dtype="str"), images=images, name='<b onclick="x">"c"', source=CLASSES[0]
    )


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_the_page_of_a_run(kind: str, tmp_path: Path) -> None:
    contest = hostile(kind)
    run = made_run(tmp_path / "runs", contest, competition={"slug": contest.name, "source": contest.source, "metric": contest.metric})
    facts = json.loads((run.directory / "environment.json").read_text())
    told = {**facts, "machine": CLASSES[0], "python": CLASSES[1], "git": CLASSES[2], "packages": {CLASSES[0]: CLASSES[1]}}
    (run.directory / "environment.json").write_text(json.dumps(told))
    with np.load(run.fold_directory(0) / "exhibits.npz") as kept:
        arrays = dict(kept)
    arrays["seen_labels"] = np.array([CLASSES[place] for place in range(len(arrays["seen"]))])
    np.savez(run.fold_directory(0) / "exhibits.npz", **arrays)
    looked_at(write_report(run, contest), contest.task.classes if kind in ("multiclass", "binary") else ())


def test_the_comparison_of_runs_and_the_leaderboard(tmp_path: Path) -> None:
    contest = hostile("multiclass")
    runs = [
        made_run(tmp_path / "runs", contest, name, competition={"slug": contest.name, "source": "x", "metric": contest.metric})
        for name in "ab"
    ]
    looked_at(write_comparison(runs, contest, tmp_path / "two.html"))
    row = dict.fromkeys(COLUMNS, "0.5") | {"competition": "<i>c", "metric": "accuracy", "folds_done": "1", "folds": "2"}
    names = [name for name in CLASSES if "/" not in name]
    rows = [{**row, "run": name, "weights": name, "finished": name, "git": name} for name in names]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "runs" / "ledger.csv", index=False)
    (tmp_path / "runs" / "<i>c" / "submissions").mkdir(parents=True)
    for place, name in enumerate(CLASSES):
        facts = {"runs": [name, name], "blend": name, "cv": 0.5 + place / 100, "public": 0.5, "time": name, "message": name}
        (tmp_path / "runs" / "<i>c" / "submissions" / f"{place}<script>.json").write_text(json.dumps(facts))
    looked_at(write_leaderboard("<i>c", tmp_path / "runs"), (*names, *CLASSES))


def test_pictures_for_tensorboard_are_pictures(tmp_path: Path) -> None:
    """Their names are those of our headings, and hold nothing of the data; no text is sent, so that no Markdown is read."""
    contest = hostile("multiclass")
    run = made_run(tmp_path / "runs", contest, competition={"slug": contest.name, "source": "x", "metric": contest.metric})
    pngs = pngs_of(sections_of(evidence_of(run, contest)))
    assert not [name for name in pngs if any(plain(given) in name for given in CLASSES)]
    assert next(iter(pngs.values()))().startswith(b"\x89PNG")


def test_nothing_is_sent_to_tensorboard_as_text() -> None:
    rooms = [path for room in ("competition", "folds", "models", "submissions", "reports") for path in Path(room).rglob("*.py")]
    assert rooms
    for path in rooms:
        assert not re.search(r"\.add_(text|hparams|custom_scalars)\b", path.read_text(encoding="utf-8")), path
