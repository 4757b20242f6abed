"""What an attacker would put into a competition, a run or a cache: pickles that leave a mark once loaded, and names that steer."""

import io
import json
import pickle
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

# As names of classes, files, runs and columns: markup of pages and of terminals, commands to terminals, letters that turn the direction.
NAMES = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "handler": "' onmouseover='alert(1)",
    "link": "javascript:alert(1)",
    "anchor": '<a href="javascript:alert(1)">x</a>',
    "markdown": "[x](javascript:alert(1)) ![y](http://example.org/z.png)",
    "svg": "</text></svg><svg onload=alert(1)>",
    "comment": "--><!-- ]]>",
    "template": "{{ 7 * 7 }}{% raw %}",
    "maths": "$\\frac{$",
    "rich": "[red]a[/red]",
    "rich end": "[/]",
    "rich link": "[link=http://example.org]b[/link]",
    "emoji": ":red_circle:",
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "one byte escape": "\x9b31m",
    "return": "good\rbad",
    "bell": "\x07\x08\x7f",
    "bidi": "\u202egnp.exe\u202c\u2066x\u2069",
    "line": "a\u2028b\u2029c",
    "half": "\udcff\ud800",
    "formula": "=cmd|' /C calc'!A0",
    "formula at": "@SUM(1+1)",
}


class Mark:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickles(mark: Path) -> dict[str, bytes]:
    """Files that would make the mark, in all the forms in which a pickle comes along."""
    import torch

    plain = pickle.dumps(Mark(mark))
    saved, legacy, objects, archive = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"weight": Mark(mark)}, saved)
    torch.save({"weight": Mark(mark)}, legacy, _use_new_zipfile_serialization=False)
    np.save(objects, np.array([Mark(mark)], dtype=object))
    np.savez(archive, weight=np.array([Mark(mark)], dtype=object))
    with_pickle = io.BytesIO()
    with zipfile.ZipFile(with_pickle, "w") as file:
        file.writestr("data.pkl", plain)
    return {
        "pickle": plain,
        "torch": saved.getvalue(),
        "torch of old": legacy.getvalue(),
        "npy": objects.getvalue(),
        "npz": archive.getvalue(),
        "zip": with_pickle.getvalue(),
    }


PICKLES = ("pickle", "torch", "torch of old", "npy", "npz", "zip")


PROTOCOLS = [bytes([0x80, number]) for number in range(2, pickle.HIGHEST_PROTOCOL + 1)]  # how a pickle begins
OBJECTS = re.compile(rb"\x93NUMPY.*'descr': '\|O'", re.DOTALL)  # how an array of pickles does
TEXTS = (".csv", ".html", ".json", ".jsonl", ".log", ".md", ".py", ".svg", ".toml", ".txt", ".xml", ".ipynb")
RAW = (".bin", ".lock", ".png", ".whl")  # numbers alone, nothing, pixels, an archive whose members are looked at


def read_safely(path: Path) -> None:
    """Reads the whole file by its own format, none of which is a pickle; a file of another format fails.

    Looks also at how it, and each member of an archive, begins.
    """
    content = path.read_bytes()
    begins = [content[:128]]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            begins += [archive.read(name)[:128] for name in archive.namelist()]
    assert not [begin for begin in begins if begin[:2] in PROTOCOLS or OBJECTS.match(begin)], path
    if path.suffix == ".parquet":
        pd.read_parquet(path)
    elif path.suffix == ".safetensors":
        load_file(path)
    elif path.suffix in (".npy", ".npz"):
        found = np.load(path, allow_pickle=False)
        assert [found] if path.suffix == ".npy" else [found[name] for name in found.files]
    elif path.name.startswith("events.out.tfevents"):
        assert [*EventFileLoader(str(path)).Load()]
    elif path.suffix in TEXTS:
        text = content.decode("utf-8")
        if path.suffix in (".json", ".ipynb"):
            json.loads(text)
        if path.suffix == ".toml":
            tomllib.loads(text)
    else:
        assert path.suffix in RAW or path.name in (".lock", ".gitignore"), path
