"""Laws over random tables, folds, submissions and settings."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from competition.config import CompetitionConfig, Config, DataConfig, FoldsConfig
from competition.contest import Answer, Competition
from competition.errors import InputError
from competition.settings import read_recipe, validated, write_toml
from competition.task import KINDS, Kind
from competition.text_tables import parse_delimited
from folds.split import assign_folds
from submissions.check import check
from submissions.format import FORMATS, csv_text, submission_frame
from tests.builders import make_competition, make_table

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")
CELL = st.text(LETTERS, max_size=12).map(str.strip)
WORD = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(lambda name: name and not name.startswith("Unnamed: "))
ODD = (
    "007",
    "7",
    "7.0",
    "1e5",
    "NA",
    "nan",
    "None",
    "true",
    "a,b",
    '"',
    '"a"',
    "a b",
    "a  b",
    "a;b",
    "a|b",
    "#a",
    "=1+1",
    "é",
    "e\u0301",
    "猫",
)
NAME = st.sampled_from(ODD) | WORD.filter(lambda name: name != "id")
FEWEST_AND_MOST: dict[Kind, tuple[int, int]] = {
    "binary": (2, 2),
    "multiclass": (2, 6),
    "ordinal": (2, 6),
    "multilabel": (1, 6),
    "regression": (1, 1),
}
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    header = draw(st.lists(WORD, min_size=2, max_size=4, unique=True))
    row = st.lists(CELL, min_size=len(header), max_size=len(header)).filter(any)
    return header, draw(st.lists(row, min_size=1, max_size=6))


@SLOW
@given(
    table=tables(),
    delimiter=st.sampled_from(",\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8-sig", "utf-16"]),
)
def test_a_table_is_read_as_it_was_written(table: tuple[list[str], list[list[str]]], delimiter: str, end: str, encoding: str) -> None:
    header, rows = table
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    read, note = parse_delimited(text.getvalue().encode(encoding), "t.csv", delimiter)
    assert not note
    assert read.columns.tolist() == header
    assert read.to_numpy().tolist() == rows


@SLOW
@given(table=tables(), more=st.lists(CELL.filter(bool), min_size=1, max_size=3), data=st.data())
def test_a_cell_beyond_the_header_is_never_lost(table: tuple[list[str], list[list[str]]], more: list[str], data: st.DataObject) -> None:
    header, rows = table
    torn = data.draw(st.integers(0, len(rows) - 1))
    rows[torn] = rows[torn] + more
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows])
    with pytest.raises(InputError, match=rf"t.csv: line {torn + 2} has {len(rows[torn])} cells, and the header {len(header)}"):
        parse_delimited(text.getvalue().encode(), "t.csv", ",")


@SLOW
@given(kind=st.sampled_from(KINDS), rows=st.integers(2, 40), count=st.integers(2, 6), seed=st.integers(0, 2**32 - 1))
def test_folds_hold_each_row_out_once_or_say_why_not(kind: Kind, rows: int, count: int, seed: int) -> None:
    contest = make_competition(kind, train_rows=rows, seed=seed % 1000)
    config = FoldsConfig(count=count, seed=seed)
    if rows < count:
        with pytest.raises(InputError, match=rf"{rows} training rows cannot be cut into {count} folds"):
            assign_folds(contest, config)
        return
    fold_of = assign_folds(contest, config)
    assert fold_of.index.tolist() == contest.train["id"].tolist()
    assert set(fold_of) == set(range(count))


@st.composite
def contests(draw: st.DrawFn) -> Competition:
    """Competitions of each kind and answer, whose ids and classes are called anything; names in one cell can be told apart."""
    pairs: list[tuple[Answer, Kind]] = [(answer, kind) for answer, form in FORMATS.items() for kind in form.tasks]
    answer, kind = draw(st.sampled_from(pairs))
    separator = draw(st.sampled_from(" ,;|")) if answer == "labels" else " "
    fewest, most = FEWEST_AND_MOST[kind]
    apart = NAME.filter(lambda name: len(name.split()) == 1 and separator not in name) if answer in ("labels", "ranked") else NAME
    classes = draw(st.lists(apart, min_size=fewest, max_size=most, unique=True))
    ids = draw(st.lists(NAME, min_size=1, max_size=12, unique=True))
    return make_competition(kind, ids=ids, answer=answer, classes=tuple(classes), seed=draw(st.integers(0, 999)), separator=separator)


@settings(SLOW, max_examples=150)
@given(contest=contests(), seed=st.integers(0, 999))
def test_what_is_written_passes_the_check_and_reads_back(contest: Competition, seed: int, tmp_path: Path) -> None:
    table = make_table(contest, seed)
    frame = submission_frame(table, contest)
    path = tmp_path / "s.csv"
    path.write_text(csv_text(frame), encoding="utf-8", newline="")
    assert [problem for problem in check(path, contest) if problem.severity == "error"] == []
    again, _ = parse_delimited(path.read_bytes(), "s.csv", ",")
    assert again["id"].tolist() == contest.test["id"].tolist()
    asked, names, probs = contest.submission, np.array(contest.task.classes, dtype=object), table.to_numpy()
    if asked.answer in ("probability", "probabilities", "number"):
        columns = list(asked.answer_columns)
        np.testing.assert_allclose(again[columns].to_numpy(float), frame[columns].to_numpy(float), rtol=1e-8)
    elif asked.answer == "label":
        assert again["target"].tolist() == names[probs.argmax(axis=1)].tolist()
    else:
        listed = [cell.split(asked.separator) if cell else [] for cell in again["target"]]
        if asked.answer == "ranked":
            assert listed == names[np.argsort(-probs, axis=1, kind="stable")[:, : asked.places]].tolist()
        else:
            for row, (told, sure) in enumerate(zip(listed, probs >= 0.5, strict=True)):
                assert set(told) >= set(names[sure]), row  # and where none is, or all rows would be single numbers, the likeliest beside
                assert told == [name for name in names if name in told], row
                assert len(told) <= max(1, sure.sum()) + all(name.isdecimal() for name in names), row


@SLOW
@given(
    config=st.builds(
        Config,
        competition=st.builds(CompetitionConfig, slug=CELL, labels=CELL, id_column=CELL, sample=CELL),
        folds=st.builds(FoldsConfig, count=st.integers(2, 100), seed=st.integers(0, 2**32 - 1), column=CELL),
        data=st.builds(
            DataConfig,
            size_px=st.just("auto") | st.integers(4, 4096),
            columns=st.lists(WORD, max_size=3).map(tuple),
            pseudo_sure=st.floats(0, 1),
        ),
    )
)
def test_settings_come_back_from_their_file(config: Config, tmp_path: Path) -> None:
    write_toml(tmp_path / "config.toml", config)
    back = validated(Config, read_recipe(str(tmp_path / "config.toml")), "x")
    assert back == config
    assert back.digest() == config.digest()
