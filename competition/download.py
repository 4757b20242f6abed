"""A competition's zip from Kaggle: gone on with after an interruption, and put into its place only when it is whole and sound.

It is fetched into a folder beside its place: a stale or half zip that lies there is neither taken for good nor lost.
"""

import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from competition.ask_kaggle import Watch, ask
from competition.atomic import sync_directory
from competition.console import progress, say
from competition.credentials import warn
from competition.errors import CompetitionError
from competition.kaggle_failures import answer, explained, may_be_tried_again

ADDRESS = re.compile(r"^(?:https?://)?(?:www\.)?kaggle\.com/(?:competitions|c)/([^/?#]+).*$")
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
STALLED_SECONDS = 120.0
TRIES = 3
MB = 10**6


def download(named: str, into: Path, stalled_seconds: float = STALLED_SECONDS) -> Path:
    """Where the zip of a competition lies, which was tested, and what to do with it was said. named: its name at Kaggle, or address.

    Raises: CompetitionError for a name that is none, what Kaggle refuses, a zip that comes damaged, a disk without room.
    """
    slug = ADDRESS.sub(r"\1", named.strip())
    if not SLUG.fullmatch(slug):
        raise CompetitionError(f"{named!r} is no competition's name: it is the last part of https://www.kaggle.com/competitions/NAME")
    warn()
    place = into / f"{slug}.zip"
    have = _as_it_is(place)
    part = into / f".{slug}.download" / place.name
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(part.parent / ".lock", timeout=0):
            _fetch_whole(slug, part, place, have, stalled_seconds)
    except Timeout:
        raise CompetitionError(f"{part.parent}: another process is downloading {slug} there; wait for it") from None
    shutil.rmtree(part.parent, ignore_errors=True)
    say(f"python -m competition use {place}")
    return place


def _fetch_whole(slug: str, part: Path, place: Path, have: dict[str, float] | None, stalled_seconds: float) -> None:
    """Puts what was fetched to `part`, tested, into its place; where that holds the same already, it stays."""
    for left in reversed(range(TRIES)):
        came = _fetch(slug, part, have, stalled_seconds, last=not left)
        if came and came["same"]:
            say(f"{place}: is there already, whole and sound ({came['bytes'] / MB:,.1f} MB)")
            break
        if came and not (damage := damage_of(part)):
            _put(part, place, came["time"])
            say(f"{place}: {place.stat().st_size / MB:,.1f} MB, whole and sound")
            break
        if came:
            part.unlink()
            if not left:
                raise CompetitionError(explained("damaged download", slug, what=damage))
            say(f"{place.name} came damaged ({damage}): once more from its beginning")


def _fetch(slug: str, part: Path, have: dict[str, float] | None, stalled_seconds: float, last: bool) -> dict[str, Any] | None:
    """What came, or None where nothing came and another try may help. What lies at `part` is gone on with."""
    begun = shown = _size(part)
    if begun:
        say(f"{part.name}: going on after {begun / MB:,.1f} MB")
    with ExitStack() as shows:
        bars: list[Callable[[int], None]] = []

        def heard(line: dict[str, Any]) -> None:
            total, free = line.get("total_bytes", 0), shutil.disk_usage(part.parent).free
            if total - begun > free:
                raise CompetitionError(explained("no room", slug, need=_gb(total - begun), free=_gb(free), where=part.parent.parent))
            say(f"{part.name}: {total / MB:,.1f} MB")
            bars.append(shows.enter_context(progress(part.name, total, unit="bytes", done=begun)))

        def moved() -> int:
            nonlocal shown
            now = _size(part)
            for advance in bars:
                advance(max(0, now - shown))
            shown = now
            return now

        reply = ask("download", stalled_seconds, Watch(heard, moved), competition=slug, part=str(part.resolve()), have=have)
    if reply.failure is None:
        return reply.answer
    if not last and (may_be_tried_again(reply.failure) or reply.failure["kind"] == "refused_here"):
        say(f"{part.name}: broken off; once more")
        return None
    if reply.failure["kind"] == "deadline":
        raise CompetitionError(explained("stalled download", slug, seconds=round(stalled_seconds)))
    return answer(reply, slug)


def damage_of(path: Path) -> str:
    """What is wrong with a zip, every file of it read through; empty where nothing is."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            return f"{damaged!r} in it is damaged" if damaged else ""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        return str(error)


def _as_it_is(place: Path) -> dict[str, float] | None:
    """Size and time of a zip that is there and sound; None where none is."""
    if not place.is_file():
        return None
    if damage := damage_of(place):
        say(f"{place}: what lies there is no sound zip ({damage}), and is replaced")
        return None
    return {"bytes": place.stat().st_size, "time": place.stat().st_mtime}


def _put(part: Path, place: Path, time: float) -> None:
    with part.open("r+b") as written:
        os.fsync(written.fileno())
    if time:
        os.utime(part, (time, time))  # so that the next call sees whether Kaggle has a newer one
    part.replace(place)
    sync_directory(place.parent)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _gb(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
