"""What a submission's message says: the user's words, and those by which it is found again.

first try cv=0.91234 git=abc1234 run=base-1a2b3c file=1a2b3c4d5e
"""

import re
from collections.abc import Sequence

MOST_SAID, MOST_RUNS = 200, 100  # characters of the user's own words, and of the runs' names
WORDS = re.compile(r"(?:^|\s)(cv|git|run|file)=(\S+)")


def message_of(said: str, cv: float | None, git: str, runs: Sequence[str], file_id: str) -> str:
    """The message; what is not known is left out."""
    words = {"cv": None if cv is None else f"{cv:.5f}", "git": git, "run": "+".join(runs)[:MOST_RUNS], "file": file_id}
    return " ".join([*said[:MOST_SAID].split(), *(f"{name}={value}" for name, value in words.items() if value)])


def words_of(message: str) -> dict[str, str]:
    """The words cv, git, run and file of a message, where they are there."""
    return dict(WORDS.findall(message))
