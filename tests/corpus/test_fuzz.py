"""Whatever bytes come in, the answer is a result or an InputError: never another exception, and no warning (they are errors here)."""

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from competition.archives import ARCHIVES as KINDS
from competition.archives import archive_suffix
from competition.config import CompetitionConfig
from competition.damage import what_is_wrong
from competition.decode import decode, shape_of
from competition.errors import InputError
from competition.files import Files
from competition.load import load
from competition.spans import FileSpan
from tests.corpus.archives import tarred
from tests.corpus.door import PLAIN, SAMPLE, made
from tests.corpus.images import COLOUR, IMAGES, JPEG, WHOLE, array, encoded, png
from tests.layouts import LAYOUTS, archive, put

TRIES = 40
SEEDS = range(3)
PIECES = [
    b'"',
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b" ",
    b"a0",
    b"1e999",
    b"nan",
    b"\xe9",
    b"'",
    b"#",
    b"[",
    b"{",
]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with bytes flipped, cut out, put in twice, or replaced by pieces that mean something to readers."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.randrange(len(data) + 1)
        length = rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(6):
            case 0:
                data[place : place + length] = rng.randbytes(length)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case 3:
                data[place:place] = rng.choice(PIECES)
            case 4:
                del data[place:]
            case _:
                data[place : place + 4] = struct.pack("<I", rng.choice((0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 65_535)))
    return bytes(data)


def answered(work: Callable[[], object]) -> bool:
    """Whether there is a result; False: an InputError that says something."""
    said = ""
    try:
        work()
        return True
    except InputError as error:
        said = str(error)
    assert len(said) > 10
    return False


TABLES = {
    "train.csv": PLAIN.encode(),
    "train.txt": PLAIN.replace(",", " ").encode(),
    "train.json": b'{"a0": "ant", "a1": "bee", "a2": "cat", "a3": "ant", "a4": "bee"}',
    "train.jsonl": b'{"id": "a0", "label": "ant"}\n{"id": "a1", "label": "bee"}\n',
    "sample_submission.csv": SAMPLE.encode(),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TABLES)
def test_any_table(name: str, seed: int, tmp_path: Path) -> None:
    rng = random.Random(f"{name} {seed}")  # noqa: S311
    put(tmp_path, made(None if name.startswith("train") else PLAIN))
    for _ in range(TRIES):
        (tmp_path / name).write_bytes(damaged(TABLES[name], rng))
        answered(lambda: load(CompetitionConfig(source=str(tmp_path))))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_table_of_pixels(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311
    tree = LAYOUTS["a column a pixel"].tree()
    put(tmp_path, tree)
    whole = tree["train.csv"]

    def read() -> None:
        found = load(CompetitionConfig(source=str(tmp_path)))
        found.images.read(found.train["image"].iloc[0])

    for _ in range(TRIES):
        (tmp_path / "train.csv").write_bytes(damaged(whole.encode() if isinstance(whole, str) else whole, rng))
        answered(read)


FILES = {
    **{name: content() for name, (_, content, wanted) in IMAGES.items() if not isinstance(wanted, str)},
    "a JPEG": JPEG,
    "a progressive JPEG": encoded(COLOUR, "JPEG", progressive=True),
    "a JPEG 2000": encoded(COLOUR, "JPEG2000"),
    "a packed TIFF": encoded(COLOUR, "TIFF", compression="tiff_lzw"),
    "a PNG of made chunks": png(6, 4, b"\0" * 28),
    "an array": array(COLOUR),
}


@pytest.mark.parametrize("name", FILES)
def test_any_image(name: str) -> None:
    rng = random.Random(name)  # noqa: S311
    for _ in range(TRIES):
        content = damaged(FILES[name], rng)
        shape_of(content[:64])
        shape_of(content)
        what_is_wrong(content)
        answered(lambda content=content: decode(content, "a"))
        answered(lambda content=content: decode(content, "a", 1))


def test_any_bytes_that_begin_as_an_image_does() -> None:
    rng = random.Random(0)  # noqa: S311
    begins = sorted({content[:12] for content in FILES.values()} | {b"", b"\x93NUMPY", WHOLE[:33]})
    for _ in range(20):
        for begin in begins:
            content = begin + rng.randbytes(rng.choice((0, 1, 10, 300)))
            shape_of(content)
            what_is_wrong(content)
            answered(lambda content=content: decode(content, "a"))


def zipped(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in {"a.csv": PLAIN, "b/c.png": WHOLE, "inner.zip": archive({"d.txt": "hello"})}.items():
            written.writestr(name, data)
    return file.getvalue()


ARCHIVES = {
    "stored.zip": zipped(zipfile.ZIP_STORED),
    "deflated.zip": zipped(zipfile.ZIP_DEFLATED),
    "bzip2.zip": zipped(zipfile.ZIP_BZIP2),
    "a.tar": tarred({"a.csv": PLAIN, "b/c.png": WHOLE}),
    "a.tar.gz": tarred({"a.csv": PLAIN, "b/c.png": WHOLE}, "w:gz"),
    "a.tar.xz": tarred({"a.csv": PLAIN, "b/c.png": WHOLE}, "w:xz"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_any_archive(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)  # noqa: S311
    place = tmp_path / name
    whole = 3 if name.endswith(".zip") else 2  # files of the archive

    def read() -> None:
        files = Files(place)
        assert len(KINDS[archive_suffix(name) or ""](FileSpan(place), name).names) >= whole, "a file is missing without a word"
        for path in files.paths:
            files.head(path, 100)
            files.size(path)
            if answered(lambda path=path: files.read(path)):
                assert b"".join(files.chunks(path)) == files.read(path)

    for _ in range(3 * TRIES):
        place.write_bytes(damaged(ARCHIVES[name], rng))
        answered(read)
