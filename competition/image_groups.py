"""The folders that images stand in: train/, test.zip/, jpeg/train/, images/; and those of masks and thumbnails, which belong to others."""

import functools
import itertools
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from competition.names import IMAGE_SUFFIXES, Role, is_image, role_of, without_suffix, words
from competition.spelling import Spelling

LEAST_OF_OTHERS = 0.5  # of a folder's images, that lie elsewhere under the same names, for it to hold masks and the like
BESIDE_WORDS = frozenset(
    ["mask", "masks", "segmentation", "segmentations", "depth", "thumb", "thumbs", "thumbnails", "annotation", "annotations"]
)
BESIDE_NAMES = frozenset(["labels", "gt", "groundtruth", "ground_truth", "ground-truth"])  # whole names: label_1 is a class
NEGATIONS = frozenset(["no", "non", "not", "without", "with", "un"])  # with_mask and without_mask are classes
NEGATED = re.compile(rf"(no|non|without)({'|'.join(sorted(BESIDE_WORDS))})$", re.IGNORECASE)
MARK_OF_BESIDE = re.compile(rf"[\W_]*({'|'.join(sorted(BESIDE_WORDS))}|seg|label)$", re.IGNORECASE)


@dataclass
class Group:
    """The images below one folder; beside: pictures that belong to others, such as masks."""

    folder: str
    role: Role | None
    beside: bool = False
    depth: int = 1  # parts of its longest path
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


def grouped(paths: Iterable[str]) -> dict[str, Group]:
    """The images among the paths, by the folder of their group."""
    groups: dict[str, Group] = {}
    images = [path for path in paths if path.endswith(IMAGE_SUFFIXES) or is_image(path)]
    folders = [(folder, list(together)) for folder, together in itertools.groupby(images, lambda path: path[: path.rfind("/") + 1])]
    beside = _folders_beside(folders)
    above = _folder_above([folder for folder, _ in folders])
    for folder, together in folders:
        below, role, is_beside = _group_of(folder[len(above) :], beside)
        group = groups.setdefault(above + below, Group(above + below, role, is_beside))
        group.paths.extend(together)
        group.depth = max(group.depth, folder.count("/") + 1)
    return groups


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
    inside: dict[str, set[str]] = {}  # by a folder: those in it
    for folder, _ in folders:
        above, _, part = folder.rstrip("/").rpartition("/")
        inside.setdefault(above, set()).add(part)
    siblings: dict[str, set[str]] = {}  # by a named one: those beside it that are not
    for parts_inside in inside.values():
        for part in parts_inside & named:
            siblings.setdefault(part, set()).update(parts_inside - named)
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
    return frozenset(
        part for part, stems in of_others.items() if stems and sum(stem in own for stem in stems) >= LEAST_OF_OTHERS * len(stems)
    )
