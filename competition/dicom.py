"""A DICOM file's bytes -> uint8 H x W x C, windowed as the file asks. It needs the optional package pydicom.

Stored values are rescaled to the modality's (Hounsfield units of a CT), then seen through the file's first window or lookup table;
without one, from the smallest to the largest value. MONOCHROME1, where the largest value is black, is turned over. Of several frames
the middle one is taken.
"""

import io
import warnings

import numpy as np

from competition.arrays import as_image
from competition.errors import CompetitionError

MARK, MARK_AT = b"DICM", 128
WIDEST = 1e9  # a value beyond any window


def is_dicom(content: bytes) -> bool:
    return content[MARK_AT : MARK_AT + 4] == MARK


def read_dicom(content: bytes, key: str) -> np.ndarray:
    """uint8 H x W x 1, or x 3 for colour.

    Raises: CompetitionError where pydicom is missing, or the file is damaged or packed in a way that needs a further package.
    """
    try:
        import pydicom
        from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
    except ImportError:
        raise CompetitionError(f"image {key!r}: DICOM files need the package pydicom: pip install 'podium[dicom]'") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about fields that are not as the standard has them
            dataset = pydicom.dcmread(io.BytesIO(content))
            stored = dataset.pixel_array
            kind = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
            colour = int(dataset.get("SamplesPerPixel", 1)) == 3
            if stored.ndim == 3 + colour:
                stored = stored[len(stored) // 2]
            if colour or kind == "PALETTE COLOR":
                return as_image(stored if colour else apply_color_lut(stored, dataset), key)  # pydicom has made RGB of YBR
            values = apply_modality_lut(stored, dataset).astype(np.float64)
            windowed = None not in (dataset.get("WindowWidth"), dataset.get("WindowCenter"))  # they may be there, and empty
            seen = apply_voi_lut(values if windowed else stored, dataset, index=0)
            if windowed:
                low, high = (float(end) for end in apply_voi_lut(np.array([-WIDEST, WIDEST]), dataset, index=0))
            else:
                low, high = float(seen.min()), float(seen.max())
    except CompetitionError:
        raise
    except Exception as error:  # damaged files raise many kinds, and missing decoders a RuntimeError
        raise CompetitionError(f"image {key!r}: the DICOM file cannot be read: {' '.join(str(error).split())[:300]}") from None
    grey = np.clip((seen.astype(np.float64) - low) / (high - low if high > low else 1), 0, 1)
    return np.rint(255 * (1 - grey if kind == "MONOCHROME1" else grey)).astype(np.uint8)[..., None]


def dicom_shape(content: bytes) -> tuple[int, int, int] | None:
    """H, W, C from a DICOM file's fields, without its pixels; None where pydicom is missing or they are not there."""
    try:
        import pydicom

        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
        return int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1))
    except Exception:  # whatever is wrong is said when the file is read
        return None
