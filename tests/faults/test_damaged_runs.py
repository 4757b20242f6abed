"""Files of a run that a disk has torn, or that somebody else wrote: an error of ours that names the file, or it is not needed."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from competition.atomic import write_text
from competition.config import MachineConfig
from competition.contest import Competition
from competition.errors import InputError
from folds.errors import FoldError
from folds.groups import audited
from folds.run import Run, open_run, read_run
from folds.same_images import changed_images
from folds.scores import compare_runs, gather, read_ledger, read_scores
from folds.split import assign_folds, settle_folds
from reports.evidence import environment_of, evidence_of
from reports.leaderboard import write_leaderboard
from reports.report import write_report
from tests.builders import make_table
from tests.reports.made import made_competition, made_run


def other_types(was: bytes) -> bytes:
    """Lists for values of JSON, letters for digits below a header."""
    if was[:1] == b"{":
        return json.dumps({name: [value] for name, value in json.loads(was).items()}).encode()
    header, _, rest = was.partition(b"\n")
    return header + b"\n" + re.sub(rb"[0-9]", b"x", rest)


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda was: b"",
    "cut": lambda was: was[: len(was) // 2],
    "cut in its last line": lambda was: was.rstrip(b"\n")[:-1],
    "zeros": lambda was: bytes(len(was)),
    "no text": lambda was: b"\xff\xfe\xfa" + was,
    "a list": lambda was: b"[]",
    "a number": lambda was: b"1",
    "deep": lambda was: b'{"a":' * 100_000,
    "other types": other_types,
    "a byte order mark": lambda was: b"\xef\xbb\xbf" + was,
    "a header alone": lambda was: was.partition(b"\n")[0] + b"\n",
    "a line twice": lambda was: was + was.rstrip(b"\n").rpartition(b"\n")[2] + b"\n",
    "no last line": lambda was: was.rstrip(b"\n").rpartition(b"\n")[0] + b"\n",
    "cells beyond the header": lambda was: was.replace(b"\n", b",1\n"),
}
OF_THE_RUN = (
    *("config.toml", "environment.json", "folds.csv", "images.txt", "oof.parquet", "scores.json", "test.json", "test.parquet"),
    *("fold1/done.json", "fold1/exhibits.npz", "fold1/history.csv", "fold1/oof.parquet"),
)
BESIDE = ("../../ledger.csv", "../audit/duplicates.csv", "../audit/duplicates-pairs.csv")
NEEDED = ("environment.json", "folds.csv", "test.json", "fold1/done.json", "fold1/history.csv", *BESIDE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Competition]:
    """A run of three folds with an audit, predicted."""
    contest = made_competition("multiclass", rows=24)
    run = made_run(tmp_path_factory.mktemp("whole") / "runs", contest)
    run.write_test(make_table(contest), ("identity",))
    write_text(run.directory / "images.txt", "cache/of-then.npy\n")
    ids = contest.train["id"]
    groups = audited(run.directory.parent.parent, contest)
    groups.parent.mkdir()
    pd.DataFrame({"id": ids[:2], "group": "g"}).to_csv(groups, index=False)
    pair = {"id_a": ids[0], "id_b": ids[1], "part_a": "train", "part_b": "train", "kind": "equal", "view": "", "probability": 1.0}
    pd.DataFrame([pair]).to_csv(groups.with_name("duplicates-pairs.csv"), index=False)
    return run, contest


@pytest.fixture
def run(whole: tuple[Run, Competition], tmp_path: Path) -> Run:
    """A copy of it."""
    was = whole[0].directory
    shutil.copytree(was.parent.parent, tmp_path / "runs")
    config = whole[0].config.model_copy(update={"machine": MachineConfig(runs=tmp_path / "runs", cache=tmp_path / "cache")})
    return Run(tmp_path / "runs" / was.parent.name / was.name, config)


def looks(run: Run, contest: Competition) -> Iterator[Callable[[], object]]:
    """All that reads files of a run, those that write last."""
    seen: Any = np.memmap(run.directory / "now.npy", np.uint8, "w+", shape=(24, 2, 2, 3))
    runs, best = run.config.machine.runs, run.config.optim.model_copy(update={"keep": "best"})
    fold_of, evidence = assign_folds(contest, run.config.folds), cache(lambda: evidence_of(run, contest))
    yield lambda: read_run(run.directory)
    yield lambda: run.test(contest.task)
    yield lambda: run.groups_of(pd.Index(contest.train["id"]))
    yield lambda: Run(run.directory, run.config.model_copy(update={"optim": best})).config_of_full()
    yield lambda: read_scores(run, contest.metric)
    yield lambda: environment_of(run)
    for what in ("done", "histories", "exhibits", "duplicates", "group_of", "notable"):
        yield lambda what=what: getattr(evidence(), what)
    yield lambda: compare_runs(run, run, contest)
    yield lambda: settle_folds(contest, run.config.folds.model_copy(update={"groups": "auto"}), audited(runs, contest))
    yield lambda: read_ledger(runs)
    yield lambda: write_leaderboard(contest.name, runs)
    yield lambda: changed_images(run, contest.train["id"], seen)
    yield lambda: open_run(run.config, contest, fold_of)
    yield lambda: gather(run, contest)


@pytest.mark.parametrize("name", [*OF_THE_RUN, *BESIDE])
def test_a_damaged_file_is_an_error_of_ours_or_not_needed(name: str, run: Run, whole: tuple[Run, Competition]) -> None:
    contest, path = whole[1], run.directory / name
    was = path.read_bytes()
    said = []
    for damage in WAYS.values():
        for look in looks(run, contest):
            path.write_bytes(damage(was))
            try:
                look()
            except InputError as error:
                said.append(str(error))
    if name in NEEDED:
        its = [one for one in said if re.match(rf"\S*{path.name}: (cannot be read|is damaged)", one)]
        assert its
        assert all("; " in one for one in its), "what to do about it is said"


@pytest.mark.parametrize("name", ["environment.json", "fold1/history.csv"])
def test_a_page_of_a_run_with_a_damaged_file(name: str, run: Run, whole: tuple[Run, Competition]) -> None:
    was = (run.directory / name).read_bytes()
    for way in ("empty", "other types", "a header alone", "no last line"):
        (run.directory / name).write_bytes(WAYS[way](was))
        try:
            write_report(run, whole[1])
        except InputError as error:
            assert name in str(error)  # noqa: PT017


def test_a_damaged_run_is_as_it_was_once_the_remedy_was_followed(run: Run, whole: tuple[Run, Competition]) -> None:
    contest = whole[1]
    before, fold_of = gather(run, contest), assign_folds(contest, run.config.folds)
    (run.directory / "folds.csv").write_bytes(b"id,fold\nt0,")
    with pytest.raises(FoldError, match=r"folds\.csv: cannot be read .*; delete .*environment\.json, and python train\.py --recipe .*anew"):
        open_run(run.config, contest, fold_of)
    (run.directory / "environment.json").unlink()
    assert gather(open_run(run.config, contest, fold_of), contest) == before
    (run.config.machine.runs / "ledger.csv").write_bytes(b"")
    with pytest.raises(FoldError, match=r"ledger\.csv: cannot be read .*; mend it, or move it away"):
        gather(run, contest)
    (run.config.machine.runs / "ledger.csv").unlink()
    assert gather(run, contest) == before


def test_scores_that_are_damaged_are_counted_anew(run: Run, whole: tuple[Run, Competition]) -> None:
    before = evidence_of(run, whole[1]).scores
    was = (run.directory / "scores.json").read_bytes()
    for damage in WAYS.values():
        (run.directory / "scores.json").write_bytes(damage(was))
        assert evidence_of(run, whole[1]).scores == before


def test_predictions_of_other_classes_and_types_are_refused(run: Run, whole: tuple[Run, Competition]) -> None:
    path, task = run.fold_directory(1) / "oof.parquet", whole[1].task
    table = pd.read_parquet(path)
    table.astype(str).to_parquet(path)
    with pytest.raises(InputError, match=r"predictions should be numbers, those of .* are not"):
        run.oof(task)
    table.drop(columns=task.classes[0]).to_parquet(path)
    with pytest.raises(InputError, match="out-of-fold predictions"):
        run.oof(task)


def test_rows_that_folds_csv_has_lost_are_named(run: Run, whole: tuple[Run, Competition]) -> None:
    (run.directory / "folds.csv").write_text("id,fold\nt0,0\n")
    with pytest.raises(FoldError, match=r"folds\.csv: is damaged \(23 rows that were held out are not in it: 't\d+'.*\); delete"):
        run.oof(whole[1].task)
