"""A disk that is full or may not be written to, memory that is used up: what is missing, where, and what to do, in words.

Libraries say the same in many ways: with or without a number, with or without the file, as errors of their own kinds.
"""

import errno
import os
import re
import shutil
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_ALLOWED = (errno.EACCES, errno.EPERM)
SHUT = (errno.EROFS, *NOT_ALLOWED)
MISPLACED = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
NUMBER = re.compile(r"(?:errno|os error) (\d+)", re.IGNORECASE)
CUT_SHORT = re.compile(r"\d+ requested and \d+ written")  # numpy's words for a full disk
GOES_ON = "what was finished is kept, and the same command goes on"
PLACES = "--machine.runs and --machine.cache, or TMPDIR"
OF_DEVICE = (" out of memory", "OutOfMemory")
OF_MACHINE = ("can't allocate memory", "Cannot allocate memory", "not enough memory", "Unable to allocate")


class NotWritten(OSError):
    """A file could not be written; what was there before is as it was."""

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(number, os.strerror(number), str(path))

    def __str__(self) -> str:
        return in_words(self) or super().__str__()


def number_of(error: BaseException) -> int | None:
    """The system's number of what a write failed by, also where a library says it in words alone."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if found := NUMBER.search(str(error)):
        return int(found[1])
    return errno.ENOSPC if CUT_SHORT.search(str(error)) else None


def in_words(error: BaseException) -> str | None:
    """What the machine lacks, where, and what to do; None for an error that says nothing of that kind."""
    number = number_of(error) if isinstance(error, OSError) else None
    path = Path(os.fsdecode(error.filename)) if isinstance(error, OSError) and isinstance(error.filename, str | bytes) else None
    if number in FULL:
        return f"{path or 'a file'}: cannot be written, {_full(path)}; make room there, or have it elsewhere ({PLACES}); {GOES_ON}"
    if number == errno.EROFS:
        where = f"{disk_of(path)} is" if path else "it is on a disk that is"
        return f"{path or 'a file'}: cannot be written, {where} mounted read-only; have it elsewhere ({PLACES}); {GOES_ON}"
    if number in NOT_ALLOWED:
        who = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
        return f"{path or 'a file'}: {who} is not allowed to ({os.strerror(number)}); allow it, or have it elsewhere ({PLACES})"
    if number == errno.ENOTDIR:
        where = nearest(path) if path else "what stands there"
        return f"{path or 'a file'}: {where} is no directory, and one is needed there; name another place ({PLACES}), or rename it"
    if number == errno.EISDIR:
        return f"{path or 'it'}: is a directory, and a file is needed there; name a file, or rename that directory"
    if number == errno.ENAMETOOLONG:
        return f"{path or 'a path'}: is too long for this system, which takes some 255 bytes a name; choose a shorter one"
    if number == errno.EIO:
        return f"{path or 'a file'}: {disk_of(path) if path else 'its disk'} reports an input/output error; check that disk; {GOES_ON}"
    if number == errno.EMFILE:
        return f"{path or 'a file'}: too many files are open; `ulimit -n 65536` allows more, fewer --machine.workers need fewer"
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and any(word in told for word in OF_DEVICE):
        less = "smaller images (--data.size-px), a smaller batch (--optim.batch) or network (--model.backbone)"
        return f"the device's memory is used up; {less} take less, and so may other programs on it; {GOES_ON}\n  {_first(error)}"
    if isinstance(error, MemoryError) or number == errno.ENOMEM or (isinstance(error, RuntimeError) and any(w in told for w in OF_MACHINE)):
        less = "fewer folds at once (--machine.parallel-folds 1), fewer --machine.workers, smaller images (--data.size-px)"
        return f"the machine's memory is used up; {less} take less; {GOES_ON}" + (f"\n  {_first(error)}" if str(error) else "")
    return None


def require_writable(*places: Path) -> None:
    """That files can be written in each of these directories, or where it would be made.

    Raises: NotWritten.
    """
    for place in places:
        there = nearest(place)
        if not there.is_dir():
            raise NotWritten(errno.ENOTDIR, place)
        if not os.access(there, os.W_OK):
            read_only = hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY
            raise NotWritten(errno.EROFS if read_only else errno.EACCES, place)


def nearest(path: Path) -> Path:
    """The path itself where it is there, else the directory nearest to it that is."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def disk_of(path: Path) -> str:
    """Where the disk of a path is mounted."""
    there = nearest(path).resolve()
    return f"the disk at {next(each for each in (there, *there.parents) if each.is_mount() or each == each.parent)}"


def is_full(path: Path) -> bool:
    """Whether not even a log could be written there."""
    return shutil.disk_usage(nearest(path)).free < 2**16


def _full(path: Path | None) -> str:
    if path is None:
        return "its disk is full"
    usage = shutil.disk_usage(nearest(path))
    return f"{disk_of(path)} is full ({usage.free / 2**20:,.1f} of {usage.total / 2**20:,.0f} MiB free)"


def _first(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300]
