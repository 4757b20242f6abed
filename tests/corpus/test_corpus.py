"""Bad input, case by case: the right result, or one clear message that names the culprit. Nothing is dropped without a word."""

import re
from pathlib import Path

import numpy as np
import pytest

from competition.console import console
from competition.damage import look_for_damage
from competition.errors import InputError
from competition.settings import train_config
from tests.corpus.archives import ARCHIVES, TOP
from tests.corpus.door import Right, check, made, red, through
from tests.corpus.images import IMAGES, SAID
from tests.corpus.recipes import RECIPES, Wanted
from tests.corpus.tables import TABLES
from tests.layouts import Tree

FEWEST_CASES = 307
INTERNALS = re.compile(r"Traceback|\b\w+Error\b|dtype|C error|tokeniz|NoneType|object has no|DataFrame|ndarray|0x[0-9a-f]{6}")


def goes(root: Path, tree: Tree, wanted: Right | str, source: str = "") -> None:
    if isinstance(wanted, Right):
        seen = through(root, tree, source)
        check(seen, wanted)
        assert re.search(wanted.said, seen.shown), seen.shown
        return
    with pytest.raises(InputError, match=wanted) as told:
        through(root, tree, source)
    assert not INTERNALS.search(str(told.value)), told.value


def test_the_corpus_does_not_shrink() -> None:
    assert sum(map(len, (TABLES, ARCHIVES, TOP, IMAGES, RECIPES))) >= FEWEST_CASES


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_understood_or_the_place_in_it_is_named(name: str, tmp_path: Path) -> None:
    tree, wanted = TABLES[name]
    goes(tmp_path, tree(), wanted)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_inside_is_read_or_named(name: str, tmp_path: Path) -> None:
    tree, wanted = ARCHIVES[name]
    goes(tmp_path, tree(), wanted)


@pytest.mark.parametrize("name", TOP)
def test_an_archive_is_read_or_named(name: str, tmp_path: Path) -> None:
    file, content, wanted = TOP[name]
    goes(tmp_path, {file: content}, wanted, file)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_gives_its_pixels_or_is_named(name: str, tmp_path: Path) -> None:
    ending, content, wanted = IMAGES[name]
    tree = made()
    del tree["train/a0.png"]
    tree[f"train/a0.{ending}"] = content()
    if isinstance(wanted, str):
        with pytest.raises(InputError, match=re.compile(SAID + f".*({wanted})", re.DOTALL)) as told:
            through(tmp_path, tree)
        assert len(str(told.value)) < 400
        assert not INTERNALS.search(str(told.value)), told.value
        return
    seen = through(tmp_path, tree)
    np.testing.assert_array_equal(seen.contest.images.read(f"train/a0.{ending}"), wanted)
    assert seen.pixels[1:, 0, 0, 0].tolist() == [10 * place for place in range(1, 9)]
    assert look_for_damage(seen.contest.images, seen.contest.train["image"].tolist()).damaged == []


def said_of(text: str | bytes, wanted: Wanted, file: Path, *flags: str) -> None:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    if isinstance(wanted, dict):
        config = train_config(list(flags))
        for key, value in wanted.items():
            found: object = config
            for part in key.split("."):
                found = getattr(found, part)
            assert (found, type(found)) == (value, type(value))
        return
    with pytest.raises(InputError, match=wanted) as told:
        train_config(list(flags))
    assert not INTERNALS.search(str(told.value)), told.value


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_heeded_or_its_key_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, wanted = RECIPES[name]
    said_of(text, wanted, Path("r.toml"), "--recipe", "r.toml")


@pytest.mark.parametrize("name", ["an unknown key", "true for a number", "a section that is a word"])
def test_what_is_wrong_in_competition_toml_is_not_said_of_the_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, wanted = RECIPES[name]
    wanted = str(wanted).replace("recipe 'r.toml'", "competition.toml")
    said_of(text, f"^competition.toml: .*{wanted.removeprefix('competition.toml: ')}", Path("competition.toml"), "--recipe", "quick")


def test_files_whose_names_are_no_text_are_named(tmp_path: Path) -> None:
    seen_with = made()
    (tmp_path / "contest" / "train").mkdir(parents=True)
    try:
        Path(str(tmp_path / "contest/train/") + "/a\udcff.png").write_bytes(red(0))
    except OSError:
        pytest.skip("this disk has no such names")
    seen = through(tmp_path, seen_with)
    assert "its name is no text in UTF-8: rename it" in seen.shown
    check(seen, Right())


def test_the_door_shows_nothing_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with console.capture():
        through(tmp_path, made())
    assert capsys.readouterr().err == ""
