"""Whole competitions: synthetic trees in fifteen real layouts, and four real zips. Skipped where they are not at hand."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from competition.catalogue.metrics import METRIC_OF
from competition.config import CompetitionConfig
from competition.contest import Competition
from competition.load import load

SHARED = Path(__file__).resolve().parents[3] / "shared"
MAKER = SHARED / "contests" / "make_tree.py"
TRAIN, TEST = 60, 20


@dataclass(frozen=True)
class Known:
    task: str
    metric: str  # as guessed: the true one is not in the data for all
    answer: str
    classes: int
    answer_columns: int = 1


TREES = {
    "aerial-cactus-identification": Known("binary", "roc_auc", "probability", 2),
    "aptos2019-blindness-detection": Known("ordinal", "qwk", "label", 5),
    "cassava-leaf-disease-classification": Known("multiclass", "accuracy", "label", 5),
    "dog-breed-identification": Known("multiclass", "log_loss", "probabilities", 120, 120),
    "dogs-vs-cats-redux-kernels-edition": Known("binary", "roc_auc", "probability", 2),
    "herbarium-2022-fgvc9": Known("multiclass", "accuracy", "label", 7),
    "imet-2020-fgvc7": Known("multilabel", "f1_micro", "labels", 24),
    "leaf-classification": Known("multiclass", "log_loss", "probabilities", 99, 99),
    "petfinder-pawpularity-score": Known("regression", "rmse", "number", 1),
    "plant-pathology-2020-fgvc7": Known("multiclass", "roc_auc", "probabilities", 4, 4),
    "plant-pathology-2021-fgvc8": Known("multilabel", "f1_micro", "labels", 6),
    "plant-seedlings-classification": Known("multiclass", "accuracy", "label", 12),
    "ranzcr-clip-catheter-line-classification": Known("multilabel", "roc_auc", "probabilities", 9, 9),
    "siim-isic-melanoma-classification": Known("binary", "roc_auc", "probability", 2),
    "whale-categorization-playground": Known("multiclass", "map5", "ranked", 15),
}
# of petfinder's twelve, one is the same in all of so few rows
COLUMNS = {"leaf-classification": 192, "petfinder-pawpularity-score": 11, "siim-isic-melanoma-classification": 3}
ZIPS = {
    "colon-cancer": (Known("binary", "roc_auc", "probability", 2), 1_500, 500),
    "cifar-10": (Known("multiclass", "accuracy", "label", 10), 50_000, 10_000),
    "digit-recognizer": (Known("multiclass", "accuracy", "label", 10), 60_000, 10_000),
    "brain-tumor-mri": (Known("multiclass", "accuracy", "label", 4), 2_870, 394),
}


def check(found: Competition, known: Known, train: int, test: int) -> None:
    assert (found.task.kind, found.metric, found.submission.answer) == (known.task, known.metric, known.answer)
    assert (len(found.task.classes), len(found.submission.answer_columns)) == (known.classes, known.answer_columns)
    assert (len(found.train), len(found.test)) == (train, test)
    assert found.train["id"].is_unique
    for key in [*found.train["image"].head(3), *found.test["image"].head(3)]:
        assert found.images.read(key).shape == found.images.shape(key)
    settled = load(found.settled or CompetitionConfig())
    assert settled.train.equals(found.train)
    assert (settled.task, settled.metric) == (found.task, found.metric)


@pytest.mark.skipif(not MAKER.is_file(), reason="the maker of synthetic trees is not at hand")
@pytest.mark.parametrize("name", TREES)
def test_fifteen_layouts(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(MAKER), name, str(tmp_path), "--train", str(TRAIN), "--test", str(TEST), "--size", "16"]
    subprocess.run(command, check=True, capture_output=True)
    found = load(CompetitionConfig(source=str(tmp_path / "public")))
    check(found, TREES[name], TRAIN, TEST)
    assert found.submission.rows.shape[0] == TEST
    giveaways = {"siim-isic-melanoma-classification": "only in train.csv and not used: 'diagnosis', 'benign_malignant'"}
    assert giveaways.get(name, "") in " ".join(found.notes)
    assert (len(found.tabular.names) if found.tabular else 0) == COLUMNS.get(name, 0)
    assert load(CompetitionConfig(source=str((tmp_path / "public").rename(tmp_path / name)))).metric == METRIC_OF[name]


@pytest.mark.parametrize("name", ZIPS)
def test_four_real_zips(name: str) -> None:
    path = SHARED / "data" / f"{name}.zip"
    if not path.is_file():
        pytest.skip("the real zips are not at hand")
    known, train, test = ZIPS[name]
    found = load(CompetitionConfig(source=str(path)))
    check(found, known, train, test)
    assert found.name == name
    if name == "brain-tumor-mri":
        assert found.task.classes == ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
        assert found.test_truth is not None
        assert found.test_truth.sum(axis=0).tolist() == [100, 115, 105, 74]
        assert list(found.submission.rows.columns) == ["id", "label"]
    if name == "digit-recognizer":
        assert found.images.shape("train.csv#0") == (28, 28, 1)
    doubtful = {reason.what for reason in found.reasons if not reason.sure}
    assert doubtful == {"colon-cancer": {"answer", "metric"}, "brain-tumor-mri": {"answer"}}.get(name, set())
