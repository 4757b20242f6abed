"""The same network on the same images, trained by this toolkit, by fastai, and by Lightning with Albumentations: images a second.

    pip install -r benchmarks/requirements.txt        # the peers, in an environment of their own or in this one
    python benchmarks/train.py --backbone resnet18 --size 64 --width 512 --height 384            # JPEGs
    python benchmarks/train.py --backbone small/resnet9-16 --size 32 --width 32 --height 32 --batch 128 --images 5000        # PNGs

Each side runs in a process of its own, first in each of its thread settings; then the best one of each side takes its turn, round
after round. Rates are of training steps alone, from the second epoch on: no start, no validation. What counts is the ratio within a round.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

EPOCHS = 3
CLASSES = 4
SETTINGS = {  # of each side: (threads, workers, OMP_WAIT_POLICY)
    "ours": [(1, 0, "PASSIVE"), (2, 0, "PASSIVE"), (2, 0, "ACTIVE")],
    "fastai": [(1, 1, "PASSIVE"), (2, 0, "PASSIVE"), (2, 0, "ACTIVE"), (2, 2, "PASSIVE")],
    "lightning": [(1, 1, "PASSIVE"), (2, 0, "PASSIVE"), (2, 0, "ACTIVE"), (2, 2, "PASSIVE")],
}


def network(backbone: str) -> Any:
    from models.backbones import build, input_spec

    return build(backbone, CLASSES, input_spec(backbone, 64))


def by_us(given: argparse.Namespace, paths: list[Path]) -> dict[str, float]:
    """Also the rate of the network's step alone, measured in turn with the loop."""
    import numpy as np
    import pandas as pd

    from competition.cache import pixels
    from competition.config import Config
    from competition.files import Files
    from competition.images import FileImages
    from competition.task import Task
    from models.backbones import input_spec
    from models.batches import seed_of
    from models.bench import in_turn
    from models.device import accelerator_for
    from models.job import FoldJob
    from models.parts import parts_of

    flags = {"model": {"backbone": given.backbone, "weights": "none"}, "augment": {"strength": "medium", "symmetry": "horizontal"}}
    flags |= {
        "data": {"size_px": given.size, "channels": 3},
        "optim": {"batch": given.batch, "lr": 1e-3, "epochs": EPOCHS, "loss": "cross_entropy"},
    }
    config = Config.model_validate(flags | {"machine": {"threads": given.threads, "workers": given.workers, "device": "cpu"}})
    spec, rows = input_spec(given.backbone, given.size, 3), np.arange(len(paths))
    files = Files(paths[0].parent)
    table = pd.DataFrame({"id": files.paths, "image": files.paths})
    truth = np.eye(CLASSES, dtype=np.float32)[rows % CLASSES]
    with tempfile.TemporaryDirectory() as place:
        seen = pixels(FileImages(files), table, given.size, 3, spec.interpolation, Path(place))
        task = Task("multiclass", tuple("abcd"))
        job = FoldJob(0, config, task, "accuracy", spec, seen, truth, rows, rows[:0], Path(place), truth, rows)
        accelerator = accelerator_for(config.machine)
        steps, loops = in_turn(job, parts_of(job, accelerator.device, seed_of(0)), accelerator, given.seconds, rounds=1)
    return {"step": statistics.median(steps), "loop": statistics.median(loops)}


def by_fastai(given: argparse.Namespace, paths: list[Path]) -> dict[str, float]:
    import torch
    from fastai.callback.core import Callback  # type: ignore[import-not-found]
    from fastai.data.block import CategoryBlock, DataBlock  # type: ignore[import-not-found]
    from fastai.data.transforms import IndexSplitter  # type: ignore[import-not-found]
    from fastai.learner import Learner  # type: ignore[import-not-found]
    from fastai.losses import CrossEntropyLossFlat  # type: ignore[import-not-found]
    from fastai.vision.augment import Resize, aug_transforms  # type: ignore[import-not-found]
    from fastai.vision.data import ImageBlock  # type: ignore[import-not-found]

    spent: list[float] = []

    class Watch(Callback):
        def before_train(self) -> None:
            self.began = time.perf_counter()

        def after_train(self) -> None:
            spent.append(time.perf_counter() - self.began)

    order = {path: number for number, path in enumerate(paths)}
    transforms = aug_transforms(max_rotate=15, max_zoom=1.12, max_warp=0, max_lighting=0.15, size=given.size)
    block = DataBlock(
        (ImageBlock, CategoryBlock(vocab=list(range(CLASSES)))),
        get_y=lambda path: order[path] % CLASSES,
        splitter=IndexSplitter([0]),
        item_tfms=Resize(given.size, method="squish"),
        batch_tfms=transforms,
    )
    loaders = block.dataloaders(paths, bs=given.batch, num_workers=given.workers, device=torch.device("cpu"))
    with contextlib.redirect_stdout(io.StringIO()):  # a table an epoch
        Learner(loaders, network(given.backbone), loss_func=CrossEntropyLossFlat(), cbs=[Watch()]).fit(EPOCHS, 1e-3)
    images = (len(paths) - 1) // given.batch * given.batch
    return {"loop": images / statistics.median(spent[1:])}


def by_lightning(given: argparse.Namespace, paths: list[Path]) -> dict[str, float]:
    import albumentations as A
    import cv2
    import lightning  # type: ignore[import-not-found]
    import numpy as np
    import torch
    from albumentations.pytorch import ToTensorV2
    from torch.utils.data import DataLoader, Dataset

    from models.augment import pipeline

    spent: list[float] = []
    steps = [A.Resize(given.size, given.size), *pipeline("medium", given.size, "horizontal").transforms, A.Normalize(), ToTensorV2()]
    transform = A.Compose(steps)

    class Images(Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
            image = np.asarray(cv2.imread(str(paths[row]), cv2.IMREAD_COLOR_RGB))
            return transform(image=image)["image"], row % CLASSES

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network(given.backbone)

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), 1e-3)

        def on_train_epoch_start(self) -> None:
            self.began = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            spent.append(time.perf_counter() - self.began)

    loader = DataLoader(
        Images(), given.batch, shuffle=True, drop_last=True, num_workers=given.workers, persistent_workers=given.workers > 0
    )
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", **quiet).fit(Module(), loader)
    return {"loop": len(paths) // given.batch * given.batch / statistics.median(spent[1:])}


SIDES: dict[str, Callable[[argparse.Namespace, list[Path]], dict[str, float]]] = {
    "ours": by_us,
    "fastai": by_fastai,
    "lightning": by_lightning,
}


def measured(side: str, setting: tuple[int, int, str], given: argparse.Namespace, place: Path) -> dict[str, float]:
    """What the side says of itself, in a process of its own."""
    threads, workers, policy = setting
    words = [f"--{name}={value}" for name, value in vars(given).items() if name not in ("side", "place", "threads", "workers")]
    command = [sys.executable, __file__, *words, f"--side={side}", f"--place={place}", f"--threads={threads}", f"--workers={workers}"]
    told = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_WAIT_POLICY": policy}, check=False)
    if told.returncode:
        raise SystemExit(f"{side} failed: {told.stderr[-2000:]}")
    return json.loads(told.stdout.splitlines()[-1])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--backbone", default="timm/resnet18")
    asked.add_argument("--size", type=int, default=64)
    asked.add_argument("--width", type=int, default=512)
    asked.add_argument("--height", type=int, default=384)
    asked.add_argument("--images", type=int, default=640)
    asked.add_argument("--batch", type=int, default=32)
    asked.add_argument("--seconds", type=float, default=6)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--side", choices=SIDES, help="measure this one here")
    asked.add_argument("--place", type=Path)
    asked.add_argument("--threads", type=int, default=0)
    asked.add_argument("--workers", type=int, default=0)
    given = asked.parse_args()
    if given.side:
        import torch

        torch.set_num_threads(given.threads)
        print(json.dumps(SIDES[given.side](given, sorted(given.place.iterdir()))))
        return
    from benchmarks.made import make_images

    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "images"
        make_images(place, given.images, given.width, given.height, ".png" if given.width <= 64 else ".jpg")
        best = {}
        for side, settings in SETTINGS.items():
            rates = {setting: measured(side, setting, given, place)["loop"] for setting in settings}
            best[side] = max(rates, key=lambda setting: rates[setting])
            for setting, rate in rates.items():
                chosen = "  <- taken" if setting == best[side] else ""
                print(f"{side}: {setting[0]} threads, {setting[1]} workers, waiting {setting[2]}: {rate:.0f} images/s{chosen}", flush=True)
        rounds = [{side: measured(side, best[side], given, place) for side in SIDES} for _ in range(given.rounds)]
    own, peers = [told["ours"]["loop"] for told in rounds], [side for side in SIDES if side != "ours"]
    print(f"{given.backbone}, {given.size} px from {given.width} x {given.height}, batch {given.batch}, {os.cpu_count()} cores")
    shares = [told["ours"]["loop"] / told["ours"]["step"] for told in rounds]
    print(f"loop {statistics.median(own):.0f} images/s, {statistics.median(shares):.2f} of the network's step alone")
    for side in peers:
        ratios = [told["ours"]["loop"] / told[side]["loop"] for told in rounds]
        rate = statistics.median(told[side]["loop"] for told in rounds)
        print(f"{side} {rate:.0f} images/s: ours {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
