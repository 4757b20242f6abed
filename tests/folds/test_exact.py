import zipfile
from pathlib import Path

import numpy as np
import pytest

from competition.files import Files
from competition.images import ArrayImages, FileImages
from folds.audit import audit
from folds.exact import equal_pairs
from tests.folds.test_audit import PICTURES, contest_of

CONTENTS = {"a.png": b"12345", "b.png": b"54321", "c.png": b"12345", "d.png": b"123456", "e.png": b"54321", "f.png": b"12345"}
PAIRS = [[0, 2], [1, 4], [0, 5]]


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_equal_where_all_bytes_are(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "images").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "images" / name).write_bytes(content)
    root = tmp_path / "images"
    if packed:
        root = tmp_path / "images.zip"
        with zipfile.ZipFile(root, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in CONTENTS.items():
                archive.writestr(name, content)
    files = Files(root)
    found = equal_pairs(FileImages(files), files.paths)
    assert found[["a", "b"]].to_numpy().tolist() == PAIRS
    assert equal_pairs(FileImages(files), []).empty


def test_arrays_are_equal_where_all_pixels_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), dtype=np.uint8)
    pixels[3] = pixels[1]
    images = ArrayImages([f"i{place}" for place in range(5)], pixels)
    assert equal_pairs(images, [f"i{place}" for place in range(5)])[["a", "b"]].to_numpy().tolist() == [[1, 3]]


def test_the_exact_audit_names_equal_images_alone(tmp_path: Path) -> None:
    train = [*PICTURES[:30], PICTURES[4], PICTURES[7][:, ::-1]]
    contest = contest_of(train, [*PICTURES[30:40], PICTURES[9]])
    found = audit(contest, tmp_path, 5, "exact")
    assert found.pairs[["id_a", "id_b", "kind"]].to_numpy().tolist() == [["t4", "t30", "same pixels"], ["t9", "00010", "same pixels"]]
    assert set(found.group_of.index) == {"t4", "t30"}
    assert not any(tmp_path.rglob("*.npy")), "nothing was decoded"
