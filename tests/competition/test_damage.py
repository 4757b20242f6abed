"""Damaged files are found without decoding, and whole ones are never called so."""

import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from competition.damage import look_for_damage, what_is_wrong
from competition.files import Files
from competition.images import ArrayImages, FileImages
from tests.layouts import archive, put


def encoded(kind: str, seed: int = 0, **options: object) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


WHOLE = {
    "JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "JPEG with restarts": encoded("JPEG", restart_marker_blocks=2),
    "JPEG with something after its end": encoded("JPEG") + b"trailer " * 20,
    "JPEG with a thumbnail": encoded("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + encoded("JPEG", 1)),
    "PNG": encoded("PNG"),
    "TIFF": encoded("TIFF"),
    "TIFF of fractions in colour": cv2.imencode(".tif", np.linspace(0, 1, 4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3))[1].tobytes(),
    "GIF": encoded("GIF"),
}
JPEG, PNG = WHOLE["JPEG"], WHOLE["PNG"]
DAMAGED = {
    "empty": (b"", "the file is empty"),
    "text": (b"404 not found" * 10, "this is no image"),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n",
        "a Git LFS pointer to an image: `git lfs pull` brings",
    ),
    "a cut JPEG": (JPEG[: len(JPEG) // 2], "the JPEG is cut, its end is missing"),
    "a JPEG whose end is zeros": (JPEG[: len(JPEG) // 2] + bytes(1000), "the JPEG is cut, its end is missing"),
    "a JPEG that is something else in its middle": (
        JPEG[:1000] + np.random.default_rng(0).bytes(600) + JPEG[1600:],
        "the JPEG seems damaged, its data are broken in the middle",
    ),
    "a cut PNG": (PNG[: len(PNG) // 2], "the PNG is cut or damaged"),
    "a PNG with another byte": (PNG[:500] + bytes([PNG[500] ^ 1]) + PNG[501:], "the PNG is cut or damaged"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_wrong_with_a_whole_file(name: str) -> None:
    assert what_is_wrong(WHOLE[name]) == ""


def test_nothing_is_wrong_with_many_pictures() -> None:
    assert [seed for seed in range(200) if what_is_wrong(encoded("JPEG", seed, quality=30 + seed % 70))] == []


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_wrong_is_said(name: str) -> None:
    content, text = DAMAGED[name]
    assert what_is_wrong(content).startswith(text)


def test_each_damaged_file_is_named_once(tmp_path: Path) -> None:
    content = {f"{number}.jpg": JPEG for number in range(20)} | {"3.jpg": b"", "7.jpg": JPEG[:900]}
    (tmp_path / "images.zip").write_bytes(archive(dict(content)))
    looked = look_for_damage(FileImages(Files(tmp_path / "images.zip")), list(content))
    assert looked.damaged == ["image '3.jpg': the file is empty", "image '7.jpg': the JPEG is cut, its end is missing"]
    assert (looked.sizes, looked.whole) == (20, 20)


SMOOTH = cv2.resize(np.random.default_rng(0).integers(0, 256, (20, 25, 3)).astype(np.uint8), (400, 500), interpolation=cv2.INTER_CUBIC)
LARGE = cv2.imencode(".jpg", SMOOTH)[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", SMOOTH, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
MADE_UP = {
    "a hole": LARGE[:9000] + LARGE[11_000:],
    "zeros": LARGE[:9000] + bytes(2000) + LARGE[11_000:],
    "an end too early": LARGE[: len(LARGE) // 2] + LARGE[-2:],
    "a hole, progressive": PROGRESSIVE[:9000] + PROGRESSIVE[11_000:],
}


def test_jpegs_that_decode_to_other_pixels_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = {f"{name}.jpg": content for name, content in WHOLE.items() if "JPEG" in name} | {"large.jpg": LARGE}
    whole["bytes too many.jpg"] = LARGE[:-2] + bytes(50) + LARGE[-2:]
    files = put(tmp_path, {**{f"{name}.jpg": content for name, content in MADE_UP.items()}, **whole})
    looked = look_for_damage(FileImages(Files(files)), [*(f"{name}.jpg" for name in MADE_UP), *whole])
    assert looked.damaged == [
        f"image '{name}.jpg': the JPEG seems damaged, its data break off or do not fit: some of its pixels are made up" for name in MADE_UP
    ]
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_a_zip_notices_a_changed_byte(tmp_path: Path) -> None:
    data = bytearray(archive({"a.jpg": JPEG}))
    data[1000] ^= 1
    (tmp_path / "images.zip").write_bytes(data)
    assert "a.jpg" in look_for_damage(FileImages(Files(tmp_path / "images.zip")), ["a.jpg"]).damaged[0]


def test_pictures_in_memory_are_never_damaged() -> None:
    assert look_for_damage(ArrayImages(["a"], np.zeros((1, 4, 4, 1), np.uint8)), ["a"]).damaged == []
