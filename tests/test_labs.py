"""The five labs from end to end, as `make labs-quick` runs them: every recipe of competition/recipes/labs, and a submission of each lab."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.labs import LABS, THINGS
from competition.settings import RECIPES, train_config
from models.labs import LABS as NETWORKS
from models.study import STUDIES, read_study, study_file

ROOT = Path(__file__).parent.parent
OF_LABS = sorted(f"labs/{path.stem}" for path in (RECIPES / "labs").glob("*.toml"))


def test_all_labs_run_from_end_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.labs", "--place", "made"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=550
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for recipe in OF_LABS:
        assert list((tmp_path / "made" / "runs").glob(f"*/{recipe.replace('/', '-')}-*/fold0/done.json")), recipe
    assert (tmp_path / "made" / "descent.png").is_file()
    assert "Total params: 175,812" in done.stdout
    assert all(measure in done.stdout for measure in ("f1_macro", "mcc", "class by class"))
    written = pd.read_csv(tmp_path / "made" / "cifar-10.csv", dtype=str)
    assert (len(written), list(written.columns)) == (20, ["id", "label"])
    assert set(written["label"]) <= set(THINGS)
    assert len(pd.read_csv(tmp_path / "made" / "brain-tumor-mri.csv")) == 8


def test_every_recipe_of_the_labs_is_among_those_that_run() -> None:
    assert sorted(recipe for lab in LABS.values() for recipe in lab.recipes) == OF_LABS


def test_every_network_of_the_labs_is_in_a_recipe_or_a_study() -> None:
    told = "".join(path.read_text(encoding="utf-8") for folder in (RECIPES, STUDIES) for path in folder.rglob("*.toml"))
    assert not [name for name in NETWORKS if f"labs/{name}" not in told]


@pytest.mark.parametrize("recipe", OF_LABS)
def test_a_recipe_of_the_labs_says_what_it_is_and_how_it_is_run(recipe: str) -> None:
    header = (RECIPES / f"{recipe}.toml").read_text(encoding="utf-8").splitlines()
    assert header[0].startswith("# Lab ")
    assert f"python train.py --recipe {recipe} --competition " in header[1]
    assert any("docs/labs.md" in line for line in header if line.startswith("#"))
    config = train_config(["--recipe", recipe])
    told = (config.data.size_px, config.optim.epochs, config.optim.batch, config.optim.lr, config.augment.strength, config.model.backbone)
    assert "auto" not in told, "it is the same whatever the machine"


@pytest.mark.parametrize("study", sorted(path.stem for path in (STUDIES / "labs").glob("*.toml")))
def test_a_study_of_the_labs_fits_its_recipe(study: str) -> None:
    path = study_file(f"labs/{study}")
    found = read_study(path)
    assert found.base["model"]["weights"] == "none", "the recipe is below it"
    assert found.sampler == "grid"
    assert f"python -m models study labs/{study}" in path.read_text(encoding="utf-8")
