"""What a run and the files beside it keep, read back: they may come from others, and a disk may have torn them."""

import json
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from competition.errors import examples
from folds.errors import FoldError

NUMBER = (int, float)


def read_object(path: Path, kinds: Mapping[str, Any], remedy: str) -> dict[str, Any]:
    """The object that the file holds, with these keys at the least, each of its type.

    Raises: FoldError with the path and the remedy.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FoldError(f"{path}: cannot be read ({error}); {remedy}") from None
    if not isinstance(facts, dict) or (wrong := [name for name, kind in kinds.items() if not isinstance(facts.get(name), kind)]):
        missed = f"{examples(wrong)} missing or of another type" if isinstance(facts, dict) else f"a {type(facts).__name__}, not an object"
        raise FoldError(f"{path}: is damaged ({missed}); {remedy}")
    return facts


def read_rows(path: Path, kinds: Mapping[str, Any], remedy: str, line_end: str | None = None) -> pd.DataFrame:
    """The table, with these columns at the least, each of its type; others are text. Empty cells of numbers are NaN, of text empty.

    Raises: FoldError with the path and the remedy.
    """
    numbers = {name: ["", "nan"] for name, kind in kinds.items() if kind is float}
    dtypes = defaultdict(lambda: str, kinds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header
            table = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=numbers, lineterminator=line_end, index_col=False)
    except (OSError, ValueError, TypeError, OverflowError, pd.errors.ParserWarning) as error:
        raise FoldError(f"{path}: cannot be read ({error}); {remedy}") from None
    if missing := [name for name in kinds if name not in table]:
        raise FoldError(f"{path}: is damaged (no column {examples(missing)}); {remedy}")
    texts = [name for name in map(str, table.columns) if kinds.get(name, str) is str]
    return table.assign(**{name: table[name].fillna("") for name in texts})
