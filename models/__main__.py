"""python -m models list [WORD] | summary NAME"""

import sys
from typing import Annotated

import tyro

from competition.console import guarded, say

Word = Annotated[str, tyro.conf.Positional]


def list_backbones(word: Word = "") -> int:
    """Prints the backbones whose name has the word in it.

    Args:
        word: part of a name; empty: all.
    """
    from models.backbones import FAMILIES

    names = [f"{family}/{name}" for family, source in FAMILIES.items() for name in source.names()]
    for name in names:
        if word.lower() in name.lower():
            say(name)
    return 0


def summary(name: Word, size: int | None = None, channels: int = 3, classes: int = 10) -> int:
    """Prints the layers of a backbone: the shape that each gives, and its parameters.

    Args:
        name: timm/NAME, torchvision/NAME or small/NAME.
        size: side of the images in px; none: the backbone's own.
        channels: 1 grey, 3 RGB.
        classes: outputs.
    """
    import torchinfo

    from models.backbones import build, input_spec

    spec = input_spec(name, size, channels)
    drawn = torchinfo.summary(build(name, classes, spec), input_size=(1, channels, spec.size_px, spec.size_px), device="cpu", verbose=0)
    say(str(drawn))
    say(f"input {spec.channels} x {spec.size_px} x {spec.size_px} px, mean {spec.mean}, std {spec.std}, {spec.interpolation}")
    return 0


def main() -> int:
    verbs = {"list": list_backbones, "summary": summary}
    return guarded(lambda: tyro.extras.subcommand_cli_from_dict(verbs, prog="python -m models", description="Backbones."))


if __name__ == "__main__":
    sys.exit(main())
