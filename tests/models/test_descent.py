from pathlib import Path

import numpy as np
import pytest

from competition.figures import write_png
from models.__main__ import RATES, START, STEPS, main
from models.descent import bowl, descend, drawn, slope
from models.errors import ModelError


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
def test_a_path_is_the_closed_form_of_a_quadratic(rate: float) -> None:
    """Each step multiplies x by 1 - 2 r and y by 1 - 2 * 2.6 r."""
    path = descend(rate, (1.5, -0.7), 20)
    step = np.arange(21)
    np.testing.assert_allclose(path.points, np.column_stack([1.5 * (1 - 2 * rate) ** step, -0.7 * (1 - 5.2 * rate) ** step]))
    np.testing.assert_allclose(path.values, path.points[:, 0] ** 2 + 2.6 * path.points[:, 1] ** 2)


def test_the_gradient_is_that_of_the_value() -> None:
    point, small = np.array([0.4, -1.2]), 1e-6
    differences = [(bowl(point + small * axis) - bowl(point - small * axis)) / (2 * small) for axis in np.eye(2)]
    np.testing.assert_allclose(slope(point), differences, rtol=1e-6)


def test_the_three_characters() -> None:
    slow, right, wild = (descend(rate, START, STEPS) for rate in RATES)
    assert [path.fate for path in (slow, right, wild)] == ["on its way", "converged", "diverged"]
    assert [f"{path.values[-1]:.2g}" for path in (slow, right, wild)] == ["0.51", "5.3e-07", "9.4e+10"]
    assert len(slow.values) == len(right.values) == STEPS + 1
    assert len(wild.values) == 3 + 1, "nobody waits for infinity"


def test_a_rate_just_above_what_is_stable_rises() -> None:
    assert descend(2 / 5.2 + 0.01, (1, 1), 10).fate == "rises"
    assert descend(2 / 5.2 - 0.01, (1, 1), 10).fate == "on its way"


def test_a_rate_beyond_all_numbers_has_diverged() -> None:
    assert descend(1e300, (1e10, 1), 5).fate == "diverged"


@pytest.mark.parametrize(
    ("rate", "start", "steps", "match"),
    [
        (0.0, (1, 1), 5, "a rate above 0"),
        (-0.1, (1, 1), 5, "not rate -0.1"),
        (float("nan"), (1, 1), 5, "a rate above 0"),
        (0.1, (float("inf"), 1), 5, "a finite start"),
        (0.1, (1, 1), 0, "0 steps"),
        (0.1, (0, 0), 5, "--start 0 0 is the minimum itself"),
    ],
)
def test_what_leads_nowhere_is_refused(rate: float, start: tuple[float, float], steps: int, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        descend(rate, start, steps)


def test_a_picture_is_drawn_of_any_paths(tmp_path: Path) -> None:
    write_png(tmp_path / "paths.png", drawn([descend(rate, (-0.5, 2), 4) for rate in (0.5, 1e300, 0.02, 1, 2, 3, 4)]))
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


def test_the_front_door_tells_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["descent", "--output", str(tmp_path / "descent.png")]) == 0
    told = capsys.readouterr().out
    for line in ("0.51  on its way", "5.3e-07  converged", "9.4e+10  diverged"):
        assert line in told
    assert (tmp_path / "descent.png").read_bytes().startswith(b"\x89PNG")
    assert main(["descent", "--rates", "0.2", "--start", "0", "0", "--output", str(tmp_path / "none.png")]) == 2
    assert not (tmp_path / "none.png").exists()
