"""One read-only view of a competition: a directory or an archive, in which archives are seen as folders.

    train.zip inside a directory or a zip  ->  "train.zip/a.jpg", "train.zip/b.jpg", ...

Nothing is unpacked beside the data.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from competition.archives import ARCHIVES, DiskFolder, Folder, archive_suffix, leads_out
from competition.errors import CompetitionError, examples
from competition.spans import FileSpan

USUAL = (".jpg", ".jpeg", ".png", ".tif", ".csv")  # no part of an archive ends so
JUNK_NAMES = ("Thumbs.db", "thumbs.db", "desktop.ini", "Desktop.ini")  # besides __MACOSX and whatever is hidden (.DS_Store, ._x)
# of runs/, of an audit and of a run, and of the cache: for who works inside the competition's directory
OUR_MARKS = ({"ledger.csv"}, {"duplicates.csv", "duplicates-pairs.csv"}, {"config.toml", "folds.csv"})
OUR_CACHE = re.compile(r"(\d+px-\d+ch|folds|symmetry)-[0-9a-f]{16}\.(npy|json)")
PART = re.compile(r"\.(zip|7z|tar|tgz|tar\.gz)\.\d{2,3}$|\.z\d\d$|\.rar$", re.IGNORECASE)  # what is no archive that could be opened alone
HIGHEST_NESTING = 3  # an archive in an archive in an archive; deeper is no competition


class Files:
    """Paths with forward slashes, in order, and their bytes.

    left_out: archives inside that were not opened because a folder of their name stands beside them (train/ and train.zip).
    unopened: archives inside that could not be opened, and why. They may be of no use; who misses something tells of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: list[str] = []
        self.unopened: dict[str, str] = {}
        self._home: dict[str, tuple[Folder, int]] = {}  # path -> folder, length of the folder's own path
        self._folders: list[Folder] = []  # those that hold nothing but archives too: temporary files live as long as they do
        if not root.exists():
            raise CompetitionError(f"{root}: there is no such directory or archive")
        if root.is_dir():
            names = list(_walk(root))
            for name in [name for name in names if not _is_text(name)]:
                names.remove(name)
                self.unopened[name] = f"{os.fsencode(name)!r}: its name is no text in UTF-8: rename it"
            self._mount(DiskFolder(root, names), "", str(root), 0)
        elif suffix := archive_suffix(root.name):
            self._mount(ARCHIVES[suffix](FileSpan(root), str(root)), "", str(root), 0)
        else:
            raise CompetitionError(f"{root}: is neither a directory nor an archive ({', '.join(ARCHIVES)})")
        # A directory, and a zip that lists it in another order, are the same competition.
        self._home = dict(sorted(self._home.items(), key=lambda item: item[0]))

    @property
    def paths(self) -> list[str]:
        return list(self._home)

    def __contains__(self, path: str) -> bool:
        return path in self._home

    def read(self, path: str) -> bytes:
        """The file's bytes.

        Raises: CompetitionError for a path that is not there, and for a file that is damaged or encrypted.
        """
        folder, name = self._at(path)
        return folder.read(name)

    def head(self, path: str, most: int) -> bytes:
        """The first bytes of the file, at most `most`."""
        folder, name = self._at(path)
        return folder.head(name, most)

    def chunks(self, path: str) -> Iterator[bytes]:
        """The file's bytes in pieces of a few megabytes."""
        folder, name = self._at(path)
        return folder.chunks(name)

    def size(self, path: str) -> int:
        """Bytes, unpacked."""
        folder, name = self._at(path)
        return folder.size(name)

    def stamp(self, paths: Sequence[str]) -> str:
        """Sixteen hex digits that change when one of the files does: by size and time on disk, by size and checksum in a zip."""
        digest = hashlib.sha256()
        for path in paths:
            folder, name = self._at(path)
            digest.update(repr((path, folder.stamp(name))).encode())
        return digest.hexdigest()[:16]

    def _at(self, path: str) -> tuple[Folder, str]:
        try:
            folder, begin = self._home[path]
        except KeyError:
            raise CompetitionError(f"{self.root}: there is no file {path!r}") from None
        return folder, path[begin:]

    def _mount(self, folder: Folder, prefix: str, where: str, depth: int) -> None:
        self._folders.append(folder)
        outside = set() if isinstance(folder, DiskFolder) else set(filter(leads_out, folder.names))
        if outside:
            told = examples(sorted(outside))
            self.unopened[where] = f"{where}: {len(outside):,} files would lie outside of it: {told}; they are left out"
        names = [name for name in folder.names if not is_junk(name) and name not in outside]
        for name in [name for name in names if not name.endswith(USUAL) and PART.search(name)]:
            names.remove(name)
            whole = PART.sub("", name)
            self.unopened.setdefault(prefix + whole, f"{where}/{name}: {_how_to_open(name)}")
        archives = [name for name in names if archive_suffix(name)]
        home = (folder, len(prefix))
        if not archives:
            self._home.update(dict.fromkeys([prefix + name for name in names] if prefix else names, home))
            return
        folders = set(_folders(names))
        for name in names:
            suffix = archive_suffix(name)
            if suffix is None:
                self._home[prefix + name] = home
            elif name[: -len(suffix)] in folders:
                self.left_out.append(prefix + name)
            elif depth < HIGHEST_NESTING:
                inside = f"{where}/{name}"
                try:
                    opened = ARCHIVES[suffix](folder.inner(name), inside)
                except CompetitionError as error:
                    self.unopened[prefix + name] = str(error)
                else:
                    self._mount(opened, f"{prefix}{name}/", inside, depth + 1)


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def is_junk(name: str) -> bool:
    """Whether a file is one that systems leave behind, or hidden."""
    return name[:1] in ("", ".") or "/." in name or "__MACOSX" in name or name.endswith(JUNK_NAMES)


def _how_to_open(name: str) -> str:
    if name.lower().endswith(".rar"):
        return "rar archives are not read: unpack it beside"
    if name[-4:-2].lower() == ".z":
        return f"is a part of an archive: join the parts by `zip -s 0 {name[:-4]}.zip --out joined.zip`"
    return f"is a part of an archive: join the parts by `cat {name.rpartition('.')[0]}.* > joined{Path(name).with_suffix('').suffix}`"


def _folders(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        while "/" in name:
            name = name.rpartition("/")[0]
            yield name


def _walk(root: Path) -> Iterator[str]:
    """Files under the root, folder by folder in alphabetical order, but for our own runs and cache; links are followed, once each."""
    seen: set[str] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(root / folder)
        if real in seen:
            continue
        seen.add(real)
        below: list[str] = []
        try:
            with os.scandir(root / folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            raise CompetitionError(f"{root / folder}: cannot be read: {error.strerror}") from None
        names = {entry.name for entry in entries}
        if any(marks <= names for marks in OUR_MARKS) or any(map(OUR_CACHE.fullmatch, names)):
            continue
        for entry in entries:
            path = folder + entry.name
            if entry.name.startswith("."):
                continue
            try:
                is_directory, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself
                continue
            if is_directory:
                below.append(path + "/")
            elif is_file:
                yield path
        waiting.extend(reversed(below))
