"""Archives that are cut, locked, nested, wrongly named or point outside."""

import gzip
import io
import re
import tarfile
import zipfile

from tests.corpus.door import CLASSES, LABELS, SAMPLE, Case, Right, made, red
from tests.layouts import Tree, archive

BOMB_BYTES = 2**24


def only(*begins: str) -> Tree:
    return {name: data for name, data in made().items() if name.startswith(begins)}


def without(*begins: str) -> Tree:
    return {name: data for name, data in made().items() if not name.startswith(begins)}


def in_folder(folder: str) -> Tree:
    """What lies in a folder, without the folder's name."""
    return {name.removeprefix(folder + "/"): data for name, data in only(folder + "/").items()}


def tarred(content: Tree, mode: str = "w", links: dict[str, tuple[bytes, str]] | None = None) -> bytes:
    """links: name -> kind of link and where it points."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data.encode() if isinstance(data, str) else data))
        for name, (kind, target) in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    return file.getvalue()


def marked(data: bytes, central: int, local: int, value: bytes) -> bytes:
    """A zip, each entry with other bytes at a place of its two headers."""
    changed = bytearray(data)
    for mark, place in ((b"PK\x01\x02", central), (b"PK\x03\x04", local)):
        for found in re.finditer(re.escape(mark), data):
            changed[found.start() + place : found.start() + place + len(value)] = value
    return bytes(changed)


def prefixed(prefix: str) -> bytes:
    return archive({prefix + name: data for name, data in made().items()})


def packed(method: int, content: Tree | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in (made() if content is None else content).items():
            written.writestr(name, data)
    return file.getvalue()


def nested(depth: int) -> Tree:
    content: Tree = in_folder("train")
    for _ in range(depth):
        content = {"train.zip": archive(content)}
    return without("train/") | content


def bomb() -> bytes:
    """A table of sixteen million spaces whose header says that they are forty."""
    data = packed(zipfile.ZIP_DEFLATED, {"train.csv": " " * BOMB_BYTES})
    return marked(data, 24, 22, (40).to_bytes(4, "little"))


def by_class() -> Tree:
    """24 pictures in folders of three classes."""
    return {f"train/{CLASSES[number % 3]}/{number:02d}.png": red(number) for number in range(24)}


def header_of(tar: bytes, number: int) -> int:
    """Where the header of the nth file of a tar stands."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getmembers()[number].offset


def ending(tar: bytes, blocks: int) -> bytes:
    """A tar with so many blocks of zeros at its end."""
    content = tar.rstrip(b"\0")
    return content + bytes(-len(content) % 512 + 512 * blocks)


TRAIN_ZIP = archive(in_folder("train"))
ACCENTS: Tree = {
    re.sub(r"\ba(?=\d)", "\u00e1", name): re.sub(r"(?m)^a(?=\d)", "\u00e1", data) if isinstance(data, str) else data
    for name, data in made().items()
}
CLASSES_TAR = tarred(by_class())
CUT = header_of(CLASSES_TAR, 18)
NO_HEADER = rf"the tar is cut or damaged at byte {CUT:,} \(where a file's header should be\): download it again"
NO_END = rf"the tar is cut or damaged at byte {CUT:,} \(its end is missing; where it was written without one, unpack it beside\)"
MORE = rf"the tar is cut or damaged at byte {CUT:,} \(more follows its end, at byte {CUT + 512:,}"
DAMAGED_TARS = {
    "cut between two files": (CLASSES_TAR[:CUT], NO_END),
    "cut in a header": (CLASSES_TAR[: CUT + 100], NO_HEADER),
    "cut in a file": (CLASSES_TAR[: CUT - 10], "cannot be read as a tar .*: download it again"),
    "with a header that is none": (CLASSES_TAR[:CUT] + b"\xa5" * 512 + CLASSES_TAR[CUT + 512 :], NO_HEADER),
    "with a header of zeros": (CLASSES_TAR[:CUT] + bytes(512) + CLASSES_TAR[CUT + 512 :], MORE),
    "of which the rest is zeros": (
        CLASSES_TAR[:CUT] + bytes(2**21),
        rf"the tar is cut or damaged at byte {CUT:,} \(nothing but zeros from there on\)",
    ),
    "with another behind it": (
        CLASSES_TAR + CLASSES_TAR,
        r"the tar is cut .*more follows its end, .*; several tars in one are unpacked by `tar -xif`",
    ),
}
MISSING = r"images are missing for|no labels were found|no images"
TOP: dict[str, tuple[str, bytes, Right | str]] = {  # what is opened itself
    "a zip": ("c.zip", archive(made()), Right()),
    "a zip in capitals": ("C.ZIP", archive(made()), Right()),
    "a tar": ("c.tar", tarred(made()), Right()),
    "a tar.gz": ("c.tar.gz", gzip.compress(tarred(made())), Right()),
    "a zip of one folder": ("c.zip", prefixed("some competition/"), Right()),
    "a zip of names that begin with ./": ("c.zip", prefixed("./"), Right()),
    "a zip of names that begin with /": ("c.zip", prefixed("/"), r"c.zip: 14 files would lie outside of it: '/"),
    "a zip of names with backslashes": ("c.zip", archive({name.replace("/", "\\"): data for name, data in made().items()}), Right()),
    "a zip of names that point outside": ("c.zip", prefixed("../"), r"c.zip: 14 files would lie outside of it: '../"),
    "a zip with one name that points outside": (
        "c.zip",
        archive(made() | {"../../passwords.csv": "id,label\na0,bee\n"}),
        Right(said=r"c.zip: 1 files would lie outside of it: '../../passwords.csv'; they are left out"),
    ),
    "a zip of UTF-8 names that are not marked so": (
        "c.zip",
        marked(archive(ACCENTS), 8, 6, b"\0\0"),
        Right(rows={name.replace("a", "\u00e1"): label for name, label in LABELS.items()}),
    ),
    "a zip that is cut": (
        "c.zip",
        archive(made())[:-50],
        r"c.zip: the zip is cut, its end with the list of files is missing: download it again",
    ),
    "a zip of a zip, its own end cut off": (
        "c.zip",
        archive({**only("t"), "train.zip": TRAIN_ZIP})[:-100],
        r"c.zip: the zip is cut or damaged",
    ),
    "a zip with a hole": ("c.zip", archive(made())[:400] + archive(made())[900:], r"cut or damaged|damaged"),
    "an empty zip": ("c.zip", archive({}), r"there are no files"),
    "an empty file called zip": ("c.zip", b"", r"c.zip: this is no zip \(it is 0 bytes"),
    "a page called zip": ("c.zip", b"<html>sign in</html>", r"this is a web page and no zip: the download needs a login"),
    "a tar called zip": ("c.zip", tarred(made()), r"c.zip: this is no zip"),
    "a zip called tar": ("c.tar", archive(made()), r"c.tar: cannot be read as a tar .*: download it again"),
    "a gz that is no tar": ("c.tar.gz", gzip.compress(b"hello" * 500), r"c.tar.gz: cannot be read as a tar"),
    "a tar.gz that is cut": ("c.tar.gz", gzip.compress(tarred(made()))[:-300], r"c.tar.gz: is cut or damaged"),
    **{f"a tar {how}": ("c.tar", content, "c.tar: " + said) for how, (content, said) in DAMAGED_TARS.items()},
    **{f"a tar.gz of a tar {how}": ("c.tar.gz", gzip.compress(content), said) for how, (content, said) in DAMAGED_TARS.items()},
    "a tar that ends by one block": ("c.tar", ending(tarred(made()), 1), Right()),
    "a tar that is filled up far": ("c.tar", ending(tarred(made()), 1024), Right()),
    "a tar.bz2 of zeros": ("c.tar.bz2", bytes(100), r"c.tar.bz2: is cut or damaged"),
    "a tar.xz of zeros": ("c.tar.xz", bytes(100), r"c.tar.xz: is cut or damaged"),
    "a 7z of zeros": ("c.7z", bytes(100), r"c.7z: cannot be read as 7z|needs the package py7zr"),
    "an encrypted zip": ("c.zip", marked(archive(made()), 8, 6, b"\1\0"), r"is encrypted: unpack the archive with its password first"),
    "a zip of another packing": ("c.zip", packed(zipfile.ZIP_LZMA), r"is packed by method 14, which cannot be read here"),
    "a zip packed by bzip2": ("c.zip", packed(zipfile.ZIP_BZIP2), Right()),
    "a zip that says other sizes": ("c.zip", marked(archive(made()), 24, 22, b"\xfe\xff\xff\xff"), r"is damaged|too large"),
    "a text": ("c.txt", b"hello", r"c.txt: is neither a directory nor an archive"),
    "a picture": ("c.png", b"\x89PNG", r"c.png: is neither a directory nor an archive"),
    "a hard link in a tar": (
        "c.tar",
        tarred(without("train/a8"), links={"train/a8.png": (tarfile.LNKTYPE, "train/a7.png")}),
        Right(reds={**{f"a{n}": 10 * n for n in range(8)}, "a8": 70}),
    ),
    "a link out of a tar": (
        "c.tar",
        tarred(without("train/a8"), links={"train/a8.png": (tarfile.SYMTYPE, "/etc/passwd")}),
        r"train.csv: images are missing for 1 of 9 rows, column 'id': 'a8'",
    ),
}
ARCHIVES: dict[str, Case] = {
    "pictures in a zip": (lambda: without("train/") | {"train.zip": TRAIN_ZIP}, Right()),
    "a zip beside its folder": (
        lambda: made() | {"train.zip": TRAIN_ZIP},
        Right(said="train.zip was not opened: the folder of its name stands beside"),
    ),
    "three zips in each other": (lambda: nested(3), Right()),
    "five zips in each other": (lambda: nested(5), MISSING),
    "pictures in a zip that is cut": (
        lambda: without("train/") | {"train.zip": TRAIN_ZIP[:-60]},
        r"no labels were found.*Could not be opened: .*train.zip: the zip is cut",
    ),
    "pictures in a tar that is cut": (
        lambda: {"train.tar": CLASSES_TAR[:CUT], "sample_submission.csv": SAMPLE},
        r"Could not be opened: .*train.tar: the tar is cut or damaged",
    ),
    "a zip of no use that is cut": (
        lambda: made() | {"extra.zip": TRAIN_ZIP[:-60]},
        Right(said=r"not opened: .*extra.zip: the zip is cut"),
    ),
    "a part of a zip": (lambda: without("train/") | {"train.zip.001": b"PK"}, r"train.zip.001: is a part of an archive: join the parts"),
    "a rar": (lambda: without("train/") | {"train.rar": b"Rar!"}, r"train.rar: rar archives are not read: unpack it beside"),
    "labels in an encrypted zip": (
        lambda: without("train.csv") | {"train.csv.zip": marked(archive(only("train.csv")), 8, 6, b"\1\0")},
        r"train.csv.zip: 'train.csv' is encrypted",
    ),
    "a table that inflates beyond what it says": (
        lambda: without("train.csv") | {"labels.zip": bomb()},
        r"labels.zip: 'train.csv' is damaged",
    ),
    "what systems leave behind": (lambda: made() | {"__MACOSX/train/._a0.png": b"x", ".DS_Store": b"x", "train/Thumbs.db": b"x"}, Right()),
    "nothing": (lambda: {"readme.md": "hello"}, r"no images and no table with pixel columns: there are 1 files \(1 .md\)"),
    "a sample in a zip": (lambda: without("sample") | {"sample_submission.csv.zip": archive({"sample_submission.csv": SAMPLE})}, Right()),
}
