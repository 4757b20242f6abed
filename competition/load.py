"""What was asked for -> Competition: one of the catalogue by its name, else a directory or archive."""

from importlib import import_module
from pathlib import Path

from competition.catalogue import CATALOGUE
from competition.config import CompetitionConfig, directory_name
from competition.contest import Competition
from competition.errors import CompetitionError, examples


def load(ask: CompetitionConfig) -> Competition:
    """The competition that `ask.source` names, with what `ask` sets.

    Raises: CompetitionError where there is none of that name, or where it cannot be used.
    """
    directory_name(ask.slug, "competition.slug")  # of runs and caches
    if ask.source in CATALOGUE:
        return import_module(CATALOGUE[ask.source]).load(ask)
    path = Path(ask.source).expanduser()
    if not path.exists():
        raise _not_there(ask.source, path)
    from competition.archives import archive_suffix
    from competition.detect import detect
    from competition.files import Files

    name = path.resolve().name
    slug = name.removesuffix(name[-len(suffix) :]) if path.is_file() and (suffix := archive_suffix(name)) else name
    return detect(Files(path), slug if ask.slug == "auto" else ask.slug, ask)


def _not_there(source: str, path: Path) -> CompetitionError:
    from difflib import get_close_matches

    from competition.archives import archive_suffix

    entries = path.parent.iterdir() if path.parent.is_dir() else []
    beside = {entry.name: str(entry) for entry in entries if entry.is_dir() or archive_suffix(entry.name)}
    near = get_close_matches(source, CATALOGUE, n=1, cutoff=0.6)
    near += [beside[name] for name in get_close_matches(path.name, beside, n=2, cutoff=0.6)]
    hint = (
        f"perhaps {' or '.join(map(repr, near))}"
        if near
        else f"by name there are {examples(sorted(CATALOGUE), 8)}; else give the directory or zip that Kaggle gave"
    )
    return CompetitionError(f"there is no competition {source!r}: {hint}")
