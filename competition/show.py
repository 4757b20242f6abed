"""A competition on one screen, and as an editable file."""

import json
from collections import Counter
from collections.abc import Iterator
from statistics import median

import numpy as np

from competition.console import bar, say, table
from competition.contest import Competition
from competition.damage import look_for_damage
from competition.errors import CompetitionError
from competition.tabular import Tabular

LOOKED_AT_IMAGES = 40
SHOWN_CLASSES = 12
SHOWN_DAMAGED = 3
MARKS = (0, 0.25, 0.5, 0.75, 1)  # quantiles of a target
DOUBT = "?"


def show(competition: Competition) -> None:
    """Prints what was found: counts, classes, images, and each guess with its reason."""
    rows = len(competition.train)
    truth = " with labels of its own" if competition.test_truth is not None else ""
    say(f"  {rows:,} training images, {len(competition.test):,} test images{truth}  ({competition.source})", head=competition.name)
    for line in image_lines(competition):
        say(line)
    right = (1, 2, 3, 4, 5) if competition.task.kind == "regression" else (1, 2)
    table("targets" if competition.task.kind == "regression" else "classes", *class_rows(competition), right=right)
    if competition.tabular:
        table(
            "columns beside the images",
            ["name", "holds", "values", "missing", "in the test"],
            column_rows(competition.tabular),
            right=(2, 3, 4),
        )
    submission = competition.submission
    repeats = len(submission.rows) - len(competition.test)
    say(
        f"submission: {len(submission.rows):,} rows of {', '.join([submission.id_column, *_few(submission.answer_columns)])}"
        + (f"; {repeats:,} rows repeat an id" if repeats else "")
    )
    table(
        f"what was understood ({DOUBT}: a guess to look at)",
        ["", "what", "is", "because"],
        [["" if reason.sure else DOUBT, reason.what, reason.value, reason.why] for reason in competition.reasons],
    )
    for note in competition.notes:
        say(f"note: {note}")
    say("To change any of it: python -m competition use, and edit competition.toml")


def image_lines(competition: Competition) -> Iterator[str]:
    """Sizes and channels of some training and test images, from their headers; and which files cannot be read."""
    keys = [*competition.train["image"].tolist(), *competition.test["image"].tolist()]
    looked = look_for_damage(competition.images, keys)
    shapes = []
    shown = [*_spread(competition.train["image"].tolist()), *_spread(competition.test["image"].tolist())]
    for key in shown:
        try:
            shapes.append(competition.images.shape(key))
        except CompetitionError:  # look_for_damage tells of it, with more words
            continue
    if shapes:
        heights, widths = [shape.height for shape in shapes], [shape.width for shape in shapes]
        kinds = Counter({1: "grey", 3: "RGB", 4: "CMYK"}.get(shape.channels, f"{shape.channels} channels") for shape in shapes)
        modes = ", ".join(f"{kind} {count / len(shapes):.0%}" if len(kinds) > 1 else f"all {kind}" for kind, count in kinds.most_common())
        alike = len(set(heights)) == len(set(widths)) == 1
        size = f"all {heights[0]} x {widths[0]} px" if alike else f"{_range(heights)} high, {_range(widths)} px wide"
        endings = ", ".join(sorted({key[key.rfind(".") :].lower() for key in shown})) if looked.sizes else "in columns"
        yield f"images: {size}, {modes}, {endings} (of {len(shapes)} looked at; height x width)"
    for line in looked.damaged[:SHOWN_DAMAGED]:
        yield f"damaged: {line}"
    if len(looked.damaged) > SHOWN_DAMAGED:
        yield f"damaged: {len(looked.damaged) - SHOWN_DAMAGED:,} more"
    if looked.sizes:
        part = f"{looked.whole:,} of {len(keys):,} files" if looked.whole < len(keys) else f"all {len(keys):,} files"
        yield f"read whole to find damaged ones: {part}" + ("" if looked.damaged else ", none is")


def class_rows(competition: Competition) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of classes: images of each, with a bar; or the spread of a number."""
    truth, task = competition.truth, competition.task
    if task.kind == "regression":
        spread = np.quantile(truth, MARKS, axis=0).T  # targets x marks
        rows = [[name, *(f"{value:g}" for value in values)] for name, values in zip(task.classes, spread, strict=True)]
        more = [[f"and {len(rows) - SHOWN_CLASSES} more", *[""] * len(MARKS)]] if len(rows) > SHOWN_CLASSES else []
        return ["name", "least", "quarter", "median", "three quarters", "most"], [*rows[:SHOWN_CLASSES], *more]
    counts = truth.sum(axis=0)
    order = np.argsort(-counts, kind="stable") if len(counts) > SHOWN_CLASSES else np.arange(len(counts))
    highest = max(1.0, float(counts.max()))
    rows = [
        [
            task.classes[place],
            f"{int(counts[place]):,}",
            f"{counts[place] / max(1, len(truth)):.1%}",
            bar(float(counts[place] / highest)),
        ]
        for place in order[:SHOWN_CLASSES]
    ]
    if len(order) > SHOWN_CLASSES:
        rest = counts[order[SHOWN_CLASSES:]]
        rows.append([f"and {len(rest):,} more", f"{int(rest.min()):,} to {int(rest.max()):,}", "", ""])
    return ["name", "images", "share", ""], rows


def column_rows(tabular: Tabular) -> list[list[str]]:
    """Rows of the table of columns: the different values of training, and the share of missing cells in training and test."""
    rows = [
        [
            name,
            kind,
            f"{len(set(tabular.train[name]) - {''}):,}",
            *(f"{(part[name] == '').mean():.1%}" for part in (tabular.train, tabular.test)),
        ]
        for name, kind in tabular.kinds.items()
    ]
    more = [[f"and {len(rows) - SHOWN_CLASSES} more", "", "", "", ""]] if len(rows) > SHOWN_CLASSES else []
    return [*rows[:SHOWN_CLASSES], *more]


def toml_text(competition: Competition, source: str) -> str:
    """competition.toml: the source as a value; each guess as a comment with its reason, which sets it once the mark is taken away."""
    lines = [
        f"# {competition.name}: written by `python -m competition use`. What is marked with # is detected at each start;",
        "# take the mark away, and change the value, to set it.",
        "",
        "[competition]",
        f"source = {_toml(source)}",
    ]
    why_of = {reason.what: reason for reason in competition.reasons}
    settled = competition.settled
    keys = {"slug": competition.name, "metric": competition.metric}
    if settled is not None:
        keys = {key: value for key, value in settled.model_dump(mode="json").items() if key != "source" and value not in ("auto", [])}
    for key, value in keys.items():
        reason = why_of.get({"target_columns": "target"}.get(key, key))
        lines += [
            "",
            *([f"# {'doubtful: ' if not reason.sure else ''}{' '.join(reason.why.split())}"] if reason else []),
            f"# {key} = {_toml(value)}",
        ]
    return "\n".join(lines) + "\n"


def _toml(value: str | list[str]) -> str:
    # A JSON string or list of strings is one in TOML too, DEL apart.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _spread(keys: list[str]) -> list[str]:
    step = max(1, len(keys) // LOOKED_AT_IMAGES)
    return keys[::step][:LOOKED_AT_IMAGES]


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)} (median {median(values):g})"


def _few(names: tuple[str, ...]) -> list[str]:
    return list(names) if len(names) <= 4 else [*names[:3], f"... {len(names) - 3} more"]
