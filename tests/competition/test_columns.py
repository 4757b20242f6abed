"""Columns beside the images: which are found, what each holds, which are left out and why, and which a run takes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config import CompetitionConfig, Config
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.load import load
from competition.settings import train_config
from competition.show import show
from competition.tabular import Tabular, chosen
from tests.layouts import LAYOUTS, Tree, csv, put, usual

ROWS, TEST = 40, 8


def tree(header: str, train: list[str], test: list[str], known: str | None = None) -> Tree:
    """Two classes; train and test: what stands behind the ids of train.csv and, under `known` names, of test.csv."""
    found = usual("01" * (ROWS // 2), ["0.5"] * TEST, test=TEST)
    found["train.csv"] = csv(f"id,{header},label", [f"a{n:03d},{cells},{n % 2}" for n, cells in enumerate(train)])
    return found | {"test.csv": csv(f"id,{known or header}", [f"b{n:03d},{cells}" for n, cells in enumerate(test)])}


def ask(root: Path, files: Tree) -> Competition:
    return load(CompetitionConfig(source=str(put(root, files))))


def of(root: Path, header: str, train: list[str], test: list[str]) -> Competition:
    return ask(root, tree(header, train, test))


def left_out(found: Competition) -> str:
    return next((note for note in found.notes if note.startswith("columns beside the images that are left out")), "")


def test_columns_in_the_style_of_siim(tmp_path: Path) -> None:
    """Sex, age and site are found with gaps; no id, patient, target or what only training has."""
    rows = [
        f"IP_{n // 3},{'' if n == 3 else ('male', 'female')[n % 2]},{'' if n == 5 else 5.0 * (n % 7)},{'ABC'[n % 3]}" for n in range(ROWS)
    ]
    found = ask(
        tmp_path,
        tree(
            "patient_id,sex,age,site,diagnosis,benign_malignant",
            [f"{row},{'nevus' if n % 2 else 'melanoma'},{'benign' if n % 2 else 'malignant'}" for n, row in enumerate(rows)],
            [f"IP_9{n},female,{n},A" for n in range(TEST)],
            "patient_id,sex,age,site",
        ),
    )
    tabular = found.tabular
    assert tabular is not None
    assert tabular.kinds == {"sex": "yes/no", "age": "number", "site": "category"}
    assert tabular.train["sex"].tolist()[:4] == ["male", "female", "male", ""]
    assert tabular.train["age"].tolist()[4:6] == ["20.0", ""]
    assert tabular.test["age"].tolist() == [str(n) for n in range(TEST)]
    assert "'patient_id' (says whose picture it is)" in left_out(found)
    (reason,) = (reason for reason in found.reasons if reason.what == "columns beside")
    assert reason.value == "'sex', 'age', 'site'"
    assert "train.csv, test.csv" in reason.why


def test_columns_in_the_style_of_petfinder(tmp_path: Path) -> None:
    """Twelve of 0 and 1, one of them called Group."""
    names = "Focus,Eyes,Face,Near,Action,Accessory,Group,Collage,Human,Occlusion,Info,Blur"
    rows = [",".join(map(str, row)) for row in np.random.default_rng(0).integers(0, 2, (ROWS, 12))]
    found = of(tmp_path, names, rows, rows[:TEST])
    assert found.tabular is not None
    assert found.tabular.kinds == dict.fromkeys(names.split(","), "yes/no")
    assert found.tabular.train.shape == (ROWS, 12)


def test_columns_in_the_style_of_leaf(tmp_path: Path) -> None:
    names = ",".join(f"margin{k}" for k in range(64))
    rows = [",".join(f"{cell:.6f}" for cell in row) for row in np.random.default_rng(0).random((ROWS, 64))]
    found = of(tmp_path, names, rows, rows[:TEST])
    assert found.tabular is not None
    assert found.tabular.kinds == dict.fromkeys(names.split(","), "number")


LEFT_OUT = {
    "constant": ("kind", ["x"] * ROWS, "the same in all training rows"),
    "text": ("report", [f"a small mole {n}" for n in range(ROWS)], "text, 40 different"),
    "a file": ("file_name", [f"scan{n}.dcm" for n in range(ROWS)], "an id"),
    "ids of numbers": ("lesion_id", [str(977 * n % 4001) for n in range(ROWS)], "says whose picture it is"),
    "row numbers": ("row", [str(n) for n in range(ROWS)], "row numbers"),
    "a group": ("camera", [f"c{n // 10}" for n in range(ROWS)], "says whose picture it is"),
}


def test_inspect_lists_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(of(tmp_path, "age,sex", [f"{'' if n % 4 == 0 else n % 9},{'mf'[n % 2]}" for n in range(ROWS)], ["3,f"] * TEST))
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["age", "number", "9", "25.0%", "0.0%"] in told
    assert ["sex", "yes/no", "2", "0.0%", "0.0%"] in told


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_of_no_use_is_left_out_and_named(case: str, tmp_path: Path) -> None:
    name, cells, why = LEFT_OUT[case]
    found = of(tmp_path, name, cells, cells[:TEST])
    assert found.tabular is None
    assert f"{name!r} ({why})" in left_out(found)


def test_what_the_test_lacks_is_left_out(tmp_path: Path) -> None:
    train = [f"{'AB'[n % 2]},{'XY'[n % 2]},{n % 2}" for n in range(ROWS)]
    found = of(tmp_path, "ward,site,flag", train, ["C,,1"] * TEST)
    assert found.tabular is not None
    assert found.tabular.names == ("flag",)
    assert "'ward' (100% of the test rows have values that training does not show), 'site' (empty in all test rows)" in left_out(found)


def test_words_for_a_missing_cell(tmp_path: Path) -> None:
    words = ["NA", "nan", "null", "?", "-", "", "N/A"]
    found = of(tmp_path, "age", [words[n % 7] if n % 2 else str(20.5 + n) for n in range(ROWS)], ["30"] * TEST)
    assert found.tabular is not None
    assert found.tabular.kinds == {"age": "number"}
    assert set(found.tabular.train["age"][1::2]) == {""}


def test_rows_of_the_test_table_are_taken_by_image(tmp_path: Path) -> None:
    """In another order, with others among them, and with the endings that the sample's ids lack."""
    files = tree("age", [str(n % 9) for n in range(ROWS)], [])
    files["test.csv"] = csv("id,age", [f"b{n:03d}.png,{n}.5" for n in reversed(range(TEST))])
    files["sample_submission.csv"] = csv("id,label", [f"b{n:03d},0.5" for n in (3, 1, 2)])
    found = ask(tmp_path, files)
    assert found.tabular is not None
    assert found.test["id"].tolist() == ["b003", "b001", "b002"]
    assert found.tabular.test["age"].tolist() == ["3.5", "1.5", "2.5"]


def test_one_table_of_all_images(tmp_path: Path) -> None:
    """metadata.csv has the columns, train.csv the labels alone."""
    files = usual("01" * (ROWS // 2), ["0.5"] * TEST, test=TEST)
    names = [*(f"b{n:03d}" for n in range(TEST)), *(f"a{n:03d}" for n in reversed(range(ROWS)))]
    files["metadata.csv"] = csv("id,age", [f"{name},{int(name[1:]) % 9}" for name in names])
    found = ask(tmp_path, files)
    assert found.tabular is not None
    assert found.tabular.train["age"].tolist() == [str(n % 9) for n in range(ROWS)]
    assert found.tabular.test["age"].tolist() == [str(n % 9) for n in range(TEST)]


def test_one_table_with_the_test_rows_unlabelled(tmp_path: Path) -> None:
    usual_files = usual("01" * (ROWS // 2), ["0.5"] * TEST, test=TEST)
    files = {f"images/{path.rpartition('/')[2]}" if path.endswith("png") else path: data for path, data in usual_files.items()}
    del files["train.csv"]
    train = [f"a{n:03d},{n % 9},{n % 2}" for n in range(ROWS)]
    files["all.csv"] = csv("id,age,label", [*train, *(f"b{n:03d},{n % 4}," for n in range(TEST))])
    found = ask(tmp_path, files)
    assert len(found.train) == ROWS
    assert found.tabular is not None
    assert found.tabular.test["age"].tolist() == [str(n % 4) for n in range(TEST)]


def test_a_test_table_with_the_answer_beside_is_not_used(tmp_path: Path) -> None:
    """There a column may say the answer in other words, as species does of class_id."""
    rows = [f"{('wheat', 'hen')[n % 2]},{n % 2}" for n in range(ROWS)]
    files = usual("01" * (ROWS // 2), ["0.5"] * TEST, test=TEST)
    for part, count in (("a", ROWS), ("b", TEST)):
        files["train.csv" if part == "a" else "test.csv"] = csv("id,species,label", [f"{part}{n:03d},{rows[n]}" for n in range(count)])
    assert ask(tmp_path, files).tabular is None


def test_images_alone_have_no_columns(tmp_path: Path) -> None:
    for name in ("two classes, probabilities", "a test table and no sample", "a folder a class, test too", "masks beside the images"):
        found = ask(tmp_path / name, LAYOUTS[name].tree())
        assert found.tabular is None, name
        assert not left_out(found)


THREE = Tabular(
    pd.DataFrame({"sex": ["m", "f"], "age": ["1", "2"], "site": ["x", "y"]}),
    pd.DataFrame({"sex": ["m"], "age": ["3"], "site": ["x"]}),
    {"sex": "yes/no", "age": "number", "site": "yes/no"},
)


def test_which_columns_a_run_takes() -> None:
    def names(tabular: Tabular | None, **tree: object) -> tuple[str, ...] | None:
        found = chosen(tabular, Config.model_validate(tree))
        return found and found.names

    assert names(THREE) == ("sex", "age", "site")
    assert names(THREE, folds={"groups": "site"}) == ("sex", "age")
    assert names(THREE, data={"columns": ["age", "sex"]}) == ("age", "sex")
    assert names(THREE, data={"columns": "none"}) is names(None) is names(None, data={"columns": ["none"]}) is None
    with pytest.raises(CompetitionError, match=r"unknown column beside the images 'agee': perhaps 'age'"):
        names(THREE, data={"columns": ["agee"]})
    with pytest.raises(CompetitionError, match=r"--data.columns age: there are no columns that training and test rows both have"):
        names(None, data={"columns": ["age"]})


def test_the_flag_takes_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert train_config([]).data.columns == ("auto",)
    assert train_config(["--data.columns", "none"]).data.columns == ("none",)
    assert train_config(["--data.columns", "sex", "a column"]).data.columns == ("sex", "a column")
    (tmp_path / "r.toml").write_text('[data]\ncolumns = "none"\n', encoding="utf-8")
    assert train_config(["--recipe", "r.toml"]).data.columns == ("none",)
