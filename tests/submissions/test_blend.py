import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.errors import CompetitionError
from competition.task import KINDS, Kind
from submissions.blend import BLENDS, blend
from submissions.errors import SubmissionError
from tests.builders import make_competition, make_table

COMPETITION = make_competition("multiclass", rows=5)
TASK = COMPETITION.task


@pytest.mark.parametrize("how", BLENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_blended_with_itself_stays_as_it_is(how: str, kind: Kind) -> None:
    competition = make_competition(kind, rows=5)
    table = make_table(competition)
    pd.testing.assert_frame_equal(blend({"a": table, "b": table}, competition.task, how), table)
    pd.testing.assert_frame_equal(blend({"a": table}, competition.task, how), table)


@pytest.mark.parametrize("how", BLENDS)
@given(seed=st.integers(0, 2**32 - 1))
def test_rows_and_columns_are_aligned_by_name(how: str, seed: int) -> None:
    one, two = make_table(COMPETITION, seed=1), make_table(COMPETITION, seed=2)
    generator = np.random.default_rng(seed)
    shuffled = two.iloc[generator.permutation(5), generator.permutation(3)]
    pd.testing.assert_frame_equal(blend({"one": one, "two": shuffled}, TASK, how), blend({"one": one, "two": two}, TASK, how))


def test_the_mean_weighs_all_alike() -> None:
    one, two, three = (make_table(COMPETITION, seed) for seed in range(3))
    expected = (one.astype(float) + two + three) / 3
    assert blend({"1": one, "2": two, "3": three}, TASK).to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-7)


def test_tables_that_do_not_fit_are_named() -> None:
    one, two = make_table(COMPETITION), make_table(COMPETITION, seed=2)
    with pytest.raises(SubmissionError, match=r"there is no table to blend"):
        blend({}, TASK)
    with pytest.raises(
        SubmissionError, match=r"^two: ids differ, so it cannot be blended: 2 of one are missing \('00003', '00004'\)\. Predict"
    ):
        blend({"one": one, "two": two.iloc[:3]}, TASK)
    with pytest.raises(SubmissionError, match=r"two: ids differ, .* 1 of one are missing \('00000'\); 1 are not in one \('0'\)"):
        blend({"one": one, "two": two.rename(index={"00000": "0"})}, TASK)
    with pytest.raises(
        SubmissionError,
        match=r"two: classes differ, .* 1 of the competition are missing \('cat'\); 1 are not in the competition \('kitty'\)",
    ):
        blend({"one": one, "two": two.rename(columns={"cat": "kitty"})}, TASK)
    with pytest.raises(CompetitionError, match=r"two: ids repeat: '00000'"):
        blend({"one": one, "two": pd.concat([two, two.iloc[:1]])}, TASK)
    with pytest.raises(CompetitionError, match=r"unknown blend 'meen': perhaps 'mean'"):
        blend({"one": one}, TASK, "meen")
