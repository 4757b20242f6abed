import io

import numpy as np
import pytest

from competition.decode import decode, shape_of
from competition.errors import CompetitionError

pydicom = pytest.importorskip("pydicom", reason="pydicom is optional")
from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: E402
from pydicom.pixels import convert_color_space  # noqa: E402
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage  # noqa: E402

RAMP = np.arange(0, 4000, 5, dtype=np.uint16).reshape(20, 40)


def dicom(stored: np.ndarray, **fields: object) -> bytes:
    """A DICOM file of 16-bit grey or 8-bit colour values."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, UID("1.2.3")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("a.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    colour, bits = stored.shape[-1] == 3, stored.dtype.itemsize * 8
    frames = stored.ndim - 2 - colour
    dataset.Rows, dataset.Columns = stored.shape[frames : frames + 2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = len(stored)
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(np.issubdtype(stored.dtype, np.signedinteger))
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.tobytes()
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_without_a_window_the_smallest_is_black_and_the_largest_white() -> None:
    content = dicom(RAMP)
    image = decode(content, "a.dcm")
    assert image.shape == (20, 40, 1)
    assert shape_of(content) == (20, 40, 1)
    np.testing.assert_array_equal(image[..., 0], np.rint(RAMP / RAMP.max() * 255))


def test_a_window_is_what_is_seen() -> None:
    """Centre 2,000, width 1,000: up to about 1,500 black, from 2,500 white, straight between."""
    image = decode(dicom(RAMP, WindowCenter=2000, WindowWidth=1000), "a")[..., 0]
    assert set(image[RAMP < 1490].tolist()) == {0}
    assert set(image[RAMP > 2510].tolist()) == {255}
    assert image[RAMP == 2000] == pytest.approx(128, abs=1)
    assert image[RAMP == 1750] == pytest.approx(64, abs=1)


@pytest.mark.parametrize("fields", [{"WindowCenter": None, "WindowWidth": None}, {"WindowWidth": 2000}], ids=["empty", "half of it"])
def test_a_window_that_says_nothing_is_none(fields: dict[str, object]) -> None:
    np.testing.assert_array_equal(decode(dicom(RAMP, **fields), "a"), decode(dicom(RAMP), "a"))


def test_colours_are_those_that_were_stored_in_whatever_space() -> None:
    red = np.full((4, 4, 3), (200, 50, 20), np.uint8)
    stored = convert_color_space(red, "RGB", "YBR_FULL")
    assert np.abs(decode(dicom(stored, PhotometricInterpretation="YBR_FULL"), "a").astype(int) - red).max() <= 2


def test_a_palette_gives_its_colours() -> None:
    places = np.repeat([[0, 1, 2, 3]], 9, axis=0).astype(np.uint8)
    table = {f"{name}PaletteColorLookupTableDescriptor": [4, 0, 16] for name in ("Red", "Green", "Blue")}
    cells = {"Red": (0, 255, 0, 10), "Green": (0, 0, 255, 20), "Blue": (0, 0, 0, 30)}
    table |= {f"{name}PaletteColorLookupTableData": (np.array(values, np.uint16) * 257).tobytes() for name, values in cells.items()}
    image = decode(dicom(places, PhotometricInterpretation="PALETTE COLOR", **table), "a")
    assert image[4].tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [10, 20, 30]]


def test_of_several_windows_the_first_counts() -> None:
    several = decode(dicom(RAMP, WindowCenter=[2000, 100], WindowWidth=[1000, 50]), "a")
    np.testing.assert_array_equal(several, decode(dicom(RAMP, WindowCenter=2000, WindowWidth=1000), "a"))


def test_a_window_is_in_the_modalitys_units() -> None:
    """Stored 0..3995 with slope 1 and intercept -1024 are Hounsfield units; the window of lungs lies below 0."""
    scaled = decode(dicom(RAMP, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=-600, WindowWidth=1500), "a")
    np.testing.assert_array_equal(scaled, decode(dicom(RAMP, WindowCenter=424, WindowWidth=1500), "a"))


def test_numbers_with_a_sign() -> None:
    signed = RAMP.astype(np.int16) - 2000
    np.testing.assert_array_equal(decode(dicom(signed), "a"), decode(dicom(RAMP), "a"))


def test_where_the_largest_is_black_it_is_turned_over() -> None:
    turned = decode(dicom(RAMP, PhotometricInterpretation="MONOCHROME1"), "a")
    np.testing.assert_allclose(turned.astype(int), 255 - decode(dicom(RAMP), "a").astype(int), atol=1)


def test_colour() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(dicom(picture), "a"), picture)


def test_of_several_frames_the_middle_one_counts() -> None:
    frames = np.stack([RAMP * 0, RAMP, RAMP[::-1]])
    np.testing.assert_array_equal(decode(dicom(frames), "a"), decode(dicom(RAMP), "a"))


@pytest.mark.parametrize("size", [140, 700, -50])
def test_a_cut_file_is_named(size: int) -> None:
    with pytest.raises(CompetitionError, match=r"image 'train/1.dcm': the DICOM file cannot be read"):
        decode(dicom(RAMP)[:size], "train/1.dcm")


def test_without_pydicom_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dicom(RAMP)
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(CompetitionError, match=r"image 'a': DICOM files need the package pydicom: pip install 'podium\[dicom\]'"):
        decode(content, "a")
