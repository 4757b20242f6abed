import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from competition.config import CompetitionConfig, Config, FoldsConfig
from competition.contest import Competition
from competition.files import Files
from competition.images import ArrayImages, FileImages
from competition.load import load
from folds.__main__ import main
from folds.audit import _cameras, audit, sheet
from folds.audit_files import audit_first
from folds.groups import audited
from folds.split import assign_folds, settle_folds
from tests.builders import make_competition, make_truth
from tests.competition.test_damage import MADE_UP, encoded
from tests.folds.planted import KINDS
from tests.layouts import put

PICTURES = [cv2.resize(np.ascontiguousarray(picture), (48, 48)) for picture in KINDS["photographs"]()]
PICTURES = [picture for picture in PICTURES if picture.std() > 12]  # two pieces of clear sky are alike


def contest_of(train: list[np.ndarray], test: list[np.ndarray], **change: object) -> Competition:
    """A competition of these pictures, called t0, t1, ... and 00000, 00001, ..."""
    contest = make_competition("binary", rows=len(test), train_rows=len(train))
    keys = [*contest.train["image"], *contest.test["image"]]
    return replace(contest, images=ArrayImages(keys, np.stack([*train, *test])), **change)


def test_duplicates_are_named_and_their_labels_compared(tmp_path: Path) -> None:
    train = [*PICTURES[:30], PICTURES[4], PICTURES[7][:, ::-1]]
    contest = contest_of(train, [*PICTURES[30:40], PICTURES[9]])
    truth = contest.truth.copy()
    truth[4], truth[30] = [1, 0], [0, 1]
    truth[7] = truth[31] = [1, 0]
    found = audit(replace(contest, truth=truth), tmp_path, 5)
    rows = found.pairs[["id_a", "id_b", "part_b", "kind"]].to_numpy().tolist()
    assert sorted(rows) == [
        ["t4", "t30", "train", "same pixels"],
        ["t7", "t31", "train", "alike"],
        ["t9", "00010", "test", "same pixels"],
    ]
    told = "\n".join(found.findings)
    assert "2 pairs of duplicates within training (1 same pixels, 1 alike)" in told
    assert "1 pairs of duplicates between training and test (1 same pixels): 't9 = 00010'" in told
    assert "1 pairs of duplicates have different labels: 't4 and t30'" in told
    groups = found.group_of.groupby(found.group_of).groups
    assert {frozenset(members) for members in groups.values()} == {frozenset({"t4", "t30"}), frozenset({"t7", "t31"})}


def test_duplicates_that_cross_groups_join_them(tmp_path: Path) -> None:
    patients = pd.Series([f"p{place // 3}" for place in range(30)], name="patient")
    contest = contest_of([*PICTURES[:29], PICTURES[0]], PICTURES[30:34], groups=patients)
    contest = replace(contest, train=contest.train.assign(patient=patients))
    found = audit(contest, tmp_path, 5)
    assert "1 pairs of duplicates belong to different groups of 'patient': 't0 (p0) and t29 (p9)'" in "\n".join(found.findings)
    assert found.group_of["t0"] == found.group_of["t29"] == found.group_of["t28"] != found.group_of["t3"]
    assert found.group_of.nunique() == 9


def test_sizes_and_names_that_tell_the_class_are_named(tmp_path: Path) -> None:
    rows = 200
    contest = make_competition("binary", train_rows=rows)
    labels = np.arange(rows) % 2

    class Sized(ArrayImages):
        def shape(self, key: str):
            return (8 + 4 * labels[int(key.split("/")[1].split(".")[0])], 8, 3) if key.startswith("train") else (8, 8, 3)

    truth = np.eye(2, dtype=np.float32)[labels]
    images = Sized([*contest.train["image"], *contest.test["image"]], contest.images.pixels)  # type: ignore[attr-defined]
    told = "\n".join(audit(replace(contest, truth=truth, images=images), tmp_path, 5).findings)
    assert "the image's height, width and channels alone tells the class: 100% of each class are found so, 50% by chance" in told
    assert "name" not in told
    later = replace(contest, truth=np.eye(2, dtype=np.float32)[(np.arange(rows) >= 100).astype(int)])
    assert "the number in the image's name alone tells the class: 100%" in "\n".join(audit(later, tmp_path, 5).findings)
    named = contest.train.assign(id=[f"{'ab'[label]}{row}" for row, label in enumerate(labels)])
    spelled = replace(contest, truth=truth, train=named, test=contest.test.assign(id=[f"{'ab'[row % 2]}9{row}" for row in range(6)]))
    letters = "the letters in the image's name alone tells the class: 100%"
    assert letters in "\n".join(audit(spelled, tmp_path, 5).findings)
    assert letters not in "\n".join(audit(replace(spelled, test=contest.test), tmp_path, 5).findings), "the test has no such letters"
    random = replace(contest, truth=make_truth(contest.task, rows, np.random.default_rng(0)))
    assert "alone tells" not in "\n".join(audit(random, tmp_path, 5).findings)


def test_a_camera_that_tells_the_class_is_named(tmp_path: Path) -> None:
    """Photographs of two cameras, the sick ones by one of them."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "clinic"
    (folder / "train").mkdir(parents=True)
    (folder / "test").mkdir()
    lines = ["image,label"]
    for number in range(120):
        sick = number % 3 == 0
        exif = Image.Exif()
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = ("Zeiss", "F1") if sick else ("Canon", "C2")
        name = f"{generator.integers(1 << 40):x}.jpg"
        Image.fromarray(generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(folder / "train" / name, exif=exif)
        lines.append(f"{name},{'sick' if sick else 'well'}")
    (folder / "train.csv").write_text("\n".join(lines))
    Image.fromarray(generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(folder / "test" / "one.jpg")
    told = "\n".join(audit(load(CompetitionConfig(source=str(folder))), tmp_path / "cache", 5).findings)
    assert "the camera alone tells the class: 100% of each class are found so, 50% by chance" in told
    assert "name" not in told


@pytest.mark.parametrize("camera", ["", "Zeiss"])
def test_a_picture_that_says_it_is_huge_tells_its_camera(camera: str, tmp_path: Path) -> None:
    """Pillow would refuse to open one of more than 178 million pixels, as a sound photograph of a whole slide may have."""
    (tmp_path / "train").mkdir()
    exif, file = Image.Exif(), io.BytesIO()
    if camera:
        exif[ExifTags.Base.Make] = camera
    Image.fromarray(PICTURES[0]).save(file, "JPEG", exif=exif)
    whole = file.getvalue()
    frame = whole.index(b"\xff\xc0") + 5  # height and width, two bytes each
    (tmp_path / "train" / "huge.jpg").write_bytes(whole[:frame] + (20_000).to_bytes(2) * 2 + whole[frame + 4 :])
    images = FileImages(Files(tmp_path))
    assert _cameras(images, pd.Series(["train/huge.jpg"])).tolist() == [camera]


def test_names_of_many_digits_and_groups_called_anything(tmp_path: Path) -> None:
    ids = [f"s{'9' * 40}{place:03d}" for place in range(40)]
    contest = contest_of(PICTURES[:40], PICTURES[40:44], groups=pd.Series([f"g{place // 2}" for place in range(40)], name="index"))
    late = np.eye(2, dtype=np.float32)[(np.arange(40) >= 20).astype(int)]
    found = audit(replace(contest, train=contest.train.assign(id=ids), truth=late), tmp_path, 5)
    assert found.group_of.nunique() == 20
    assert "the number in the image's name alone tells the class" in "\n".join(found.findings)


def test_jpegs_of_which_pixels_are_made_up_are_named(tmp_path: Path) -> None:
    tree = {f"train/{'ab'[number % 2]}/{number}.jpg": encoded("JPEG", number) for number in range(8)} | {"train/a/8.jpg": MADE_UP["a hole"]}
    contest = load(CompetitionConfig(source=str(put(tmp_path / "data", {**tree, "test/9.jpg": encoded("JPEG", 9)}))))
    named = "1 JPEGs seem damaged, some of their pixels are made up: 'train/a/8.jpg'"
    assert named in audit(contest, tmp_path / "cache", folds=2).findings
    assert not any("made up" in line for line in audit(contest, tmp_path / "cache", folds=2, depth="exact").findings)


def test_rare_classes_are_named(tmp_path: Path) -> None:
    contest = make_competition("multiclass", train_rows=20)
    truth = np.eye(3, dtype=np.float32)[[2] * 3 + [0] * 9 + [1] * 8]
    assert "1 classes have fewer images than 5 folds: 'new whale (3)'" in audit(replace(contest, truth=truth), tmp_path, 5).findings


def test_tiny_images_are_duplicates_only_where_they_are_equal(tmp_path: Path) -> None:
    contest = make_competition("binary", train_rows=30)
    images = contest.images
    images.pixels[5] = images.pixels[2]  # type: ignore[attr-defined]
    found = audit(contest, tmp_path, 5)
    assert found.pairs[["id_a", "id_b", "kind"]].to_numpy().tolist() == [["t2", "t5", "same pixels"]]


def test_pairs_as_a_picture(tmp_path: Path) -> None:
    contest = contest_of([*PICTURES[:20], PICTURES[3]], PICTURES[30:34])
    found = audit(contest, tmp_path, 5)
    drawn = sheet(contest, found, tmp_path)
    assert drawn is not None
    assert drawn.shape == (64 + 14, 6 * (2 * 64 + 4))
    assert sheet(contest, replace(found, pairs=found.pairs.iloc[:0]), tmp_path) is None


def test_what_the_audit_found_goes_into_the_folds_unless_one_says_no(tmp_path: Path) -> None:
    contest = contest_of([*PICTURES[:30], *PICTURES[:15]], PICTURES[30:34])
    found = audit(contest, tmp_path, 5)
    path = audited(tmp_path / "runs", contest)
    settled, (hint, _) = settle_folds(contest, FoldsConfig(), path)
    assert settled.scheme == "stratified", "there was no audit yet"
    assert (hint.what, hint.value) == ("duplicates", "not looked for")
    path.parent.mkdir(parents=True)
    found.group_of.reset_index().to_csv(path, index=False)
    settled, (reason, _) = settle_folds(contest, FoldsConfig(), path)
    assert (settled.scheme, settled.groups) == ("stratified_group", str(path))
    assert reason.why == "the groups that the audit found stay together; --folds.groups none if they need not"
    fold_of = assign_folds(contest, settled)
    assert all(fold_of[f"t{place}"] == fold_of[f"t{place + 30}"] for place in range(15))
    assert settle_folds(contest, FoldsConfig(groups="none"), path)[0].scheme == "stratified"


@pytest.mark.parametrize("copies", [2, 9, 20])
def test_equal_images_are_found_however_many_there_are(copies: int, tmp_path: Path) -> None:
    """Of nine, the eighth neighbour, which a copy is to be much closer than, is a copy as well."""
    contest = contest_of([*PICTURES[:20], *[PICTURES[3]] * (copies - 1)], PICTURES[30:34])
    assert audit(contest, tmp_path, 5).group_of.value_counts().max() == copies


def test_patients_stay_together_where_images_came_after_the_audit(tmp_path: Path) -> None:
    patients = pd.Series([f"p{place % 5}" for place in range(30)], name="patient")
    contest = replace(contest_of(PICTURES[:30], PICTURES[30:34]), groups=patients)
    before = replace(contest, train=contest.train[:20], truth=contest.truth[:20], groups=patients[:20])
    path = audited(tmp_path / "runs", contest)
    path.parent.mkdir(parents=True)
    audit(before, tmp_path, 5).group_of.reset_index().to_csv(path, index=False)
    assert settle_folds(before, FoldsConfig(), path)[0].groups == str(path)
    settled, (reason, *_) = settle_folds(contest, FoldsConfig(), path)
    assert settled.groups == "patient"
    assert reason.why.startswith(f"10 training images came after {path}: python -m folds audit;")


def test_the_front_door_writes_groups_and_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "--output", "groups.csv"]) == 0
    assert "no duplicates were found" in capsys.readouterr().out
    assert Path("groups.csv").read_text(encoding="utf-8") == "id,group\n"
    assert Path("groups-pairs.csv").is_file()


def test_the_first_training_is_preceded_by_an_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, where its groups could matter; a competition that has runs keeps the folds that it has, and a large one must be asked for."""
    contest = contest_of([*PICTURES[:30], *PICTURES[:15]], PICTURES[30:34])

    def asked(**tree: dict[str, object]) -> bool:
        machine = {"runs": tmp_path, "cache": tmp_path / "cache", **tree.pop("machine", {})}
        audit_first(contest, Config.model_validate({**tree, "machine": machine}))
        return "before the first training, an audit" in capsys.readouterr().out

    assert not asked(machine={"audit": False})
    assert not asked(folds={"groups": "none"})
    (tmp_path / contest.name / "run-1a2b3c").mkdir(parents=True)
    config = tmp_path / contest.name / "run-1a2b3c" / "config.toml"
    config.touch()
    assert not asked()
    config.unlink()
    assert asked()
    assert not asked(), "it lies there already"
    settled, _ = settle_folds(contest, FoldsConfig(), audited(tmp_path, contest))
    assert settled.scheme == "stratified_group"
    audited(tmp_path, contest).unlink()
    contest = replace(contest, train=pd.concat([contest.train] * 200))
    assert not asked()


def test_an_image_that_cannot_be_read_ends_only_the_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "clinic"
    for name in ("train/sick", "train/well", "test"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(PICTURES[number]).save(folder / name / f"{number}.png")
    (folder / "test" / "2.png").write_bytes(b"half a picture")
    machine = {"runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    contest = load(CompetitionConfig(source=str(folder)))
    audit_first(contest, Config.model_validate({"machine": machine}))
    assert "the audit is left out: 1 of 12 images cannot be used" in capsys.readouterr().out
    assert not audited(tmp_path / "runs", contest).exists()
