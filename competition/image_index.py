"""Which image an id means: by its path, its file name or its stem, in the folder that the row belongs to.

Images stand in groups: train/, test.zip/, jpeg/train/, images/. An id is looked for in a whole group, however deep its folders.
"""

import functools
import itertools
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pandas as pd

from competition.archives import archive_suffix

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".jp2",
    ".ppm",
    ".pgm",
    ".jfif",
    ".npy",
    ".dcm",
    ".dicom",
)
LOOKED_AT_IDS = 200
SPELLED_IDS = 20  # are asked whether ids have endings and folders
LEAST_SHARE = 0.5  # of the looked-at ids that must be images for a column to be one of ids
LEAST_NUMBERED = 0.9  # of a group's images, whose numbers a column has, for it to number them
Role = Literal["train", "test", "val"]
ROLE_WORDS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset", "traindata", "trainimages", "trn", "labeled", "labelled"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "testdata", "testimages", "tst", "evaluation", "holdout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
}
BESIDE_WORDS = frozenset(
    ["mask", "masks", "segmentation", "segmentations", "depth", "thumb", "thumbs", "thumbnails", "annotation", "annotations"]
)
BESIDE_NAMES = frozenset(["labels", "gt", "groundtruth", "ground_truth", "ground-truth"])  # whole names: label_1 is a class
NEGATIONS = frozenset(["no", "non", "not", "without", "with", "un"])  # with_mask and without_mask are classes
NEGATED = re.compile(rf"(no|non|without)({'|'.join(sorted(BESIDE_WORDS))})$", re.IGNORECASE)
MARK_OF_BESIDE = re.compile(rf"[\W_]*({'|'.join(sorted(BESIDE_WORDS))}|seg|label)$", re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words(name: str) -> list[str]:
    """The words of a file or folder name, in lower case: trainLabels_v2.csv -> train, labels, v, csv."""
    return [word.lower() for word in WORD.findall(name)]


def role_of(name: str) -> Role | None:
    """What a folder or file is for, by its name; None where the name says nothing, or two things."""
    suffix = archive_suffix(name)
    roles: set[Role] = {ROLE_WORDS[word] for word in words(name.removesuffix(suffix or "")) if word in ROLE_WORDS}
    return next(iter(roles)) if len(roles) == 1 else None


def role_of_file(path: str) -> Role | None:
    """What a file is for, by its name, else by the nearest folder whose name says it."""
    return next((role for part in reversed(re.split("[/#]", path)) if (role := role_of(part))), None)


def is_image(path: str) -> bool:
    return path.endswith(IMAGE_SUFFIXES) or path[path.rfind(".") :].lower() in IMAGE_SUFFIXES


def without_suffix(name: str) -> str:
    """The name without an image's ending; dots of other endings are part of an id."""
    return name[: name.rfind(".")] if is_image(name) else name


class Spelling(NamedTuple):
    """How ids are compared with paths: by the path's last `depth` parts, with the ending or without.

    loose: capitals do not count, nor the zeros before a number, nor ".0" behind it: 12 is 00012.JPG.
    folder: the file's folder is called so, not the file. number: it is the only number in the file's name: 12 is image_0012.jpg.
    """

    depth: int
    suffixed: bool
    loose: bool = False
    folder: bool = False
    number: bool = False

    def of_path(self, path: str) -> str:
        if self.folder:
            return path.rpartition("/")[0].rpartition("/")[2]
        if self.number:
            numbers = NUMBER.findall(without_suffix(path.rpartition("/")[2]))
            return _loosely(numbers[0]) if len(numbers) == 1 else ""
        name = path[path.rfind("/") + 1 :] if self.depth == 1 else "/".join(path.rsplit("/", self.depth)[-self.depth :])
        name = _composed(name if self.suffixed else name[: name.rfind(".")])
        return _loosely(name) if self.loose else name

    def of_paths(self, paths: Sequence[str]) -> list[str]:
        if self != Spelling(1, self.suffixed):
            return [self.of_path(path) for path in paths]
        names = [path[path.rfind("/") + 1 :] for path in paths]  # sixty thousand of them in a hundredth of a second
        names = names if self.suffixed else [name[: name.rfind(".")] for name in names]
        return names if all(map(str.isascii, names)) else list(map(_composed, names))

    def of_id(self, identifier: str) -> str:
        name = _composed(_clean(identifier))
        name = "/".join(name.rsplit("/", self.depth)[-self.depth :])
        name = name if self.suffixed else without_suffix(name)
        return _loosely(name) if self.loose or self.number else name

    def of_ids(self, ids: Sequence[str]) -> Sequence[str]:
        if self == Spelling(self.depth, False) and not any(
            "/" in value or "." in value or "\\" in value or not value.isascii() for value in ids
        ):
            return ids
        return [self.of_id(value) for value in ids]


BY_NUMBER = Spelling(1, False, number=True)


@dataclass
class Group:
    """The images below one folder; beside: pictures that belong to others, such as masks."""

    folder: str
    role: Role | None
    beside: bool = False
    paths: list[str] = field(default_factory=list)
    _by_spelling: dict[Spelling, dict[str, str]] = field(default_factory=dict)

    def by(self, spelling: Spelling) -> dict[str, str]:
        """Spelling -> path. What means two images is left out."""
        known = self._by_spelling.get(spelling)
        if known is None:
            spelled = spelling.of_paths(self.paths)
            known = dict(zip(spelled, self.paths, strict=True))
            if len(known) < len(spelled):
                seen: set[str] = set()
                for name in spelled:
                    if name in seen:
                        known.pop(name, None)
                    seen.add(name)
            self._by_spelling[spelling] = known
        return known


@dataclass(frozen=True)
class Match:
    """The image of each id, None where there is none; the groups that were used, and those that would have done as well.

    by_number: ids are no names, but the numbers in them.
    """

    images: list[str | None]
    groups: tuple[str, ...]
    instead: tuple[str, ...] = ()
    by_number: bool = False

    @property
    def missing(self) -> list[int]:
        return [place for place, image in enumerate(self.images) if image is None]


class ImageIndex:
    """The images of a competition, in groups."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.groups: dict[str, Group] = {}
        self.deepest = 1  # parts of the longest path
        images = [path for path in paths if path.endswith(IMAGE_SUFFIXES) or is_image(path)]
        folders = [(folder, list(together)) for folder, together in itertools.groupby(images, lambda path: path[: path.rfind("/") + 1])]
        beside = _folders_beside(folders)
        above = _folder_above([folder for folder, _ in folders])
        for folder, together in folders:
            below, role, is_beside = _group_of(folder[len(above) :], beside)
            name = above + below
            self.groups.setdefault(name, Group(name, role, is_beside)).paths.extend(together)
            self.deepest = max(self.deepest, folder.count("/") + 1)

    def __len__(self) -> int:
        return sum(len(group.paths) for group in self.groups.values())

    def of_role(self, *roles: Role | None) -> list[str]:
        """The paths of all groups with one of the roles, but for pictures that belong to others."""
        return [path for group in self.groups.values() if group.role in roles and not group.beside for path in group.paths]

    def has(self, name: str) -> bool:
        """Whether an image is called so, with its ending or without."""
        return bool(self._found([name], Spelling(1, is_image(name))))

    def called(self, identifier: str) -> list[str]:
        """The images whose names are that id with any ending, but for capitals and zeros before a number; not pictures of others."""
        name = without_suffix(_clean(identifier).rpartition("/")[2])
        paths = [path for group in self.groups.values() if not group.beside for path in group.paths]
        exact = [path for path in paths if without_suffix(path.rpartition("/")[2]) == name]
        return exact or [path for path in paths if _loosely(without_suffix(path.rpartition("/")[2])) == _loosely(name)]

    def share(self, ids: Sequence[str], loose: bool = False) -> float:
        """Which share of some of the ids are images, each value counted once: a column of classes 0 to 9 is no column of ids."""
        looked_at = _spread(ids)
        distinct = sorted(set(looked_at))
        best = max(self._found(distinct, spelling) for spelling in self._spellings(looked_at, loose))
        return best / max(1, len(looked_at))

    def column_of_ids(self, frame: pd.DataFrame, columns: Iterable[str]) -> tuple[str, float] | None:
        """The column that names images and the share of its values that do; None where no column does for at least half."""
        columns = [name for name in columns if name]
        for loose in (False, True):
            shares = {name: self.share(frame[name].tolist(), loose) for name in columns}
            most = max(shares.values(), default=0)
            if most >= LEAST_SHARE:
                alike = [name for name in columns if shares[name] == most]
                best = next((name for name in alike if self._of_no_others(frame[name].tolist())), alike[0])
                return next((name for name in alike if _are_files_of_rows(frame[name], frame[best])), best), most
        return None

    def column_of_numbers(self, frame: pd.DataFrame, columns: Iterable[str]) -> str | None:
        """The column of whole numbers, none of them twice, that are the numbers in the names of nearly all images of a group."""
        return next((name for name in columns if frame[name].is_unique and self._are_numbers(frame[name].tolist())), None)

    def _of_no_others(self, ids: Sequence[str]) -> bool:
        """Whether ids are images that are no masks and the like."""
        some = _spread(ids)[:SPELLED_IDS]
        own = [group for group in self.groups.values() if not group.beside]
        return any(self._found(some, spelling, own) for spelling in self._spellings(some, False))

    def match(self, ids: Sequence[str], role: Role | None) -> Match:
        """The image of each id, from groups of the role first (val counts as train), then from those without one; from all where
        none of the role has any.

        Ids are taken as the spelling that fits most of some of them, in groups of the role if there are any; what it leaves open, the
        other strict spellings are asked for.
        Where no name is like an id, ids may be the numbers in names.
        """
        looked_at = _spread(ids)
        its_own = [group for group in self.groups.values() if group.role == role or (role, group.role) == ("train", "val")]
        best, spelling = (0, 0), Spelling(1, True)  # found in groups of the role, and in any
        decisive = 0 if its_own else 1  # of these two
        spellings = []
        for loose in (False, True):
            for tried in self._spellings(looked_at, loose):
                found = self._found(looked_at, tried, its_own), self._found(looked_at, tried)
                spellings += [] if loose else [tried]
                if found > best:
                    best, spelling = found, tried
                if best[decisive] == len(looked_at):
                    break
            if best[decisive] >= LEAST_SHARE * len(looked_at):
                break
        by_number = not any(best) and self._are_numbers(ids)
        spelling = BY_NUMBER if by_number else spelling
        ranked = self._ranked(looked_at, spelling, role)
        images: list[str | None] = [None] * len(ids)
        open_places: Sequence[int] = range(len(ids))
        used: list[str] = []
        for tried in dict.fromkeys([spelling, *spellings]):
            spelled = tried.of_ids(ids)
            for group in ranked if tried == spelling else self._ranked(looked_at, tried, role) if open_places else []:
                known = group.by(tried)
                left = []
                for place in open_places:
                    path = known.get(spelled[place])
                    images[place] = path
                    if path is None:
                        left.append(place)
                if len(left) < len(open_places):
                    used.append(group.folder)
                open_places = left
                if not open_places:
                    break
            if not open_places:
                break
        enough = _hits(looked_at, self.groups[used[0]], spelling) if used else 0
        instead = (
            [
                g.folder
                for g in ranked
                if g.folder not in used and not g.beside and g.role == self.groups[used[0]].role and _hits(looked_at, g, spelling) >= enough
            ]
            if used
            else []
        )
        return Match(images, tuple(dict.fromkeys(used)), tuple(instead), by_number)

    def expected(self, identifier: str, role: Role | None) -> str:
        """The path at which one would look for an id's image, for error messages."""
        groups = sorted(self.groups.values(), key=lambda group: (group.role != role, group.role is not None, -len(group.paths)))
        if not groups:
            return identifier
        ending = groups[0].paths[0][groups[0].paths[0].rfind(".") :]
        return f"{groups[0].folder}{identifier}{'' if is_image(identifier) else ending}"

    def _ranked(self, looked_at: Sequence[str], spelling: Spelling, role: Role | None) -> list[Group]:
        hits = {name: _hits(looked_at, group, spelling) for name, group in self.groups.items()}
        groups = [group for group in self.groups.values() if hits[group.folder]] or list(self.groups.values())
        its_own = [group for group in groups if group.role == role and hits[group.folder] >= LEAST_SHARE * len(looked_at)]
        if its_own:
            groups = [group for group in groups if group.role in (role, None) or (role, group.role) == ("train", "val")]
        return sorted(
            groups,
            key=lambda group: (group.role != role, group.role is not None, group.beside, -hits[group.folder]),
        )

    def _found(self, ids: Sequence[str], spelling: Spelling, groups: Iterable[Group] | None = None) -> int:
        """How many of the ids are images in any of the groups; of all, where none are given."""
        tables = [group.by(spelling) for group in (self.groups.values() if groups is None else groups)]
        return sum(any(value in table for table in tables) for value in spelling.of_ids(ids))

    def _are_numbers(self, ids: Sequence[str]) -> bool:
        """Whether all ids are whole numbers, and the only numbers in the names of nearly all images of a group: row 0 of a table of
        pairs is no image."""
        numbers = set(BY_NUMBER.of_ids(ids))
        return all(name.isascii() and name.isdigit() for name in numbers) and any(
            LEAST_NUMBERED * len(group.paths) <= len(numbers & group.by(BY_NUMBER).keys()) == len(numbers)
            for group in self.groups.values()
            if not group.beside
        )

    def _spellings(self, ids: Sequence[str], loose: bool) -> list[Spelling]:
        cleaned = [_clean(value) for value in ids[:SPELLED_IDS]]
        suffixed = (True, False) if any(map(is_image, cleaned)) else (False,)
        if loose:
            return [Spelling(1, False, loose=True), Spelling(1, False, folder=True)]
        deepest = min(max((value.count("/") + 1 for value in cleaned), default=1), self.deepest)
        return [Spelling(depth, s) for depth in range(deepest, 0, -1) for s in suffixed]


@functools.cache  # a zip may list its folders in turns
def _group_of(folder: str, beside: frozenset[str]) -> tuple[str, Role | None, bool]:
    parts = folder.split("/")[:-1]
    roles: list[Role | None] = [role_of(part) for part in parts]
    end = next((place + 1 for place, role in enumerate(roles) if role), min(1, len(parts)))
    role = roles[end - 1] if parts else None
    place = next((place for place, part in enumerate(parts) if part in beside), None)
    end = end if place is None else max(end, place + 1)
    return "".join(part + "/" for part in parts[:end]), role, place is not None


def _folder_above(folders: Sequence[str]) -> str:
    """The folder that holds all images, where folders below it are of training and of test: its own name tells nothing then."""
    common = posixpath.commonpath(folders) + "/" if folders and all(folders) else "/"
    roles = {_group_of(folder[len(common) :], frozenset())[1] for folder in set(folders)} if common != "/" else set()
    return common if {"train", "test"} <= roles and role_of(common) else ""


def _folders_beside(folders: Sequence[tuple[str, list[str]]]) -> frozenset[str]:
    """Names of folders that hold masks, thumbnails and the like of images that lie elsewhere under the same names."""
    parts = {part for folder, _ in folders for part in folder.split("/")}
    named = {part for part in parts if not BESIDE_WORDS.isdisjoint(words(part)) or part.lower() in BESIDE_NAMES}
    if not named or any(not NEGATIONS.isdisjoint(words(part)) for part in named) or any(map(NEGATED.match, parts)):
        return frozenset()
    siblings: dict[str, set[str]] = {}  # by a named one: those beside it that are not
    for folder, _ in folders:
        above, _, part = folder.rstrip("/").rpartition("/")
        if part in named:
            siblings[part] = (
                siblings.get(part, set())
                | {other.rstrip("/").rpartition("/")[2] for other, _ in folders if other.rstrip("/").rpartition("/")[0] == above} - named
            )
    own: set[str] = set()
    of_others: dict[str, list[str]] = {part: [] for part in named}
    for folder, paths in folders:
        stems = [without_suffix(path[len(folder) :]) for path in paths]
        part = next((part for part in folder.split("/") if part in named), None)
        if part is not None and len(siblings.get(part, ())) > 1 and all(map(str.isdigit, stems)):
            stems = []  # thumbs_up beside fist and palm: numbers that each of them has tell nothing
        if part is None:
            own.update(stems)
        else:
            of_others[part] += [MARK_OF_BESIDE.sub("", stem) for stem in stems]
    return frozenset(part for part, stems in of_others.items() if stems and sum(stem in own for stem in stems) >= LEAST_SHARE * len(stems))


def _spread(ids: Sequence[str]) -> list[str]:
    step = max(1, len(ids) // LOOKED_AT_IDS)
    return list(ids[::step])


def _clean(identifier: str) -> str:
    name = identifier.strip()
    if "://" in name:
        name = name.partition("://")[2].partition("?")[0]
    return name.replace("\\", "/").removeprefix("./").strip("/")


def _are_files_of_rows(files: pd.Series, numbers: pd.Series) -> bool:
    """Whether one column has file names, and another the numbers of its rows: 3 may be 17.jpg, though there is a 3.jpg."""
    some = list(zip(_spread(files.tolist()), map(_clean, _spread(numbers.tolist())), strict=True))
    stems = [without_suffix(file.rpartition("/")[2]) for file, _ in some]
    return all(is_image(file) and number.isdecimal() for file, number in some) and stems != [number for _, number in some]


def _composed(name: str) -> str:
    """Letters with their accents as one: macOS writes file names with accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _loosely(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    last = last.removesuffix(".0") if last.removesuffix(".0").isdigit() else last  # a number that was a fraction for a while
    return folder.lower() + slash + (last.lstrip("0") or "0" if last.isdigit() else last.lower())


def _hits(ids: Sequence[str], group: Group, spelling: Spelling) -> int:
    known = group.by(spelling)
    return sum(value in known for value in spelling.of_ids(ids))
