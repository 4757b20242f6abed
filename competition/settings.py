"""From files and flags to a checked Config: defaults < recipe < competition.toml in the working directory < flags."""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import tomli_w

from competition.atomic import write_text
from competition.catalogue import CATALOGUE
from competition.config import CompetitionConfig, Config, PredictConfig
from competition.console import complain
from competition.errors import CompetitionError, choose, examples
from competition.processes import RANK

COMPETITION_FILE = Path("competition.toml")
RECIPES = Path(__file__).parent / "recipes"
Tree = dict[str, Any]
Model = TypeVar("Model", bound=pydantic.BaseModel)


def train_config(argv: Sequence[str] | None = None, prog: str | None = None) -> Config:
    """The Config of `train.py`, and of commands (prog) that take the same flags.

    Raises: CompetitionError for a recipe or competition.toml that does not fit; SystemExit 2 for a flag that does not.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    tree = read_recipe(named) if (named := _flag_value(argv, "--recipe")) else {}
    validated(Config, tree, f"recipe {named!r}")
    tree = with_competition_file(tree, _flag_value(argv, "--competition"))
    return _from_flags(Config, argv, validated(Config, tree, str(COMPETITION_FILE)), prog)


def with_competition_file(tree: Tree, source: str | None = None) -> Tree:
    """A recipe's tree, and competition.toml on top; a recipe that names its competition, as a run's config.toml, stands alone."""
    return tree if "source" in tree.get("competition", {}) else merged(tree, _competition_file(source))


def predict_config(argv: Sequence[str] | None = None) -> PredictConfig:
    """The PredictConfig of `predict.py`."""
    return _from_flags(PredictConfig, list(sys.argv[1:] if argv is None else argv), PredictConfig())


def competition_config(source: str = "") -> CompetitionConfig:
    """What is asked, for a command that is given at most a source: that, else competition.toml's, else digits."""
    section = _competition_file(source or None).get("competition", {})
    if source and isinstance(section, dict):
        section = {**section, "source": source}
    return validated(Config, {"competition": section}, str(COMPETITION_FILE)).competition


def read_recipe(named: str) -> Tree:
    """The TOML tree behind a recipe's name or path.

    Raises: CompetitionError where there is no such recipe or it is no TOML.
    """
    if named.endswith(".toml") or Path(named).is_file():
        return _read_toml(Path(named))
    known = {path.relative_to(RECIPES).with_suffix("").as_posix(): path for path in RECIPES.rglob("*.toml")}
    return _read_toml(known[choose("recipe", named, known)])


def merged(below: Tree, above: Tree) -> Tree:
    """The tree of both, section by section; where both have a value, that of `above`."""
    both = dict(below)
    for key, value in above.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


def write_toml(path: Path, config: Config) -> None:
    """The config as a TOML file that reads back as the same config, but for [machine], which is left out."""
    write_text(path, tomli_w.dumps(config.model_dump(mode="json", exclude={"machine"})))


def validated(model: type[Model], tree: Tree, where: str) -> Model:
    """The tree as a checked model.

    Raises: CompetitionError with a line for each key that is unknown, of the wrong type or out of range.
    """
    try:
        return model.model_validate(tree)
    except pydantic.ValidationError as error:
        raise CompetitionError("\n".join(_explained(model, problem, where) for problem in _one_a_key(error))) from None


def _one_a_key(error: pydantic.ValidationError) -> list[Any]:
    """The first problem of each key: a key that may be a number or "auto" has one for each of these."""
    first: dict[tuple[Any, ...], Any] = {}
    for problem in error.errors():
        first.setdefault(problem["loc"][:2], problem)
    return list(first.values())


def _explained(model: type[pydantic.BaseModel], problem: Any, where: str) -> str:
    key = ".".join(map(str, problem["loc"][:2]))
    if problem["type"] == "model_type":
        return f"{where}: {key} = {problem['input']!r}: {key} is a section: write [{key}], and its keys below"
    if problem["type"] != "extra_forbidden":
        return f"{where}: {key} = {problem['input']!r}: {problem['msg']}"
    fields = model.model_fields
    if len(problem["loc"]) > 1:
        section = fields[str(problem["loc"][0])].annotation
        fields = section.model_fields if isinstance(section, type) and issubclass(section, pydantic.BaseModel) else fields
    try:
        choose("key", str(problem["loc"][-1]), fields)
    except CompetitionError as unknown:
        return f"{where}: [{key}] {unknown}"
    return f"{where}: unknown key {key!r}"


def _from_flags(model: type[Model], argv: list[str], default: Model, prog: str | None = None) -> Model:
    import tyro

    return tyro.cli(model, prog=prog, args=argv, default=default, description=_description(model), console_outputs=RANK == 0)


def _description(model: type[pydantic.BaseModel]) -> str:
    if model is Config:
        return "Trains folds of a competition and scores them out of fold. The same command continues an interrupted run."
    return "Ensembles finished folds with test-time views into a checked submission CSV."


def _flag_value(argv: Sequence[str], flag: str) -> str | None:
    for place, word in enumerate(argv):
        if word == flag and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith(flag + "="):
            return word.removeprefix(flag + "=")
    return None


def _competition_file(source: str | None) -> Tree:
    """competition.toml's tree; empty where there is none or where another competition was asked for."""
    if not COMPETITION_FILE.is_file():
        return {}
    tree = _read_toml(COMPETITION_FILE)
    section = tree.get("competition", {})
    its = section.get("source") if isinstance(section, dict) else None  # what is no section is an error soon after
    if source is not None and its is not None and not _same_source(source, its):
        complain(f"{COMPETITION_FILE} is about {its!r} and is left out: {source!r} was asked for")
        return {}
    return tree


def _same_source(one: str, other: Any) -> bool:
    """Whether both are one name, or ways to write one path: comp, ./comp/, /home/me/comp."""
    if one == other or not isinstance(other, str) or not CATALOGUE.keys().isdisjoint((one, other)):
        return one == other
    try:
        return Path(one).expanduser().resolve() == Path(other).expanduser().resolve()
    except (OSError, ValueError, RuntimeError):  # no path: a NUL in it, no such user, a link to itself
        return False


def refuse_losing_edits() -> None:
    """Nothing, where a new competition.toml may be written.

    Raises: CompetitionError where there is one that sets more than its source.
    """
    tree = _read_toml(COMPETITION_FILE) if COMPETITION_FILE.is_file() else {}
    section = tree.get("competition")
    keys = [key for key in section if key != "source"] if isinstance(section, dict) else []
    if edits := [*keys, *(f"[{name}]" for name in tree if name != "competition" or not isinstance(section, dict))]:
        raise CompetitionError(f"{COMPETITION_FILE} is there already, and sets {examples(edits)}: edit it, or move it away first")


def _read_toml(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise CompetitionError(f"{path}: there is no such file") from None
    except OSError as error:
        raise CompetitionError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, a number of thousands of digits
        raise CompetitionError(f"{path}: is no TOML: {error}") from None
    except RecursionError:
        raise CompetitionError(f"{path}: is no TOML: too many brackets in each other") from None
