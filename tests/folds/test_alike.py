import numpy as np
import pandas as pd
import pytest

from folds.alike import correlation, correlations


def table(seed: int, rows: int = 50) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 2)), index=[f"r{row}" for row in range(rows)])


def test_known_correlations() -> None:
    """The order of rows, and what is the same for all of a column, do not count."""
    one = table(0)
    assert correlation(one, one.iloc[::-1] * 3 + [1, 100]) == pytest.approx(1)
    assert correlation(one, -one) == pytest.approx(-1)
    assert np.isnan(correlation(one, one.rename(index=lambda name: f"other {name}")))
    assert np.isnan(correlation(one, one * 0))


def test_each_two_of_several() -> None:
    tables = {"one": table(0), "two": table(1), "again": table(0)}
    found = correlations(tables)
    one, two = (tables[name].to_numpy() - tables[name].to_numpy().mean(axis=0) for name in ("one", "two"))
    assert found.loc["one", "two"] == pytest.approx(np.corrcoef(one.ravel(), two.ravel())[0, 1])
    assert found.loc["one", "again"] == pytest.approx(1)
    assert found.equals(found.T)
