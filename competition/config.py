"""Config: every knob on one page, with its unit and range. One tree gives the TOML file, the flags, --help and the errors.

Order: defaults < recipe < competition.toml in the working directory < flags. `auto` is resolved from the data and the
device before a run starts (models/plan.py); a run writes what it resolved to its config.toml.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import pydantic
import tyro
from pydantic import Field

Auto = Literal["auto"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def flag(name: str) -> object:
    """A short flag of its own (`--fold`), without the section's prefix."""
    return tyro.conf.arg(name=name, prefix_name=False)


class Section(pydantic.BaseModel):
    """Frozen; an unknown key and a number that is not finite are errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class CompetitionConfig(Section):
    """What is asked. Whatever stays `auto` is detected, and `python -m competition inspect` gives the reasons."""

    source: Annotated[str, flag("competition")] = "digits"
    """A competition known by name, or the directory or zip that Kaggle gave."""
    slug: str | Auto = "auto"
    """Its name on Kaggle, as in kaggle.com/competitions/SLUG; auto: the name of the directory or zip."""
    metric: str | Auto = "auto"
    """What the leaderboard scores by; `python -m competition list` names them all; auto: known by the slug, or guessed from the sample."""
    task: Literal["auto", "binary", "multiclass", "multilabel", "regression"] = "auto"
    """What a row's answer is."""
    labels: str | Auto = "auto"
    """The label table's path inside the competition, or `folders` where the folder is the label."""
    id_column: str | Auto = "auto"
    """The column of the label table that names the image."""
    target_columns: tuple[str, ...] = ()
    """The column or columns to predict; empty: detected."""
    sample: str | Auto = "auto"
    """The sample submission's path inside the competition."""
    answer: Literal["auto", "probability", "probabilities", "label", "labels", "ranked", "number"] = "auto"
    """What a submission holds for each row."""


class FoldsConfig(Section):
    """How the training rows are cut into folds. The same settings give the same folds in every run."""

    count: Annotated[int, Field(ge=2, le=100)] = 5
    """Number of folds."""
    scheme: Literal["stratified", "plain"] = "stratified"
    """stratified: every fold has the classes in equal shares; plain: shuffled only."""
    seed: int = 0
    """Which cut."""


class DataConfig(Section):
    """What the network is shown."""

    size_px: Annotated[int, Field(ge=4, le=4096)] | Auto = "auto"
    """Side of the square that images are resized to, pixels."""
    channels: Count | Auto = "auto"
    """1: grey, 3: RGB, more: as the images have them; auto: grey where all looked-at images are."""


class AugmentConfig(Section):
    """Random changes to training images, and to pairs of them."""

    strength: Literal["auto", "none", "light", "medium", "heavy"] = "auto"
    """A named Albumentations pipeline; auto: medium."""
    symmetry: Literal["auto", "none", "horizontal", "all"] = "auto"
    """Which mirrorings leave an image a likely one; auto: measured on the training images. `all` is the eight flips and turns."""
    extra: tuple[str, ...] = ()
    """Further Albumentations steps, as one writes them: "GaussNoise(std_range=(0.02, 0.1), p=0.3)"."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Beta parameter of mixup; 0: off."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Beta parameter of cutmix; 0: off. With both on, each batch takes one of them."""
    mix_share: Share = 1.0
    """Share of the batches that are mixed, where mixup or cutmix is on."""


class ModelConfig(Section):
    """The network."""

    backbone: str | Auto = "auto"
    """timm/NAME, torchvision/NAME or small/NAME; `python -m models list` names them."""
    weights: str = "auto"
    """pretrained: from the hub; none: random; FILE: a .safetensors of the backbone; auto: pretrained where they can be had."""
    drop: Share = 0.0
    """Dropout before the last layer."""
    drop_path: Share = 0.0
    """Stochastic depth, where the backbone has it."""


class OptimConfig(Section):
    """The training of one fold."""

    epochs: Count | Auto = "auto"
    batch: Count | Auto = "auto"
    """Images a step, over all processes together."""
    accumulate: Count = 1
    """Steps whose gradients are summed before the weights move."""
    optimizer: str = "adamw"
    """Any optimizer of timm (adamw, sgd, lamb, ...)."""
    lr: Positive | Auto = "auto"
    """Highest learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    momentum: Share = 0.9
    """For the optimizers that have one."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each layer away from the head learns slower by this factor (timm)."""
    schedule: Literal["cosine", "onecycle", "plateau", "constant"] = "cosine"
    """How the learning rate moves between its warm-up and its end."""
    warmup: Share = 0.05
    """Share of all steps in which the learning rate rises to `lr`; for one-cycle, where its peak is."""
    patience: Count = 3
    """plateau: epochs without a better held-out loss before the rate falls to a tenth."""
    clip_norm: Annotated[float, Field(ge=0)] = 1.0
    """Gradients longer than this are shortened to it; 0: never."""
    loss: str | Auto = "auto"
    """auto: cross-entropy, binary cross-entropy or squared error, by the task."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the averaged weights, a step; 0: off. With it, the averaged weights are the ones that are scored and kept."""
    keep: Literal["last", "best"] = "last"
    """best: the epoch with the best held-out score. It was chosen on the fold that is scored, so the score flatters; the ledger says so."""


class DeviceConfig(Section):
    """Where it runs. Nothing here changes what a run is."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    amp: Literal["auto", "bf16", "fp16", "off"] = "auto"
    """Mixed precision; auto: what the device does fast."""
    threads: Count | Auto = "auto"
    """CPU threads a process computes with."""
    runs: Path = Path("runs")
    """Where runs, submissions and the ledger stand."""
    cache: Path = Path("cache")
    """Where decoded pixels are kept. It can be deleted at any time."""


class MachineConfig(DeviceConfig):
    """Where and how it trains. Nothing here changes what a run is, and a run's config.toml leaves it out."""

    fold: Annotated[str, flag("fold")] = "0"
    """Which folds now: 0, or 0,2, or all."""
    workers: Annotated[int, Field(ge=0)] | Auto = "auto"
    """Processes that prepare batches, beside the one that trains."""
    parallel_folds: Count | Auto = "auto"
    """Folds trained side by side."""
    save_seconds: Annotated[float, Field(ge=0)] = 60.0
    """A fold saves its state at each epoch's end, and within an epoch each so many seconds."""


class Config(Section):
    """One training run."""

    recipe: str = ""
    """A starting point: a name from competition/recipes, a TOML file, or a run's config.toml."""
    name: str = "run"
    """What the run is called."""
    seed: int = 0
    """Weights, order of images, augmentation. (The folds have their own.)"""
    competition: CompetitionConfig = CompetitionConfig()
    folds: FoldsConfig = FoldsConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    optim: OptimConfig = OptimConfig()
    machine: MachineConfig = MachineConfig()

    def digest(self) -> str:
        """Six hex digits of all that makes this run what it is: not the machine, the name, the recipe or the place of the data."""
        tree = self.model_dump(mode="json", exclude={"machine": True, "name": True, "recipe": True, "competition": {"source"}})
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:6]


class PredictConfig(Section):
    """One submission."""

    run: tyro.conf.Positional[tuple[str, ...]] = ()
    """Run directories or names; none: the newest run of the competition that has a finished fold. Several are blended."""
    competition: str = ""
    """A competition's name, directory or zip; empty: the one of competition.toml, else of the runs named, else digits."""
    views: str = "auto"
    """Test-time views: identity, flips, d4, crops; auto: those the run's augmentation allows."""
    blend: Literal["mean"] = "mean"
    """How folds and runs become one table."""
    output: Path | None = None
    """The CSV; none: runs/COMPETITION/submissions/TIME-RUN-cvSCORE.csv."""
    machine: DeviceConfig = DeviceConfig()
