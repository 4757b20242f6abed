"""Five folds x four views over JPEGs of 512 x 384: the usual way (a DataLoader pass for each fold and view) against that of predict.py.

    python benchmarks/predict.py --backbone timm/resnet18 --images 96 --size 128 --repeats 3

Random weights; the rates are images a second, and what counts is their ratio. OpenVINO's networks are converted before the clock starts, as
they are kept beside the checkpoints.
"""

import argparse
import copy
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.made import make_images
from competition.cache import pixels
from competition.decode import decode
from competition.files import Files
from competition.images import FileImages
from competition.task import Task
from models.backbones import InputSpec, build, input_spec
from models.batches import Normalise
from models.device import cores
from models.engines import ready
from models.heads import Head
from models.infer import predict
from models.tta import VIEW_SETS, VIEWS

FOLDS, CLASSES, BATCH = 5, 4, 32
SEEN = VIEW_SETS["flips"]
CPU = torch.device("cpu")


class Decoded(Dataset):
    """One image, decoded, resized and normalised anew each time it is asked for."""

    def __init__(self, paths: list[Path], spec: InputSpec) -> None:
        self.paths, self.spec = paths, spec

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        image = decode(self.paths[place].read_bytes(), self.paths[place].name, self.spec.size_px)  # the same pixels as ours
        image = cv2.resize(image, (self.spec.size_px, self.spec.size_px), interpolation=cv2.INTER_AREA)
        values = (image.astype(np.float32) / 255 - np.array(self.spec.mean, np.float32)) / np.array(self.spec.std, np.float32)
        return torch.from_numpy(values).permute(2, 0, 1)


def usual(networks: list[nn.Module], paths: list[Path], spec: InputSpec) -> np.ndarray:
    total = np.zeros((len(paths), CLASSES), np.float32)
    with torch.inference_mode():
        for network in networks:
            for view in SEEN:
                loader = DataLoader(Decoded(paths, spec), BATCH)
                total += np.concatenate([network(VIEWS[view](batch)).softmax(1).numpy() for batch in loader])
    return total / (FOLDS * len(SEEN))


def ours(networks: list[nn.Module], place: Path, spec: InputSpec, cache: Path, kept: list[Path]) -> np.ndarray:
    files = Files(place)
    rows = pd.DataFrame({"id": files.paths, "image": files.paths})
    seen = pixels(FileImages(files), rows, spec.size_px, spec.channels, spec.interpolation, cache)
    normalise, task = Normalise(spec, CPU), Task("multiclass", tuple("abcd"))
    looks = [(normalise(torch.from_numpy(np.array(seen[:2]))),)] * FOLDS
    forwards = ready(networks, looks, "auto", len(seen) * len(SEEN) * 100, cores(), kept)
    return predict(forwards, [Head("softmax")] * FOLDS, seen, np.arange(len(seen)), task, normalise, SEEN)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--backbone", default="timm/resnet18")
    asked.add_argument("--size", type=int, default=128)
    asked.add_argument("--images", type=int, default=96)
    asked.add_argument("--repeats", type=int, default=3)
    given = asked.parse_args()
    torch.set_num_threads(cores())
    spec = input_spec(given.backbone, given.size)
    networks = []
    for fold in range(FOLDS):
        torch.manual_seed(fold)
        networks.append(build(given.backbone, CLASSES, spec).eval())
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paths = make_images(root / "images", given.images, 512, 384, ".jpg")
        kept = [root / f"fold{fold}" for fold in range(FOLDS)]
        last = [copy.deepcopy(network).to(memory_format=torch.channels_last) for network in networks]
        ours(last, root / "images", spec, root / "warm", kept)
        ratios, rates, off = [], [], 0.0
        for repeat in range(given.repeats):
            began = time.perf_counter()
            plain = usual(networks, paths, spec)
            between = time.perf_counter()
            quick = ours(last, root / "images", spec, root / f"cache{repeat}", kept)
            end = time.perf_counter()
            rates.append((given.images / (between - began), given.images / (end - between)))
            ratios.append(rates[-1][1] / rates[-1][0])
            off = max(off, float(np.abs(plain - quick).max()))
    medians = np.median(rates, axis=0)
    print(f"{given.backbone}, {given.size} px, {FOLDS} folds x {len(SEEN)} views, {given.images} images, {cores()} cores")
    print(f"usual {medians[0]:.1f} images/s, ours {medians[1]:.1f}; ratio {np.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    print(f"largest difference of a probability: {off:.1e}")


if __name__ == "__main__":
    main()
