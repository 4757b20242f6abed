"""Which credentials the kaggle client would use, of those that lie about: where they stand, never what they are.

Source: the order of kaggle 2.2.4 and kagglesdk 0.1.37. A token goes before a key even where the token was refused and the key is good.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from competition.console import say

READABLE_BY_OTHERS = 0o044


@dataclass(frozen=True)
class Credentials:
    """used: where the client finds them, empty where there are none. remove: what takes them out of the way, for a shell.
    passed_over: others that are there too. user: the name at Kaggle, where it stands beside a key. notes: what should be mended."""

    used: str = ""
    remove: str = ""
    passed_over: tuple[str, ...] = ()
    user: str = ""
    notes: tuple[str, ...] = ()


def find_credentials(environment: Mapping[str, str] = os.environ) -> Credentials:
    """What the client would find in this environment and home directory."""
    home = Path(environment.get("HOME") or Path.home())
    notes: list[str] = []
    found: list[tuple[str, str]] = []
    if token := environment.get("KAGGLE_API_TOKEN"):
        is_file = _is_file(token)
        place = f" (the file {token})" if is_file else ""
        found.append((f"the environment variable KAGGLE_API_TOKEN{place}", "unset KAGGLE_API_TOKEN"))
        notes += _readable(Path(token)) if is_file else []
    for path in (home / ".kaggle" / "access_token", home / ".kaggle" / "access_token.txt"):
        if _text(path).strip():
            found.append((str(path), f"rm {path}"))
            notes += _readable(path)
    user, key = _key(environment, home, notes)
    if key:
        found.append(key)
    oauth = home / ".kaggle" / "credentials.json"
    if _text(oauth).strip():
        found.append((f"{oauth} (kaggle auth login)", f"rm {oauth}"))
    if not found:
        return Credentials(notes=tuple(notes))
    (used, remove), *others = found
    return Credentials(used, remove, tuple(name for name, _ in others), user, tuple(notes))


def warn() -> None:
    """Says what should be mended about the credentials."""
    for note in find_credentials().notes:
        say(f"warning: {note}")


def _key(environment: Mapping[str, str], home: Path, notes: list[str]) -> tuple[str, tuple[str, str] | None]:
    """The user's name and the place of a name with a key: kaggle.json, over which the environment goes."""
    path = _directory(environment, home) / "kaggle.json"
    text = _text(path)
    tree = _tree(text)
    if text:
        notes += _readable(path)
    if text and tree is None:
        notes.append(f"{path} is no JSON of a username and a key, and the kaggle client passes over it: download it again")
    other = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle" / "kaggle.json"
    if other != path and not text and _text(other):
        notes.append(f"{other} is not looked at, because {path.parent} is there: mv {other} {path}")
    names = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
    given = [name for name in names.values() if environment.get(name)]
    held = tree or {}
    user = environment.get("KAGGLE_USERNAME") or str(held.get("username", ""))
    if not all(environment.get(variable) or held.get(name) for name, variable in names.items()):
        if text and tree is not None:
            notes.append(f"{path} lacks {' and '.join(name for name in names if not held.get(name))}: download it again")
        return user, None
    places = [*given, *([str(path)] if len(given) < len(names) else [])]
    remove = f"unset {' '.join(given)}" if given else f"rm {path}"
    return user, (" and ".join(places), remove)


def _directory(environment: Mapping[str, str], home: Path) -> Path:
    """Where kaggle.json is looked for. An empty ~/.kaggle hides a ~/.config/kaggle."""
    if named := environment.get("KAGGLE_CONFIG_DIR"):
        return Path(named)
    if (home / ".kaggle").exists():
        return home / ".kaggle"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"


def _tree(text: str) -> dict[str, object] | None:
    """The JSON object that a text is, None where it is none."""
    try:
        tree = json.loads(text)
    except ValueError:
        return None
    return tree if isinstance(tree, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _is_file(text: str) -> bool:
    """Whether the text names a file; a token may be longer than any file's name."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def _readable(path: Path) -> list[str]:
    if os.name == "posix" and path.stat().st_mode & READABLE_BY_OTHERS:
        return [f"{path} can be read by others on this machine: chmod 600 {path}"]
    return []
