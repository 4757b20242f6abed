from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.contest import Answer, Competition
from competition.decisions import FEWEST_POSITIVES, RULES, RULES_OF, best_threshold, decided, fit_decision, score_answers
from competition.metrics import METRICS, score
from competition.tables import as_table, check_table
from competition.task import Kind
from tests.builders import make_competition, make_probs

ROWS = 400
ANSWERS: dict[Kind, Answer] = {
    "binary": "label",
    "multiclass": "label",
    "ordinal": "label",
    "multilabel": "labels",
    "regression": "number",
}
CASES: list[tuple[str, Kind]] = [
    (metric, kind)
    for metric, names in RULES_OF.items()
    for kind in ANSWERS
    if kind in METRICS[metric].tasks and any(kind in RULES[name].tasks for name in names)
]
Case = tuple[Competition, pd.DataFrame, np.ndarray, pd.Series]


def shy(metric: str, kind: Kind, seed: int = 0) -> Case:
    """A competition whose predictions order rows well and lean to one side: out-of-fold table, truth and folds."""
    answer = ANSWERS[kind]
    if RULES_OF[metric] == ("temperature",):
        answer = "probability" if kind == "binary" else "probabilities"
    contest = make_competition(kind, metric=metric, answer=answer, train_rows=ROWS, seed=seed)
    generator = np.random.default_rng(seed)
    truth, count = contest.truth, contest.truth.shape[1]
    if kind == "regression":
        truth = generator.integers(0, 6, (ROWS, 1)).astype(np.float32)
        noise = 0.15 * generator.standard_normal((ROWS, 1))
        probs = truth + noise if metric == "mae" else 0.5 * truth + 0.7 + noise
    elif kind == "multilabel" and answer == "probabilities":  # surer than right
        probs = 1 / (1 + np.exp(3 - 6 * truth - 6 * generator.standard_normal(truth.shape)))
    elif kind == "multilabel":
        probs = 0.1 + 0.15 * truth + 0.2 * generator.random(truth.shape)
    else:
        often = np.where(np.arange(count) == 0, 8, 1) / (7 + count)
        truth = np.eye(count, dtype=np.float32)[generator.choice(count, ROWS, p=often)]
        near = np.exp(-0.5 * (np.arange(count) - truth.argmax(axis=1)[:, None] + 0.5 * generator.standard_normal((ROWS, 1))) ** 2)
        probs = near * often**2.5
        probs /= probs.sum(axis=1, keepdims=True)
    contest = replace(contest, truth=truth)
    ids = contest.train["id"].tolist()
    return contest, as_table(ids, probs, contest.task), truth, pd.Series(np.arange(ROWS) % 4, index=ids)


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_what_leans_is_put_right_and_the_nested_score_flatters_less(metric: str, kind: Kind) -> None:
    contest, oof, truth, fold_of = shy(metric, kind)
    decision = fit_decision(contest, oof, truth, fold_of)
    assert decision is not None
    sign = 1 if METRICS[metric].greater_is_better else -1
    assert sign * decision.plain + 0.005 < sign * decision.nested
    assert sign * decision.nested < sign * decision.fitted + 0.06
    assert decision.plain == pytest.approx(score_answers(contest, truth, oof.to_numpy()))
    moved = check_table(decided(oof, contest, decision), contest.task)
    assert score_answers(contest, truth, moved.to_numpy()) == pytest.approx(decision.fitted)
    assert decision == fit_decision(contest, oof, truth, fold_of)
    assert f"{metric} {decision.plain:.5f} without, {decision.nested:.5f} nested" in decision.report(metric)


def test_nested_is_below_fitted_in_the_mean() -> None:
    gaps = []
    for seed in range(6):
        for metric, kind in CASES:
            found = fit_decision(*shy(metric, kind, seed))
            if found is not None:
                gaps.append((found.fitted - found.nested) * (1 if METRICS[metric].greater_is_better else -1))
    assert np.mean(gaps) > 0


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_on_noise_a_decision_brings_nothing(metric: str, kind: Kind) -> None:
    """What was fitted to noise is no better on other noise than any fixed answer: it has learnt how often things are, and no more."""
    contest, _, truth, fold_of = shy(metric, kind)
    probs = make_probs(contest.task, ROWS, np.random.default_rng(7)) * (0.05 if kind == "regression" else 1)
    found = fit_decision(contest, as_table(contest.train["id"].tolist(), probs, contest.task), truth, fold_of)
    if METRICS[metric].greater_is_better and metric in ("mcc", "kappa", "qwk", "balanced_accuracy"):
        chance = 1 / truth.shape[1] if metric == "balanced_accuracy" else 0.0
        assert found is None or found.nested < chance + 0.1


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_each_fold_is_decided_by_the_others(metric: str, kind: Kind) -> None:
    """Whatever the truth of a fold's own rows, their decision is the same; by hand: fit on the others, move, score all at once."""
    contest, oof, truth, fold_of = shy(metric, kind)
    decision = fit_decision(contest, oof, truth, fold_of)
    assert decision is not None
    rule, probs = RULES[decision.rule], oof.to_numpy(dtype=np.float64)
    sign = 1 if METRICS[metric].greater_is_better else -1
    moved = np.empty_like(probs)
    for fold in range(4):
        held = (fold_of == fold).to_numpy()
        rest = truth[~held]
        values = rule.fit(rest, probs[~held], contest.task, lambda table, rest=rest: sign * score_answers(contest, rest, table), rule.move)
        moved[held] = rule.move(probs[held], values, contest.task)
    assert decision.nested == pytest.approx(score_answers(contest, truth, moved))


@pytest.mark.parametrize(("metric", "kind"), CASES)
def test_what_is_sure_and_right_needs_no_decision(metric: str, kind: Kind) -> None:
    contest, oof, truth, fold_of = shy(metric, kind)
    assert fit_decision(contest, as_table(oof.index, truth, contest.task), truth, fold_of) is None


@pytest.mark.parametrize("name", RULES)
def test_a_rule_keeps_a_table_a_table_and_serves_a_metric(name: str) -> None:
    assert any(name in names for names in RULES_OF.values())
    for kind in RULES[name].tasks:
        metric = next(metric for metric, names in RULES_OF.items() if name in names and kind in METRICS[metric].tasks)
        contest, oof, truth, _ = shy(metric, kind)
        probs = oof.to_numpy(dtype=np.float64)
        values = RULES[name].fit(truth, probs, contest.task, lambda table: score_answers(contest, truth, table), RULES[name].move)  # noqa: B023
        as_table(oof.index, RULES[name].move(probs, values, contest.task), contest.task)


def test_where_nothing_is_to_be_decided() -> None:
    contest, oof, truth, fold_of = shy("f1_micro", "multilabel")
    assert fit_decision(replace(contest, metric="roc_auc"), oof, truth, fold_of) is None
    asked = replace(contest.submission, answer="probabilities")
    assert fit_decision(replace(contest, submission=asked), oof, truth, fold_of) is None
    assert decided(oof, contest, None) is oof


def test_the_nested_score_has_parts_where_one_fold_is_done() -> None:
    contest, oof, truth, fold_of = shy("f1_micro", "multilabel")
    decision = fit_decision(contest, oof, truth, fold_of * 0)
    assert decision is not None
    assert decision.nested <= decision.fitted


def test_numbers_with_fractions_are_not_rounded() -> None:
    contest, oof, truth, fold_of = shy("mae", "regression")
    assert fit_decision(replace(contest, truth=truth + 0.5), oof, truth + 0.5, fold_of) is None


def test_cut_points_lie_where_the_grades_were_planted() -> None:
    """Numbers are half the grade and 0.7 more: one ends halfway to the next."""
    contest, oof, truth, fold_of = shy("qwk", "regression")
    decision = fit_decision(contest, oof, truth, fold_of)
    assert decision is not None
    assert (decision.rule, list(decision.values)) == ("cut points", ["0 | 1", "1 | 2", "2 | 3", "3 | 4", "4 | 5"])
    assert list(decision.values.values()) == pytest.approx([0.95, 1.45, 1.95, 2.45, 2.95], abs=0.15)
    assert all(low < high for low, high in pairwise(decision.values.values()))


def test_rows_may_stay_empty_where_training_rows_are() -> None:
    contest, oof, truth, fold_of = shy("f1_samples", "multilabel")
    truth = truth.copy()
    truth[::3] = 0
    probs = 0.1 + 0.3 * truth + 0.2 * np.random.default_rng(0).random(truth.shape)
    empty = replace(contest, truth=truth)
    assert empty.may_be_empty
    assert not contest.may_be_empty
    found = fit_decision(empty, as_table(oof.index, probs, contest.task), truth, fold_of)
    assert found is not None
    assert found.nested > 0.95
    assert "at least one" not in found.rule
    always = fit_decision(contest, as_table(oof.index, probs, contest.task), contest.truth, fold_of)
    assert always is None or "at least one" not in always.rule, "it differs from another rule only where rows may be empty"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.8, 1.0])), min_size=1, max_size=12))
def test_no_threshold_has_a_better_f1(cells: list[tuple[bool, float]]) -> None:
    truth = np.array([true for true, _ in cells], np.float32)
    probs = np.array([size for _, size in cells])

    def f1(threshold: float) -> float:
        chosen = probs >= threshold
        return 2 * truth[chosen].sum() / (chosen.sum() + truth.sum()) if truth.any() else 0.0

    assert f1(best_threshold(truth, probs)) >= max(f1(cut) for cut in (0, 0.05, 0.2, 0.3, 0.5, 0.9)) - 1e-9


def test_all_are_chosen_where_that_is_best_also_zeros() -> None:
    truth, probs = np.array([1, 1, 0], np.float32), np.array([0.0, 0, 1])
    assert best_threshold(truth, probs) == 0
    assert best_threshold(truth, np.array([1e-5, 1e-5, 1])) == 0
    assert best_threshold(truth, np.array([0.4, 0.4, 1])) == 0.2
    assert best_threshold(1 - truth, np.array([0.0, 0, 0.5])) == 0.25


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_a_threshold_that_chooses_all_moves_all_to_the_chosen(kind: Kind) -> None:
    """Two of three rows hold, and are given 0: whoever answers that all hold has an F1 of 0.8."""
    true = np.tile([1.0, 1, 0], 60)[:, None]
    contest = make_competition(kind, metric="f1" if kind == "binary" else "f1_macro", answer="labels", train_rows=180)
    task = contest.task
    truth = np.hstack([1 - true, true]) if kind == "binary" else np.repeat(true, len(task.classes), axis=1)
    for name, rule in RULES.items():
        if "threshold" in name and kind in rule.tasks:
            values = rule.fit(truth, 1 - truth, task, lambda table: score(contest.metric, truth, table, task), rule.move)
            moved = rule.move(1 - truth, values, task)
            assert score(contest.metric, truth, moved, task) == pytest.approx(0.8)
            assert ((moved >= 0) & (moved <= 1)).all()


def test_a_class_that_rarely_holds_has_the_threshold_of_all() -> None:
    contest, oof, truth, _ = shy("f1_macro", "multilabel")
    truth = truth.copy()
    truth[FEWEST_POSITIVES - 1 :, 3] = 0
    one, each = (
        RULES[name].fit(truth, oof.to_numpy(), contest.task, lambda table: score("f1_macro", truth, table, contest.task), RULES[name].move)
        for name in ("one threshold", "a threshold a label")
    )
    assert each[contest.task.classes[3]] == one["all"]
    assert len(set(each.values())) > 2


@pytest.mark.parametrize("metric", RULES_OF)
def test_rules_are_of_metrics_that_decide(metric: str) -> None:
    assert METRICS[metric].needs == "labels" or RULES_OF[metric] in (("whole numbers",), ("temperature",))
    assert set(RULES_OF[metric]) <= set(RULES)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "ordinal", "multilabel"])
def test_a_temperature_takes_back_what_made_predictions_too_sure(kind: Kind) -> None:
    """Truth drawn by the probabilities, which then are sharpened: the temperature is that of the sharpening, out of fold too."""
    contest = make_competition(kind, metric="log_loss", answer="probability" if kind == "binary" else "probabilities", train_rows=4000)
    generator, task = np.random.default_rng(0), contest.task
    honest = make_probs(task, 4000, generator).astype(float)
    drawn = generator.random((4000, 1))
    one = np.eye(len(task.classes))[np.minimum((honest.cumsum(axis=1) < drawn).sum(axis=1), len(task.classes) - 1)]
    truth = (one if task.one_of_many else generator.random(honest.shape) < honest).astype(np.float32)
    sharp = honest**2.5 / ((honest**2.5).sum(axis=1, keepdims=True) if task.one_of_many else honest**2.5 + (1 - honest) ** 2.5)
    ids = contest.train["id"].tolist()
    decision = fit_decision(replace(contest, truth=truth), as_table(ids, sharp, task), truth, pd.Series(np.arange(4000) % 4, index=ids))
    assert decision is not None
    assert decision.values["temperature"] == pytest.approx(2.5, rel=0.1)
    assert decision.nested == pytest.approx(score("log_loss", truth, honest, task), rel=0.01)
