"""The five labs in a few minutes: the recipe of each and the better one, a few steps on made pictures, then the scores and a submission.

    python -m benchmarks.labs [--place DIR]

It shows that all of it runs. How good it is, only the real pictures tell: docs/labs.md.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np
import tyro

import folds.__main__ as folds_door
import models.__main__ as models_door
from competition.console import say, table
from competition.settings import predict_config, train_config
from predict import predict
from train import train

ORGANS = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FEW = ("--optim.epochs", "1", "--folds.count", "3", "--model.weights", "none", "--machine.no-audit")
SMALL = ("--data.size-px", "64", "--optim.batch", "8")


@dataclass(frozen=True)
class Lab:
    """make(place) writes a small competition in the layout of the real one, and gives what --competition takes.

    networks: for the summary, each with side, channels and classes. recipes: each with the flags that make it short.
    """

    make: Callable[[Path], str]
    networks: dict[str, tuple[int, int, int]]
    recipes: dict[str, tuple[str, ...]]


def picture(code: int, side_px: int, number: int, grey: bool = False) -> bytes:
    """A JPEG whose hue and stripes tell the class."""
    generator = np.random.default_rng((code, number))
    place = np.arange(side_px)
    stripes = 90 + 60 * np.sin(place * (code + 1) * 6.3 / side_px)[:, None]
    colour = np.array([128, 128, 128]) if grey else cv2.cvtColor(np.uint8([[[17 * code, 160, 160]]]), cv2.COLOR_HSV2BGR)[0, 0]  # type: ignore[call-overload]
    noisy = stripes[..., None] * colour / 128 + generator.normal(0, 12, (side_px, side_px, 1 if grey else 3))
    return cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8))[1].tobytes()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def mri(place: Path) -> str:
    """Folders of classes, grey pictures that are not square all alike, and a test of the same folders."""
    root = place / "brain-tumor-mri"
    for part, count in (("Training", 9), ("Testing", 2)):
        for code, organ in enumerate(ORGANS):
            for number in range(count):
                write(root / part / organ / f"image({number}).jpg", picture(code, 230, number + 100 * (part == "Testing"), grey=True))
    return str(root)


def digits(place: Path) -> str:
    """The embedded ones."""
    return "digits"


def cifar(place: Path) -> str:
    """A table of labels, a sample, numbered pictures of 32 px."""
    return _table(place / "cifar-10", THINGS, 6, 32, "trainLabels.csv", "sampleSubmission.csv", ".jpg")


def colon(place: Path) -> str:
    """The same of tissue, 256 px, 0 or 1."""
    return _table(place / "colon-cancer", ("0", "1"), 15, 256, "train_labels.csv", "sample_submission.csv", ".jpeg")


def _table(root: Path, classes: tuple[str, ...], each: int, side_px: int, labels: str, sample: str, ending: str) -> str:
    count = each * len(classes)
    named = [(str(number + 1), number % len(classes)) for number in range(count)]
    for name, code in named:
        write(root / "train" / f"{name}{ending}", picture(code, side_px, int(name)))
        if int(name) <= count // 3:
            write(root / "test" / f"{name}{ending}", picture(code, side_px, int(name) + 1000))
    write(root / labels, "\n".join(["id,label", *(f"{name},{classes[code]}" for name, code in named), ""]).encode())
    write(root / sample, "\n".join(["id,label", *(f"{name},{classes[0]}" for name, _ in named[: count // 3]), ""]).encode())
    return str(root)


def run(place: Path) -> list[list[str]]:
    """A row a recipe: its name, the network, the seconds. Everything that is written goes below the place."""
    rows = []
    models_door.main(["descent", "--output", str(place / "descent.png")])
    machine = ("--machine.runs", str(place / "runs"), "--machine.cache", str(place / "cache"))
    for title, lab in LABS.items():
        source = lab.make(place)
        for name, (side_px, channels, classes) in lab.networks.items():
            sizes = ("--size", str(side_px), "--channels", str(channels), "--classes", str(classes))
            models_door.main(["summary", name, *sizes])
        for recipe, flags in lab.recipes.items():
            started = time.monotonic()
            config = train_config(["--recipe", recipe, "--competition", source, "--name", recipe.replace("/", "-"), *machine, *FEW, *flags])
            if code := train(config):
                raise SystemExit(f"{recipe} ended with exit code {code}")
            rows.append([title, recipe, str(config.model.backbone), f"{time.monotonic() - started:.1f}"])
        last = max((place / "runs").glob(f"*/{recipe.replace('/', '-')}-*"), key=lambda path: path.stat().st_mtime)
        folds_door.main(["scores", str(last)])
        written = str(place / f"{last.parent.name}.csv")
        if code := predict(predict_config([str(last), "--output", written, *machine])):
            raise SystemExit(f"predicting {title} ended with exit code {code}")
    return rows


def main(place: Path = Path("runs/labs-quick")) -> int:
    """Runs all labs with a few steps on made pictures.

    Args:
        place: what is written goes there.
    """
    started = time.monotonic()
    place.mkdir(parents=True, exist_ok=True)
    rows = run(place)
    table("the labs, a few steps each", ["lab", "recipe", "network", "seconds"], rows, right=(3,))
    say(f"{len(rows)} recipes in {time.monotonic() - started:.0f} s; submissions in {place}")
    return 0


LABS: dict[str, Lab] = {
    "1 MRI": Lab(mri, {"labs/mri-cnn": (224, 1, 4)}, {"labs/mri": ("--optim.batch", "8"), "labs/mri-better": SMALL}),
    "2 digits": Lab(digits, {"labs/mlp-relu-64": (28, 1, 10)}, {"labs/digits": (), "labs/digits-better": ("--data.size-px", "8")}),
    "3 CIFAR-10": Lab(
        cifar, {"labs/cifar-vgg": (32, 3, 10)}, {"labs/cifar": ("--optim.batch", "16"), "labs/cifar-better": ("--optim.batch", "16")}
    ),
    "4 small CNNs": Lab(
        cifar,
        {"labs/simple-cnn": (32, 3, 10), "labs/bn-cnn": (32, 3, 10), "labs/pool-cnn-max": (32, 3, 10)},
        {"labs/small-cnn": ("--optim.batch", "16"), "labs/small-cnn-better": ("--optim.batch", "16")},
    ),
    "5 cancer": Lab(
        colon,
        {"labs/cancer-baseline": (256, 3, 2)},
        {"labs/cancer-baseline": ("--optim.batch", "8"), "labs/cancer": SMALL, "labs/cancer-better": SMALL},
    ),
}

if __name__ == "__main__":
    sys.exit(tyro.cli(main))
