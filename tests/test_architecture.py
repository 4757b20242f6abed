"""The plan of the house holds: which room opens a door to which, what is imported when, and what is nowhere to be found."""

import ast
import gc
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from models import import_packages

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "competition": {"competition"},
    "folds": {"folds", "competition"},
    "models": {"models", "competition"},
    "submissions": {"submissions", "folds", "competition"},
    "reports": {"reports", "folds", "competition"},
}
KAGGLE_CHILD = ROOT / "competition" / "kaggle_child.py"  # started as a process of its own, imported by nobody
TORCH = {"torch", "torchvision", "timm", "albumentations", "accelerate", "torchinfo", "tensorboard"}
COME_ALONG = {"kagglesdk", "requests", "pydantic_core"}  # with kaggle and pydantic, whose parts they are
IF_THERE = {"mlflow", "google"}  # loggers that a person may have; colab is its notebook
MODULES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level names of all modules that the code imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_to_its_room(module: Path) -> None:
    room = module.relative_to(ROOT).parts[0]
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = set(imported(tree))
    ours = names & {*MAY_IMPORT, "tests", "train", "predict"}
    assert ours <= MAY_IMPORT[room], f"{room} may not import {ours - MAY_IMPORT[room]}"
    if module != KAGGLE_CHILD:
        assert not names & {"kaggle", "kagglesdk"}, "importing kaggle authenticates, prints and may call the network"
    else:
        assert not ours, "it is started by its path, and must not need the directory that it lies in"
    assert not names & {"pickle", "joblib", "dill", "shelve", "marshal"}
    if room != "models":
        assert not names & TORCH, "only models/ imports torch and what brings it along"
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert not asserts, "an assert is no answer to a user's input"
    assert ast.get_docstring(tree), "a module says what it is for"


def test_every_package_that_is_imported_is_declared() -> None:
    """Not only brought along by another, which may stop to."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for each in project["optional-dependencies"].values() for one in each)]
    declared = {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in wanted}
    names = {name for module in MODULES for name in imported(ast.parse(module.read_text(encoding="utf-8")))}
    of = packages_distributions()
    foreign = names - sys.stdlib_module_names - {*MAY_IMPORT} - COME_ALONG - IF_THERE
    unknown = {name for name in foreign if not declared & {each.lower().replace("_", "-") for each in of.get(name, [name])}}
    assert not unknown


def test_nobody_imports_what_imports_kaggle() -> None:
    importing = ("import kaggle_child", "from competition.kaggle_child", "from .kaggle_child")
    scripts = [ROOT / "train.py", ROOT / "predict.py"]
    assert not [path for path in [*MODULES, *scripts] if any(words in path.read_text(encoding="utf-8") for words in importing)]


def test_garbage_is_looked_for_again_after_the_imports() -> None:
    import_packages()
    assert gc.isenabled()
    assert {"torch", "timm", "albumentations"} <= sys.modules.keys()


def test_nothing_is_called_by_an_empty_name() -> None:
    empty = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "handler", "processor"}
    assert not [path for path in MODULES if set(path.stem.split("_")) & empty]


@pytest.mark.parametrize(
    "command",
    [
        ["train.py", "--help"],
        ["predict.py", "--help"],
        ["train.py", "--no-such-flag"],
        ["train.py", "--competition", "no-such-place"],
        ["-m", "competition", "list"],
        ["-m", "competition", "download", "--help"],
        ["-m", "submissions", "submit", "--help"],
        ["-m", "folds", "scores"],
        ["-m", "models", "--help"],
        ["-m", "submissions", "--help"],
        ["-m", "reports", "--help"],
        ["-m", "reports", "no-such-run"],
    ],
    ids=" ".join,
)
def test_front_doors_do_not_wait_for_torch(command: list[str], tmp_path: Path) -> None:
    script = [str(ROOT / command[0]), *command[1:]] if command[0].endswith(".py") else command
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", *script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        check=False,
    )
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in asked.stderr.splitlines() if line.startswith("import time:")}
    assert "competition" in loaded or "models" in loaded
    assert not loaded & (TORCH | {"kaggle", "sklearn"})
    assert asked.returncode in (0, 2)
    assert "Traceback" not in asked.stderr


def test_pillow_opens_images_in_one_place_which_says_what_kinds() -> None:
    assert [path.name for path in MODULES if "Image.open(" in path.read_text()] == ["decode.py"]
