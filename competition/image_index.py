"""Which image an id means: by its path, its file name or its stem, in the folder that the row belongs to.

Images stand in groups: train/, test.zip/, jpeg/train/, images/. An id is looked for in a whole group, however deep its folders.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from competition.archives import archive_suffix
from competition.errors import CompetitionError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".ppm", ".pgm", ".jfif")
LOOKED_AT_IDS = 200
LEAST_SHARE = 0.5  # of the looked-at ids that must be images for a column to be one of ids
Role = Literal["train", "test", "val"]
ROLE_WORDS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset", "trn", "labeled", "labelled"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
}
BESIDE_WORDS = frozenset(
    ["mask", "masks", "segmentation", "segmentations", "depth", "thumb", "thumbs", "thumbnails", "annotation", "annotations"]
)
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
    return next((role for part in reversed(path.split("/")) if (role := role_of(part))), None)


def is_image(path: str) -> bool:
    return path.endswith(IMAGE_SUFFIXES) or path[path.rfind(".") :].lower() in IMAGE_SUFFIXES


def without_suffix(name: str) -> str:
    """The name without an image's ending; dots of other endings are part of an id."""
    return name[: name.rfind(".")] if is_image(name) else name


@dataclass
class Group:
    """The images below one folder."""

    folder: str
    role: Role | None
    paths: list[str] = field(default_factory=list)
    _by_spelling: dict[tuple[int, bool], dict[str, str]] = field(default_factory=dict)

    def by(self, depth: int, suffixed: bool) -> dict[str, str]:
        """Spelling -> path; a spelling is the path's last `depth` parts, with or without the ending. What means two images is left out."""
        known = self._by_spelling.get((depth, suffixed))
        if known is None:
            if depth == 1:
                spelled = [path[path.rfind("/") + 1 :] for path in self.paths]
            else:
                spelled = ["/".join(path.rsplit("/", depth)[-depth:]) for path in self.paths]
            if not suffixed:
                spelled = [name[: name.rfind(".")] for name in spelled]
            known = dict(zip(spelled, self.paths, strict=True))
            if len(known) < len(spelled):
                seen: set[str] = set()
                for name in spelled:
                    if name in seen:
                        known.pop(name, None)
                    seen.add(name)
            self._by_spelling[depth, suffixed] = known
        return known


@dataclass(frozen=True)
class Match:
    """The image of each id, None where there is none; the groups that were used, and those that would have done as well."""

    images: list[str | None]
    groups: tuple[str, ...]
    instead: tuple[str, ...] = ()

    @property
    def missing(self) -> list[int]:
        return [place for place, image in enumerate(self.images) if image is None]


class ImageIndex:
    """The images of a competition, in groups."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.groups: dict[str, Group] = {}
        images = [path for path in paths if path.endswith(IMAGE_SUFFIXES) or is_image(path)]
        for folder, together in itertools.groupby(images, lambda path: path[: path.rfind("/") + 1]):
            name, role = _group_of(folder)
            self.groups.setdefault(name, Group(name, role)).paths.extend(together)

    def __len__(self) -> int:
        return sum(len(group.paths) for group in self.groups.values())

    def of_role(self, *roles: Role | None) -> list[str]:
        """The paths of all groups with one of the roles."""
        return [path for group in self.groups.values() if group.role in roles for path in group.paths]

    def share(self, ids: Sequence[str]) -> float:
        """Which share of some of the ids are images, each value counted once: a column of classes 0 to 9 is no column of ids."""
        looked_at = _spread(ids)
        distinct = sorted(set(looked_at))
        best = 0
        for spelling in _spellings(looked_at):
            spelled = _spelled(distinct, spelling)
            tables = [group.by(*spelling) for group in self.groups.values()]
            best = max(best, sum(any(value in table for table in tables) for value in spelled))
        return best / max(1, len(looked_at))

    def match(self, ids: Sequence[str], role: Role | None) -> Match:
        """The image of each id, from groups of the role first, then from those without one; from all where none of the role has any."""
        looked_at = _spread(ids)
        best: tuple[int, tuple[int, bool]] = (0, (1, True))
        for spelling in _spellings(looked_at):
            hits = max((_hits(looked_at, group, spelling) for group in self.groups.values()), default=0)
            if hits > best[0]:
                best = (hits, spelling)
        spelling = best[1]
        ranked = self._ranked(looked_at, spelling, role)
        images: list[str | None] = [None] * len(ids)
        open_places = list(range(len(ids)))
        used: list[str] = []
        spelled = _spelled(ids, spelling)
        for group in ranked:
            known = group.by(*spelling)
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
        enough = _hits(looked_at, self.groups[used[0]], spelling) if used else 0
        instead = (
            [
                g.folder
                for g in ranked
                if g.folder not in used and g.role == self.groups[used[0]].role and _hits(looked_at, g, spelling) >= enough
            ]
            if used
            else []
        )
        return Match(images, tuple(used), tuple(instead))

    def expected(self, identifier: str, role: Role | None) -> str:
        """The path at which one would look for an id's image, for error messages."""
        groups = sorted(self.groups.values(), key=lambda group: (group.role != role, group.role is not None, -len(group.paths)))
        if not groups:
            return identifier
        ending = groups[0].paths[0][groups[0].paths[0].rfind(".") :]
        return f"{groups[0].folder}{identifier}{'' if is_image(identifier) else ending}"

    def _ranked(self, looked_at: Sequence[str], spelling: tuple[int, bool], role: Role | None) -> list[Group]:
        hits = {name: _hits(looked_at, group, spelling) for name, group in self.groups.items()}
        groups = [group for group in self.groups.values() if hits[group.folder]] or list(self.groups.values())
        its_own = [group for group in groups if group.role == role and hits[group.folder] >= LEAST_SHARE * len(looked_at)]
        if its_own:
            groups = [group for group in groups if group.role in (role, None)]
        return sorted(
            groups,
            key=lambda group: (
                group.role != role,
                group.role is not None,
                not BESIDE_WORDS.isdisjoint(words(group.folder)),
                -hits[group.folder],
            ),
        )


@functools.cache  # a zip may list its folders in turns
def _group_of(folder: str) -> tuple[str, Role | None]:
    parts = folder.split("/")[:-1]
    for place, part in enumerate(parts):
        if role := role_of(part):
            return "/".join(parts[: place + 1]) + "/", role
    return (parts[0] + "/" if parts else ""), None


def _spread(ids: Sequence[str]) -> list[str]:
    step = max(1, len(ids) // LOOKED_AT_IDS)
    return list(ids[::step])


def _spellings(ids: Sequence[str]) -> list[tuple[int, bool]]:
    first = _clean(next((value for value in ids if value), ""))
    depth = first.count("/") + 1
    suffixed = (True, False) if is_image(first) else (False,)
    return list(dict.fromkeys((d, s) for d in (depth, 1) for s in suffixed))


def _clean(identifier: str) -> str:
    return identifier.strip().replace("\\", "/").removeprefix("./").strip("/")


def _spelled(ids: Sequence[str], spelling: tuple[int, bool]) -> list[str]:
    depth, suffixed = spelling
    if depth == 1 and not suffixed and not any("/" in value or "." in value or "\\" in value for value in ids):
        return list(ids)
    spelled = [_clean(value) for value in ids]
    spelled = ["/".join(value.rsplit("/", depth)[-depth:]) for value in spelled]
    return spelled if suffixed else [without_suffix(value) for value in spelled]


def _hits(ids: Sequence[str], group: Group, spelling: tuple[int, bool]) -> int:
    known = group.by(*spelling)
    return sum(value in known for value in _spelled(ids, spelling))


def no_images(paths: Sequence[str], where: str) -> CompetitionError:
    """The error for a competition without an image, with what is there instead."""
    kinds: dict[str, int] = {}
    for path in paths:
        kind = path[path.rfind(".") :].lower() if "." in path else "no ending"
        kinds[kind] = kinds.get(kind, 0) + 1
    shown = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5])
    what = f"there are {len(paths):,} files ({shown})" if paths else "there are no files"
    hint = "; DICOM images have to be converted to PNG first" if ".dcm" in kinds else ""
    return CompetitionError(f"{where}: no images and no table with pixel columns: {what}{hint}")
