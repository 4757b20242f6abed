from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import gmean, pmean, rankdata
from sklearn.linear_model import LogisticRegression, RidgeCV

from competition.config import CompetitionConfig, Config
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.metrics import score
from competition.tables import as_table
from competition.task import KINDS, ONE_OF_MANY, Kind
from folds.errors import FoldError
from folds.run import Run
from submissions.assemble import settle_blend
from submissions.blend import BAGS, BLENDS, MOST_PICKS, POWERS, blend, combined, fitted
from submissions.choose_blend import AUTO, EQUAL, settle, try_blends
from submissions.errors import SubmissionError
from tests.builders import make_competition, make_probs, make_table

COMPETITION = make_competition("multiclass", rows=5)
TASK = COMPETITION.task


RUNS = ["one", "two", "three"]
FITTING = [(how, kind) for how, one in BLENDS.items() for kind in one.tasks]


def worth(truth: np.ndarray, probs: np.ndarray) -> float:
    return -float(((truth - probs) ** 2).mean())


@cache
def some_values(how: str, kind: Kind, tables: int) -> np.ndarray:
    """What `how` is fitted to for random tables and truth."""
    competition = make_competition(kind, train_rows=60)
    generator = np.random.default_rng(0)
    stack = np.stack([make_probs(competition.task, 60, generator).astype(float) for _ in range(tables)])
    return fitted(how, stack, competition.truth, competition.task, worth)


@pytest.mark.parametrize(("how", "kind"), [pair for pair in FITTING if pair[0] != "stacking"])
def test_a_table_blended_with_itself_stays_as_it_is(how: str, kind: Kind) -> None:
    competition = make_competition(kind, rows=5)
    table = make_table(competition)
    for tables in ({"a": table, "b": table}, {"a": table}):
        same = blend(tables, competition.task, how, some_values(how, kind, len(tables)))
        pd.testing.assert_frame_equal(same, table, atol=2e-6)


@pytest.fixture(params=list(BLENDS))
def how_fitted(request: pytest.FixtureRequest) -> tuple[str, np.ndarray]:
    return request.param, some_values(request.param, "multiclass", 2)


@given(seed=st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rows_and_columns_are_aligned_by_name(how_fitted: tuple[str, np.ndarray], seed: int) -> None:
    one, two = make_table(COMPETITION, seed=1), make_table(COMPETITION, seed=2)
    generator = np.random.default_rng(seed)
    shuffled = two.iloc[generator.permutation(5), generator.permutation(3)]
    how, values = how_fitted
    expected = blend({"one": one, "two": two}, TASK, how, values)
    pd.testing.assert_frame_equal(blend({"one": one, "two": shuffled}, TASK, how, values), expected)


def informed(kind: Kind, rows: int, noises: Sequence[float], seed: int = 0) -> tuple[Competition, dict[str, pd.DataFrame], pd.Series]:
    """A competition, out-of-fold tables that know the truth but for noise of their own, and fold_of."""
    metric = {"binary": "log_loss", "multiclass": "log_loss", "ordinal": "log_loss", "multilabel": "log_loss", "regression": "rmse"}[kind]
    competition = make_competition(kind, train_rows=rows, metric=metric, seed=seed)
    generator, ids = np.random.default_rng(seed), competition.train["id"].tolist()
    tables = {}
    for name, noise in zip(RUNS, noises, strict=False):
        raw = competition.truth + noise * generator.normal(size=competition.truth.shape) * (30 if kind == "regression" else 1)
        probs = raw if kind == "regression" else 1 / (1 + np.exp(1 - 2 * raw))
        tables[name] = as_table(ids, probs / probs.sum(axis=1, keepdims=True) if competition.task.one_of_many else probs, competition.task)
    return competition, tables, pd.Series(np.arange(rows) % 4, index=pd.Index(ids, name="id"))


@pytest.mark.parametrize(("how", "kind"), FITTING)
def test_each_blend_of_good_tables_is_better_than_their_mean_score(how: str, kind: Kind) -> None:
    competition, tables, fold_of = informed(kind, 400, (0.8, 0.8, 0.8))
    trial = try_blends(tables, competition, fold_of, None, [how])[0]
    alone = np.mean([score(competition.metric, competition.truth, table, competition.task) for table in tables.values()])
    if how == "best":
        assert trial.nested.value == pytest.approx(alone, rel=0.1)
    else:
        assert trial.nested.value < alone  # log loss, RMSE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["best", "greedy", "stacking", AUTO])
def test_a_run_that_knows_nothing_is_left_out(how: str, kind: Kind) -> None:
    competition, tables, fold_of = informed(kind, 160, (0.3, 8.0, 8.0))
    trials = try_blends(tables, competition, fold_of, None, [EQUAL, how])
    used, why = settle(trials, how)
    assert used.asked == how
    assert used.proven
    assert "better than equal weights by" in why
    if used.used in ("best", "greedy", "stacking"):
        assert used.values[0] > 0.7 * used.values[:3].sum()


@pytest.mark.parametrize("how", [name for name in [*BLENDS, AUTO] if name != EQUAL])
def test_of_noise_no_blend_is_proven(how: str) -> None:
    """Labels that nothing predicts: what is fitted to them scores as chance on the other folds, and equal weights are used."""
    found = []
    for seed in range(10):
        competition = make_competition("binary", train_rows=200, metric="roc_auc", seed=seed)
        generator, ids = np.random.default_rng(seed), competition.train["id"].tolist()
        tables = {name: as_table(ids, make_probs(competition.task, 200, generator), competition.task) for name in RUNS}
        fold_of = pd.Series(np.arange(200) % 5, index=pd.Index(ids, name="id"))
        trials = try_blends(tables, competition, fold_of, None, [EQUAL, how])
        used, why = settle(trials, how)
        assert used.asked == EQUAL
        assert "may be chance; equal weights are used" in why
        found.append(trials[1].nested.value)
    assert np.mean(found) < 0.5 + 3 * 0.041 / np.sqrt(10), "0.041: the deviation of an AUC of 200 rows by chance"


def test_a_fitted_score_flatters_and_the_nested_one_does_not() -> None:
    """Twenty runs of noise: the best of them on all rows looks better than chance; nested, it does not."""
    competition = make_competition("binary", train_rows=200, metric="roc_auc")
    generator, ids = np.random.default_rng(0), competition.train["id"].tolist()
    tables = {f"run{n}": as_table(ids, make_probs(competition.task, 200, generator), competition.task) for n in range(20)}
    fold_of = pd.Series(np.arange(200) % 5, index=pd.Index(ids, name="id"))
    for trial in try_blends(tables, competition, fold_of, None, ["best", "greedy"]):
        assert trial.flattering > 0.55
        assert trial.nested.value < trial.flattering - 0.03
        assert trial.nested.low < 0.5


@pytest.mark.parametrize("how", [*BLENDS, AUTO])
def test_trials_ignore_the_order_of_rows(how: str) -> None:
    competition, tables, fold_of = informed("multiclass", 120, (0.5, 0.9))
    generator = np.random.default_rng(1)
    shuffled = {"one": tables["one"], "two": tables["two"].iloc[generator.permutation(120), generator.permutation(3)]}
    one = try_blends(tables, competition, fold_of, None, [how])[0]
    other = try_blends(shuffled, competition, fold_of.iloc[generator.permutation(120)], None, [how])[0]
    pd.testing.assert_frame_equal(one.oof, other.oof)
    np.testing.assert_array_equal(one.values, other.values)


def test_rows_of_one_fold_are_parted_all_the_same() -> None:
    competition, tables, fold_of = informed("binary", 100, (0.3, 5.0))
    trial = try_blends(tables, competition, fold_of * 0, None, ["greedy"])[0]
    assert trial.values[0] > 0.9


def test_a_blend_that_does_not_fit_is_refused() -> None:
    competition, tables, fold_of = informed("regression", 40, (0.5, 0.5))
    with pytest.raises(SubmissionError, match=r"blend 'power' does not fit a regression task: use mean, rank, best, greedy, stacking"):
        try_blends(tables, competition, fold_of, None, ["power"])
    with pytest.raises(SubmissionError, match=r"blend 'geometric' does not fit a regression task"):
        blend(tables, competition.task, "geometric")
    with pytest.raises(SubmissionError, match=r"blend 'greedy' needs values that were fitted"):
        blend(tables, competition.task, "greedy")
    with pytest.raises(CompetitionError, match=r"unknown blend 'gredy': perhaps 'greedy'"):
        try_blends(tables, competition, fold_of, None, ["gredy"])


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


def as_known(how: str, kind: Kind, rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three tables of the kind, T x N x K, none of them surer than 1e-4, their truth, and the values that `how` is fitted to with them."""
    competition, tables, _ = informed(kind, rows, (0.6, 1.2, 2.0))
    stack = np.stack([table.to_numpy(float) for table in tables.values()])
    if kind != "regression":
        stack = np.stack([rows_to_one(np.clip(table, 1e-4, 1 - 1e-4), kind) for table in stack])
    return stack, competition.truth, fitted(how, stack, competition.truth, competition.task, worth)


def blended(how: str, kind: Kind, stack: np.ndarray, values: np.ndarray) -> np.ndarray:
    return combined(how, stack, values, make_competition(kind).task)


def rows_to_one(table: np.ndarray, kind: Kind) -> np.ndarray:
    return table / table.sum(axis=1, keepdims=True) if kind in ONE_OF_MANY else table


@pytest.mark.parametrize("kind", BLENDS["geometric"].tasks)
def test_geometric_is_the_geometric_mean_of_scipy(kind: Kind) -> None:
    stack, _, values = as_known("geometric", kind)
    means = gmean(stack, axis=0)
    if kind == "multilabel":  # of probability and counter-probability
        means = means / (means + gmean(1 - stack, axis=0))
    np.testing.assert_allclose(blended("geometric", kind, stack, values), rows_to_one(means, kind), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_rank_puts_the_means_in_the_order_of_the_mean_ranks_of_scipy(kind: Kind) -> None:
    stack, _, values = as_known("rank", kind)
    expected = np.zeros(stack.shape[1:])
    for column in range(stack.shape[2]):
        ranks = np.mean([rankdata(table[:, column]) for table in stack], axis=0)
        means = sorted(np.mean([table[:, column] for table in stack], axis=0))
        for value, (_, row) in zip(means, sorted(zip(ranks, range(len(ranks)), strict=True)), strict=True):
            expected[row, column] = value
    if kind == "binary":
        expected[:, 0] = 1 - expected[:, 1]
    np.testing.assert_allclose(blended("rank", kind, stack, values), rows_to_one(expected, kind), rtol=1e-9)


@pytest.mark.parametrize("kind", BLENDS["power"].tasks)
def test_power_is_the_power_mean_of_scipy_of_the_best_power(kind: Kind) -> None:
    stack, truth, values = as_known("power", kind)
    means = {one: rows_to_one(np.asarray(pmean(stack, one, axis=0)), kind) for one in POWERS}
    assert worth(truth, means[float(values[0])]) == max(worth(truth, table) for table in means.values())
    for one, table in means.items():
        np.testing.assert_allclose(blended("power", kind, stack, np.array([one])), table, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_takes_what_trying_each_table_by_hand_takes(kind: Kind) -> None:
    stack, truth, values = as_known("greedy", kind)
    generator, shares = np.random.default_rng(0), np.zeros(len(stack))
    for _ in range(BAGS):
        rows = generator.permutation(len(truth))[: len(truth) // 2]
        picked: list[int] = []
        reached = -np.inf
        while len(picked) < MOST_PICKS:
            tried = {
                table: worth(truth[rows], np.mean([stack[one][rows] for one in [*picked, table]], axis=0)) for table in range(len(stack))
            }
            table = max(tried, key=lambda one: tried[one])
            if tried[table] <= reached:
                break
            picked, reached = [*picked, table], tried[table]
        shares += [picked.count(table) / len(picked) / BAGS for table in range(len(stack))]
    np.testing.assert_allclose(values, shares, rtol=1e-9)
    mixed = sum(share * table for share, table in zip(shares, stack, strict=True))
    np.testing.assert_allclose(blended("greedy", kind, stack, values), rows_to_one(np.asarray(mixed), kind), rtol=1e-9)


@pytest.mark.parametrize("kind", BLENDS["stacking"].tasks)
def test_stacking_predicts_what_scikit_learn_does(kind: Kind) -> None:
    """Of tables a, b, c the model sees their mean, and by how much each strays from it: the penalty draws the latter to nothing."""
    stack, truth, values = as_known("stacking", kind)
    used, true = (stack[:, :, 1:], truth[:, 1:]) if kind == "binary" else (stack, truth)
    cells = np.stack([table.ravel() for table in used], axis=1)
    if kind == "regression":
        mean = cells.mean(axis=1)
        alphas = np.logspace(-3, 3, 7) * cells.var() * len(cells) / 1000
        model = RidgeCV(alphas=alphas).fit(cells - mean[:, None], true.ravel() - mean)
        expected = mean + model.predict(cells - mean[:, None])
    else:
        seen = logit(cells)
        seen = np.column_stack([seen.mean(axis=1), seen - seen.mean(axis=1, keepdims=True)])
        expected = LogisticRegression(max_iter=1000).fit(seen, true.ravel() > 0.5).predict_proba(seen)[:, 1]
    table = expected.reshape(true.shape)
    whole = np.hstack([1 - table, table]) if kind == "binary" else rows_to_one(table, kind)
    np.testing.assert_allclose(blended("stacking", kind, stack, values), whole, rtol=1e-6)


def test_stacking_moves_two_classes_by_what_it_learned_to_add() -> None:
    """Both runs were trained on as many positives as negatives, while one in eight is positive."""
    competition, tables, _ = informed("binary", 2000, (0.5, 0.5))
    rare = np.flatnonzero((competition.truth[:, 0] > 0) | (np.arange(2000) % 7 == 0))
    stack = np.stack([table.to_numpy(dtype=float)[rare] for table in tables.values()])
    truth = competition.truth[rare]
    values = fitted("stacking", stack, truth, competition.task, worth)
    stacked = combined("stacking", stack, values, competition.task)
    assert stacked[:, 1].mean() == pytest.approx(truth[:, 1].mean(), abs=0.01)
    assert stack[:, :, 1].mean() > truth[:, 1].mean() + 0.1
    np.testing.assert_allclose(stacked.sum(axis=1), 1)


@pytest.mark.parametrize("tables", [1, 2])
def test_a_row_that_is_no_training_row_any_more_is_named(tables: int) -> None:
    competition, oofs, fold_of = informed("binary", 40, (0.5, 0.5)[:tables])
    fewer = replace(competition, train=competition.train[1:], truth=competition.truth[1:])
    with pytest.raises(FoldError, match="1 rows that were held out are no training rows any more: 't0'"):
        try_blends(oofs, fewer, fold_of, None, [EQUAL])


def test_runs_of_two_competitions_are_not_blended(tmp_path: Path) -> None:
    slugs = ("leaves", "leaves", "eyes")
    runs = [Run(tmp_path / str(place), Config(competition=CompetitionConfig(slug=slug))) for place, slug in enumerate(slugs)]
    with pytest.raises(SubmissionError, match=r"/0 and .*/2 are about different competitions and cannot be blended"):
        settle_blend(runs, COMPETITION, EQUAL)
