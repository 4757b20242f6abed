import json
import os
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.atomic import write_json
from competition.config import Config, MachineConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.tables import as_table
from competition.task import KINDS, Kind
from folds.errors import FoldError
from folds.run import FULL, Run, git_commit, newest_run, open_run, read_run, read_runs, read_table, write_table
from folds.split import assign_folds
from tests.builders import make_competition, make_probs, make_table


def opened(runs: Path, contest: Competition, name: str = "run") -> Run:
    config = Config.model_validate({"name": name, "machine": {"runs": runs}})
    return open_run(config, contest, assign_folds(contest, config.folds))


def finished(run: Run, contest: Competition, fold: int, score: float = 0.5) -> pd.DataFrame:
    """The fold's out-of-fold table, after the fold was finished with it."""
    held = (run.fold_of() == fold).to_numpy()
    probs = make_probs(contest.task, len(contest.train), np.random.default_rng(fold))[held]
    table = as_table(contest.train["id"][held].tolist(), probs, contest.task)
    run.finish(fold, table, score, 1.5, "last")
    return table


def test_the_same_settings_open_the_same_run(tmp_path: Path) -> None:
    contest = make_competition()
    first = opened(tmp_path, contest)
    assert first.directory.parent == tmp_path / contest.name
    assert first.directory.name == f"run-{first.config.digest()}"
    before = {path: path.read_bytes() for path in first.directory.iterdir()}
    assert opened(tmp_path, contest) == first
    assert {path: path.read_bytes() for path in first.directory.iterdir()} == before
    assert {path.name for path in before} == {"config.toml", "environment.json", "folds.csv"}


def test_a_run_knows_its_groups_when_their_file_is_gone(tmp_path: Path) -> None:
    """A package has none, and predict.py may be started in another directory."""
    contest, ids = make_competition(), pd.Index(["t7", "t0", "t1"])
    assert opened(tmp_path, contest).groups_of(ids) is None
    asked = tmp_path / "groups.csv"
    asked.write_text('id,group\nt0,"a, b"\nt1,"a, b"\n', encoding="utf-8")
    config = Config.model_validate({"folds": {"groups": str(asked)}, "machine": {"runs": tmp_path}})
    run = open_run(config, contest, assign_folds(contest, config.folds))
    asked.unlink()
    groups = read_run(run.directory).groups_of(ids)
    assert groups is not None
    assert groups.tolist() == ["only t7", "a, b", "a, b"]


def test_a_run_whose_data_has_moved_says_where_it_is_now(tmp_path: Path) -> None:
    """What trains a fold in a process of its own goes by the run's config.toml."""
    contest = make_competition()

    def opened_at(source: str) -> Run:
        config = Config.model_validate({"competition": {"source": source}, "machine": {"runs": tmp_path}})
        return open_run(config, contest, assign_folds(contest, config.folds))

    first = opened_at("A/data.zip")
    assert opened_at("B/data.zip").directory == first.directory
    assert read_run(first.directory).config.competition.source == "B/data.zip"


def test_a_run_is_not_continued_on_other_folds(tmp_path: Path) -> None:
    contest = make_competition()
    config = Config.model_validate({"machine": {"runs": str(tmp_path)}})
    fold_of = assign_folds(contest, config.folds)
    open_run(config, contest, fold_of)
    fold_of.iloc[[3, 5]] = (fold_of.iloc[[3, 5]] + 1) % 5
    with pytest.raises(FoldError, match=r"the folds are not those that this run began with .*2 rows would move: 't3', 't5'; give the new"):
        open_run(config, contest, fold_of)


@pytest.mark.parametrize("change", ["labels", "ids", "rows"])
def test_a_run_is_not_continued_on_other_data(change: str, tmp_path: Path) -> None:
    contest = make_competition()
    opened(tmp_path, contest)
    other = {
        "labels": replace(contest, truth=contest.truth[::-1].copy()),
        "ids": replace(contest, train=contest.train.assign(id=[f"u{place}" for place in range(40)])),
        "rows": replace(contest, train=contest.train[:-1], truth=contest.truth[:-1]),
    }[change]
    with pytest.raises(FoldError, match="ids or labels of tests are not those that this run began with; give the new run another --name"):
        opened(tmp_path, other)
    opened(tmp_path, other, name="new")


def test_a_run_that_was_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    run = opened(tmp_path, make_competition())
    (run.directory / "environment.json").unlink()
    (run.directory / "folds.csv").write_text("id,fo", encoding="utf-8")
    assert opened(tmp_path, make_competition()).fold_of().nunique() == 5


def test_folds_of_one_run_in_two_directories_are_to_be_put_into_one(tmp_path: Path) -> None:
    """As the message says it; by name, one of the two would be left out of a blend without a word."""
    contest = make_competition()
    here, there = opened(tmp_path / "A", contest), opened(tmp_path / "B", contest)
    finished(here, contest, 0)
    finished(there, contest, 0)
    finished(there, contest, 3)
    with pytest.raises(FoldError, match="have one name, as parts of one run have: put their folds into one directory") as told:
        read_runs([here.directory, there.directory])
    command = str(told.value).partition(" (")[2].removesuffix(", and name that)")
    assert command == f"cp -r {there.directory / 'fold3'} {here.directory}"
    subprocess.run(shlex.split(command), check=True)
    assert read_runs([here.directory])[0].finished_folds() == [0, 3]
    with pytest.raises(FoldError, match=f"{here.directory} has them all"):
        read_runs([here.directory, there.directory])
    with pytest.raises(FoldError, match="is named twice; name it once"):
        read_runs([here.directory, Path(os.path.relpath(here.directory))])
    other = opened(tmp_path / "B", contest, name="other")
    assert [run.directory for run in read_runs([there.directory, other.directory])] == [there.directory, other.directory]


def test_a_run_is_read_back_from_its_directory(tmp_path: Path) -> None:
    run = opened(tmp_path, make_competition())
    assert read_run(run.directory).directory == run.directory
    assert read_run(run.directory).config == run.config.model_copy(update={"machine": MachineConfig()}), "all but where it ran"
    with pytest.raises(FoldError, match=r"is no run \(it has no config.toml\)"):
        read_run(tmp_path)
    (run.directory / "config.toml").write_text("[optim]\nepoch = 3", encoding="utf-8")
    with pytest.raises(CompetitionError, match=r"config\.toml: .*unknown key 'epoch': perhaps 'epochs'"):
        read_run(run.directory)


IDS = {
    "all kinds": ["007", "7", "1e3", "NA", "", "a,b", 'c"d', "nan", "é"],
    "numbers alone": ["007", "7", "010", "1e3", "3.0"],
    "ends of lines": ["a\rb", "c\nd", "e\r\nf", "a", "b"],
}


@pytest.mark.parametrize("case", IDS)
def test_fold_of_keeps_ids_as_text(case: str, tmp_path: Path) -> None:
    ids = IDS[case]
    contest = make_competition("regression", train_rows=len(ids))
    contest = replace(contest, train=pd.DataFrame({"id": ids, "image": contest.train["image"]}, dtype="str"))
    run = opened(tmp_path, contest)
    assert list(run.fold_of().index) == ids
    pd.testing.assert_series_equal(run.fold_of(), assign_folds(contest, run.config.folds), check_index_type=False)


def test_the_environment_says_what_it_ran_on(tmp_path: Path) -> None:
    run = opened(tmp_path, make_competition())
    facts = json.loads((run.directory / "environment.json").read_text(encoding="utf-8"))
    assert {"data", "machine"} <= facts.keys()
    assert (facts["python"], facts["git"]) == (platform.python_version(), git_commit())
    assert facts["packages"]["numpy"] == np.__version__


def test_the_commit_is_that_of_the_code_not_of_where_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    monkeypatch.setattr("folds.run.__file__", str(tmp_path / "run.py"))
    assert git_commit() == "", "it is under no version control"
    git("init", "--quiet")
    (tmp_path / "run.py").write_text("one")
    git("add", "run.py")
    git("commit", "--quiet", "--message", "one")
    git("tag", "v1")
    short = git("rev-parse", "--short", "HEAD")
    assert git_commit() == short
    (tmp_path / "run.py").write_text("two")
    assert git_commit() == f"{short}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == "", "there is no git"


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_fold_is_read_back(kind: Kind, tmp_path: Path) -> None:
    contest = make_competition(kind)
    run = opened(tmp_path, contest)
    assert run.finished_folds() == []
    assert len(run.oof(contest.task)) == 0
    tables = [finished(run, contest, fold) for fold in (3, 1)]
    assert run.finished_folds() == [1, 3]
    pd.testing.assert_frame_equal(run.oof(contest.task), pd.concat(tables[::-1]), check_index_type=False)
    facts = run.done(3)
    assert (facts["fold"], facts["score"], facts["seconds"], facts["weights_kept"]) == (3, 0.5, 1.5, "last")
    assert facts["git"] == git_commit()
    assert datetime.fromisoformat(facts["finished"]).utcoffset() == timedelta(0)
    written = pd.read_parquet(run.fold_directory(3) / "oof.parquet")
    assert list(written.columns) == ["id", "fold", *contest.task.classes]
    assert set(written["fold"]) == {3}


def test_test_predictions_are_those_of_all_finished_folds(tmp_path: Path) -> None:
    contest = make_competition()
    run = opened(tmp_path, contest)
    finished(run, contest, 0)
    with pytest.raises(FoldError, match=r"its test images are not predicted yet: python predict.py .* makes it"):
        run.test(contest.task)
    run.write_test(make_table(contest), ("identity", "mirrored"))
    table, views = run.test(contest.task)
    pd.testing.assert_frame_equal(table, make_table(contest))
    assert views == ("identity", "mirrored")
    assert json.loads((run.directory / "test.json").read_text())["members"] == "folds"
    finished(run, contest, 1)
    with pytest.raises(FoldError, match=r"were predicted by folds \[0\], finished are now \[0, 1\]: python predict.py"):
        run.test(contest.task)


def test_members_are_the_finished_folds_the_model_of_all_rows_or_both(tmp_path: Path) -> None:
    contest = make_competition()
    run = opened(tmp_path, contest)
    finished(run, contest, 1)
    finished(run, contest, 0)
    folds = [run.directory / "fold0", run.directory / "fold1"]
    assert run.members("folds") == folds
    for which in ("full", "both"):
        with pytest.raises(FoldError, match=r"no model of all rows: python train.py --recipe .*config.toml --fold full"):
            run.members(which)
    write_json(run.fold_directory(FULL) / "done.json", {})
    assert run.members("full") == [run.directory / "full"]
    assert run.members("both") == [*folds, run.directory / "full"]
    assert run.finished_folds() == [0, 1], "without the one of all rows"


def trained(runs: Path, best_epochs: list[int], **optim: object) -> Run:
    """A run of two folds, each best by accuracy at the epoch that is named."""
    contest = make_competition()
    config = Config.model_validate(
        {"folds": {"count": 2}, "competition": {"metric": "accuracy"}, "optim": {"epochs": 9} | optim, "machine": {"runs": runs}}
    )
    run = open_run(config, contest, assign_folds(contest, config.folds))
    for fold, best in enumerate(best_epochs):
        same = {"seconds": 1.0, "lr": 0.1, "train_loss": 1.0, "held_out_loss": 1.0}
        rows = [{"epoch": epoch, **same, "accuracy": 0.5 + (epoch == best) / 4} for epoch in range(1, 10)]
        run.fold_directory(fold).mkdir()
        pd.DataFrame(rows).to_csv(run.fold_directory(fold) / "history.csv", index=False)
        write_json(run.fold_directory(fold) / "done.json", {})
    return run


def test_the_model_of_all_rows_has_the_epochs_that_the_folds_taught(tmp_path: Path) -> None:
    run = trained(tmp_path, [3, 7], keep="best")
    assert run.config_of_full().optim == run.config.optim.model_copy(update={"epochs": 5, "keep": "last"})
    assert run.config_of_full().model_copy(update={"optim": run.config.optim}) == run.config
    assert trained(tmp_path / "soon", [1, 1], keep="best").config_of_full().optim.epochs == 1


@pytest.mark.parametrize("optim", [{}, {"keep": "best", "method": "probe"}])
def test_the_model_of_all_rows_is_else_fitted_as_the_folds_were(optim: dict[str, object], tmp_path: Path) -> None:
    run = trained(tmp_path, [3, 7], **optim)
    assert run.config_of_full() == run.config


def test_a_model_of_all_rows_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(FoldError, match=r"--fold full: the folds come first, and '1' of .* are not finished: --fold all"):
        trained(tmp_path / "a", [3], keep="best").config_of_full()
    with pytest.raises(FoldError, match="--fold full: the schedule `plateau` follows a held-out loss, and nothing is held out here"):
        trained(tmp_path / "b", [3, 7], schedule="plateau").config_of_full()


def test_folds_whose_metric_is_never_defined_teach_no_epochs(tmp_path: Path) -> None:
    run = trained(tmp_path, [3, 7], keep="best")
    for fold, epochs in ((0, 7), (1, None)):
        path = run.fold_directory(fold) / "history.csv"
        pd.read_csv(path).assign(accuracy=float("nan")).to_csv(path, index=False)
        if epochs:
            assert run.config_of_full().optim.epochs == epochs
    with pytest.raises(FoldError, match=r"--fold full: no fold of .* has an epoch whose accuracy is defined: --optim\.keep last"):
        run.config_of_full()


def test_a_finished_fold_clears_what_it_was_resumed_from(tmp_path: Path) -> None:
    contest = make_competition()
    run = opened(tmp_path, contest)
    (run.fold_directory(0) / "resume").mkdir(parents=True)
    (run.fold_directory(0) / "resume" / "state.safetensors").touch()
    finished(run, contest, 0)
    assert not (run.fold_directory(0) / "resume").exists()


@pytest.mark.parametrize("name", ["id", "fold"])
def test_a_class_that_no_table_could_hold_is_an_error_before_anything_is_trained(name: str, tmp_path: Path) -> None:
    with pytest.raises(FoldError, match=f"a class cannot be called '{name}', which out-of-fold tables keep for themselves"):
        opened(tmp_path, make_competition(classes=("a", name, "index")))


def test_a_class_may_be_called_index(tmp_path: Path) -> None:
    contest = make_competition(classes=("a", "b", "index"))
    run = opened(tmp_path, contest)
    table = finished(run, contest, 0)
    pd.testing.assert_frame_equal(run.oof(contest.task), table, check_index_type=False)


def test_a_score_that_is_not_defined_is_written(tmp_path: Path) -> None:
    contest = make_competition()
    run = opened(tmp_path, contest)
    finished(run, contest, 0, score=float("nan"))
    assert run.done(0)["score"] is None


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_a_damaged_table_is_named_with_the_remedy(content: bytes | None, tmp_path: Path) -> None:
    contest = make_competition()
    run = opened(tmp_path, contest)
    finished(run, contest, 0)
    path = run.fold_directory(0) / "oof.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FoldError, match=r"fold0/oof.parquet: cannot be read .*; delete the fold's directory to train it again"):
        run.oof(contest.task)


def test_a_table_without_ids_is_no_table(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FoldError, match="cannot be read"):
        read_table(tmp_path / "a.parquet")


def test_a_table_that_could_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1.0]}, index=pd.Index(["x"], name="id"))
    write_table(tmp_path / "t.parquet", table)
    with pytest.raises(Exception, match="object"):
        write_table(tmp_path / "t.parquet", pd.DataFrame({"a": [object()]}, index=table.index))
    assert read_table(tmp_path / "t.parquet")["a"].tolist() == [1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


HOLD = """
import sys
from pathlib import Path
from competition.config import Config
from folds.run import Run
with Run(Path(sys.argv[1]), Config()).training(0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_train_one_fold(tmp_path: Path) -> None:
    run = Run(tmp_path, Config())
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    text = "fold0: another process is training this fold; wait for it, or ask for other folds with --fold"
    with pytest.raises(FoldError, match=text), run.training(0):
        pass
    with run.training(1) as directory:
        assert directory == tmp_path / "fold1"
    child.kill()  # a lock does not outlive its holder
    child.communicate()
    with run.training(0) as directory:
        assert directory == tmp_path / "fold0"


def test_the_newest_run_is_the_one_that_finished_a_fold_last(tmp_path: Path) -> None:
    contest = make_competition()
    with pytest.raises(
        FoldError, match=f"no run of {contest.name} in .* has a finished fold: python train.py --competition {contest.name}"
    ):
        newest_run(tmp_path, contest.name)
    one, other = opened(tmp_path, contest, "b"), opened(tmp_path, contest, "a")
    with pytest.raises(FoldError, match="has a finished fold"):
        newest_run(tmp_path, contest.name)
    for number, (run, fold) in enumerate([(one, 0), (other, 0), (one, 1)]):
        finished(run, contest, fold)
        stamp = time.time() - 100 + number
        os.utime(run.fold_directory(fold) / "done.json", (stamp, stamp))
        assert [found.directory for found in newest_run(tmp_path, contest.name)] == [run.directory]
