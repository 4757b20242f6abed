"""`train.py --fold all` against five runs of one fold each, one after the other on all threads: the same work, seconds from start to score.

    python benchmarks/folds.py --backbone timm/resnet18 --size 64 --images 1000 --epochs 2
    python benchmarks/folds.py --backbone small/resnet9-16 --size 32 --images 10000 --epochs 3
    python benchmarks/folds.py --backbone timm/mobilenetv3_small_100 --size 64 --images 3000 --epochs 3

What counts is the ratio within a round. Images are decoded before the first round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
FOLDS, CLASSES = 5, 4


def train(place: Path, given: argparse.Namespace, name: str, *words: str) -> float:
    """Seconds of a command."""
    flags = {"competition": place / "made", "name": name, "model.backbone": given.backbone, "model.weights": "none"}
    flags |= {"data.size-px": given.size, "optim.epochs": given.epochs, "optim.batch": given.batch, "folds.count": FOLDS}
    flags |= {"augment.strength": "medium", "augment.symmetry": "horizontal"}
    told = [f"--{key}={value}" for key, value in flags.items()]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, str(HERE.parent / "train.py"), *told, "--machine.no-audit", *words],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--backbone", default="timm/resnet18")
    asked.add_argument("--size", type=int, default=64)
    asked.add_argument("--images", type=int, default=1000)
    asked.add_argument("--epochs", type=int, default=2)
    asked.add_argument("--batch", type=int, default=32)
    asked.add_argument("--rounds", type=int, default=2)
    given = asked.parse_args()
    from benchmarks.made import make_images

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        made = place / "made"
        for split, count in (("train", given.images), ("test", 10)):
            make_images(made / split, count, given.size, given.size, ".png")
        (made / "train.csv").write_text("id,label\n" + "".join(f"{row:05d}.png,c{row % CLASSES}\n" for row in range(given.images)))
        (made / "sample_submission.csv").write_text("id,label\n" + "".join(f"{row:05d}.png,c0\n" for row in range(10)))
        train(place, given, "warm", "--fold=0", "--optim.epochs=1")
        ratios, lines = [], []
        for number in range(given.rounds):
            together = train(place, given, f"all{number}", "--fold=all")
            threads = [f"--machine.threads={os.cpu_count()}", "--machine.parallel-folds=1"]
            alone = sum(train(place, given, f"one{number}", f"--fold={fold}", *threads) for fold in range(FOLDS))
            ratios.append(alone / together)
            lines.append(f"{together:.1f} s for all folds at once, {alone:.1f} s one after the other")
    print(f"{given.backbone}, {given.size} px, {given.images} images, {given.epochs} epochs, {os.cpu_count()} cores")
    print("\n".join(lines))
    print(f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
