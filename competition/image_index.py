"""Which image an id means: by its path, its file name or its stem, in the folder that the row belongs to.

Images stand in groups: train/, test.zip/, jpeg/train/, images/. An id is looked for in a whole group, however deep its folders.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from competition.image_groups import Group, grouped
from competition.names import Role, is_image, without_suffix
from competition.spelling import BY_NUMBER, Spelling, cleaned, loosely

LOOKED_AT_IDS = 200
SPELLED_IDS = 20  # are asked whether ids have endings and folders
LEAST_SHARE = 0.5  # of the looked-at ids that must be images for a column to be one of ids
MOST_ROWS_AN_IMAGE = 50  # of a label, a box or a reader each; with more, the column's values are classes
LEAST_NUMBERED = 0.9  # of a group's images, whose numbers a column has, for it to number them


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
        self.groups = grouped(paths)
        self._known: dict[Spelling, set[str]] = {}  # of all groups
        self.deepest = max((group.depth for group in self.groups.values()), default=1)

    def __len__(self) -> int:
        return sum(len(group.paths) for group in self.groups.values())

    def of_role(self, *roles: Role | None) -> list[str]:
        """The paths of all groups with one of the roles, but for pictures that belong to others."""
        return [path for group in self.groups.values() if group.role in roles and not group.beside for path in group.paths]

    def has(self, name: str) -> bool:
        """Whether an image is called so, with its ending or without."""
        spelling = Spelling(1, is_image(name))
        if spelling not in self._known:
            self._known[spelling] = {known for group in self.groups.values() for known in group.by(spelling)}
        return spelling.of_ids([name])[0] in self._known[spelling]

    def called(self, identifier: str) -> list[str]:
        """The images whose names are that id with any ending, but for capitals and zeros before a number; not pictures of others."""
        name = without_suffix(cleaned(identifier).rpartition("/")[2])
        paths = [path for group in self.groups.values() if not group.beside for path in group.paths]
        exact = [path for path in paths if without_suffix(path.rpartition("/")[2]) == name]
        return exact or [path for path in paths if loosely(without_suffix(path.rpartition("/")[2])) == loosely(name)]

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

    def column_of_repeated_ids(self, frame: pd.DataFrame, columns: Iterable[str]) -> tuple[str, float] | None:
        """As column_of_ids, where an image has several rows: of such columns, the one of the most different values."""
        found = []
        for name in filter(None, columns):
            distinct = frame[name].drop_duplicates().tolist()
            if len(frame) <= MOST_ROWS_AN_IMAGE * len(distinct) and (share := self.share(distinct)) > LEAST_SHARE:
                found.append((len(distinct), name, share))
        return max(found)[1:] if found else None

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
        names = [cleaned(value) for value in ids[:SPELLED_IDS]]
        suffixed = (True, False) if any(map(is_image, names)) else (False,)
        if loose:
            return [Spelling(1, False, loose=True), Spelling(1, False, folder=True)]
        deepest = min(max((value.count("/") + 1 for value in names), default=1), self.deepest)
        return [Spelling(depth, s) for depth in range(deepest, 0, -1) for s in suffixed]


def _spread(ids: Sequence[str]) -> list[str]:
    step = max(1, len(ids) // LOOKED_AT_IDS)
    return list(ids[::step])


def _are_files_of_rows(files: pd.Series, numbers: pd.Series) -> bool:
    """Whether one column has file names, and another the numbers of its rows: 3 may be 17.jpg, though there is a 3.jpg."""
    some = list(zip(_spread(files.tolist()), map(cleaned, _spread(numbers.tolist())), strict=True))
    stems = [without_suffix(file.rpartition("/")[2]) for file, _ in some]
    return all(is_image(file) and number.isdecimal() for file, number in some) and stems != [number for _, number in some]


def _hits(ids: Sequence[str], group: Group, spelling: Spelling) -> int:
    known = group.by(spelling)
    return sum(value in known for value in spelling.of_ids(ids))
