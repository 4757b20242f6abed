"""Config: every knob on one page, with its unit and range. One tree gives the TOML file, the flags, --help and the errors.

Order: defaults < recipe < competition.toml in the working directory < flags. `auto` is resolved from the data and the
device before a run starts (models/plan.py); a run writes what it resolved to its config.toml.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import pydantic_core
import tyro
from pydantic import Field

from competition.errors import CompetitionError

Auto = Literal["auto"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
SECONDS_OF = {"s": 1, "m": 60, "h": 3600}
MOST_NAME, MOST_NAME_BYTES = 100, 200  # letters; a file system takes 255 bytes, of which time and score want some
NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]|^[. -]|[. ]$')


def flag(name: str) -> object:
    """A short flag of its own (`--fold`), without the section's prefix."""
    return tyro.conf.arg(name=name, prefix_name=False)


def directory_name(text: str, what: str) -> str:
    """The text itself, where a directory may be called so on any system, and stays where it is put.

    Raises: CompetitionError for a path, and what no name may hold. what: the flag, for the error.
    """
    if not text or len(text) > MOST_NAME or NOT_IN_NAMES.search(text) or len(text.encode()) > MOST_NAME_BYTES:
        raise CompetitionError(
            f"{what} {text!r}: a directory is called so: 1 to {MOST_NAME} letters (in UTF-8 {MOST_NAME_BYTES} bytes), "
            'none of / \\ : * ? " < > |, no dot, space or hyphen at its beginning, no dot or space at its end'
        )
    return text


def _as_words(value: object) -> object:
    """A TOML file may say columns = "none" for a list of one word."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], pydantic.BeforeValidator(_as_words)]


class Section(pydantic.BaseModel):
    """Frozen; an unknown key and a number that is not finite are errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, field: pydantic.ValidationInfo) -> Any:
        """pydantic would take true for 1."""
        if isinstance(value, bool) and cls.model_fields[str(field.field_name)].annotation is not bool:
            raise pydantic_core.PydanticCustomError("true_false", "true and false do not fit here")
        return value


class CompetitionConfig(Section):
    """What is asked. Whatever stays `auto` is detected, and `python -m competition inspect` gives the reasons."""

    source: Annotated[str, flag("competition")] = "digits"
    """A competition known by name, or the directory or zip that Kaggle gave."""
    slug: str | Auto = "auto"
    """Its name on Kaggle, as in kaggle.com/competitions/SLUG; auto: the name of the directory or zip."""
    metric: str | Auto = "auto"
    """What the leaderboard scores by; `python -m competition list` names them all; auto: known by the slug, or guessed from the sample."""
    task: Literal["auto", "binary", "multiclass", "ordinal", "multilabel", "regression"] = "auto"
    """What a row's answer is."""
    labels: str | Auto = "auto"
    """The label table's path inside the competition, `folders` where the folder is the label, or `names` where file names begin with it."""
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
    scheme: Literal["auto", "stratified", "iterative", "stratified_group", "group", "time", "column", "plain"] = "auto"
    """stratified: every fold has the classes in equal shares; iterative: so as far as it goes, for several labels and rare classes;
    stratified_group: so, with groups kept together; group: kept together only; time: fold after fold along a column; column: a
    column says the fold; plain: shuffled only. auto: by the groups, the task and the rarest class."""
    groups: str = "auto"
    """Rows that stay together: a column of the label table, a .csv of id,group, or none; auto: what was detected."""
    column: str = ""
    """For time and column: the column of the label table."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Which cut. Runs with several seeds are a repeated cross-validation; predict.py RUN RUN averages them."""


class DataConfig(Section):
    """What the network is shown."""

    size_px: Annotated[int, Field(ge=4, le=4096)] | Auto = "auto"
    """Side of the square that images are resized to, pixels."""
    fit: Literal["stretch", "pad", "crop"] = "stretch"
    """How images that are not square become it: stretched; kept in shape, with black beside; or kept in shape, by their middle."""
    channels: Count | Auto = "auto"
    """1: grey, 3: RGB, more: as the images have them; auto: grey where all looked-at images are."""
    columns: Words = ("auto",)
    """Columns of the tables (age, sex, site) that join what the backbone sees: auto: all of use that training and test rows both have;
    none: images alone; or their names."""
    start_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Progressive resizing: the share of the side that batches have at first; it grows over the first two thirds of the run."""
    corrections: str = ""
    """A .csv of id,do,label: training labels to drop, relabel or soften; `python -m folds suspects RUN` writes one."""
    pseudo: Annotated[str, flag("pseudo")] = ""
    """A run's directory: test images are trained on too, fold by fold with what the same fold of that run predicts for them."""
    pseudo_sure: Share = 0.8
    """Test images of which no class is at least so likely are left out; of several labels and numbers all are used."""


class AugmentConfig(Section):
    """Random changes to training images, and to pairs of them."""

    strength: Literal["auto", "none", "light", "medium", "heavy"] = "auto"
    """A named Albumentations pipeline; auto: by --optim.effort (light, medium, heavy), light for images up to 16 px."""
    symmetry: Literal["auto", "none", "horizontal", "all"] = "auto"
    """Which mirrorings leave an image a likely one; auto: measured on the training images. `all` is the eight flips and turns.
    With strength none nothing is mirrored, neither in training nor in the views of predicting."""
    extra: tuple[str, ...] = ()
    """Further Albumentations steps, as one writes them: "GaussNoise(std_range=(0.02, 0.1), p=0.3)"."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Beta parameter of mixup; 0: off."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Beta parameter of cutmix; 0: off. With both on, each batch takes one of them."""
    mix_share: Share = 1.0
    """Share of the batches that are mixed, where mixup or cutmix is on."""
    calm_share: Share = 0.0
    """Last share of the run in which images are only mirrored and moved a little (light), and not mixed."""


class ModelConfig(Section):
    """The network."""

    backbone: str | Auto = "auto"
    """timm/NAME, torchvision/NAME, small/NAME or labs/NAME; `python -m models list` names them."""
    weights: str = "auto"
    """pretrained: from the hub; none: random; FILE: a .safetensors of the backbone; auto: pretrained where they can be had."""
    drop: Share = 0.0
    """Dropout before the last layer."""
    drop_samples: Count = 1
    """Dropout masks that the last layer sees each image through, its outputs averaged (multi-sample dropout)."""
    drop_path: Share = 0.0
    """Stochastic depth, where the backbone has it."""
    pool: Literal["native", "avg", "max", "catavgmax", "gem"] = "native"
    """How a timm backbone's map of features becomes one row: gem: a mean of powers, learned; native: as it does it itself."""
    column_units: Annotated[int, Field(ge=0)] = 64
    """Width of the layer of their own that columns go through before they join the features; 0: they join as they are."""
    freeze: tuple[str, ...] = ()
    """Parts that stay as they are, with their batch-norm statistics: conv_stem, blocks.0; `python -m models summary` names them."""
    freeze_norm: bool = False
    """Whether the statistics of all batch norms stay as they are."""


def seconds_of(text: str) -> float:
    """Of 90s, 20m, 8.5h, or a bare number of seconds; inf of an empty text.

    Raises: ValueError for anything else, or nothing.
    """
    if not text:
        return math.inf
    number, unit = (text[:-1], text[-1]) if text[-1] in SECONDS_OF else (text, "s")
    try:
        seconds = float(number) * SECONDS_OF[unit]
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"a time like 90s, 20m or 8.5h is needed, not {text!r}")
    return seconds


def _checked_time(text: str) -> str:
    seconds_of(text)
    return text


class OptimConfig(Section):
    """The training of one fold."""

    method: Literal["train", "probe"] = "train"
    """train: all weights, by gradient. probe: the backbone stays as it is and looks at each image once; a regularised linear model is
    fitted on what it gives, and epochs, rates and augmentation play no part."""
    effort: Literal["quick", "standard", "strong"] = "standard"
    """What the choices that are left auto may cost: backbone, size, epochs and augmentation."""
    budget: Annotated[str, flag("budget"), pydantic.AfterValidator(_checked_time)] = ""
    """A time like 20m, 90s or 8.5h, within which all the asked folds are trained, validated and saved. The size of the images is chosen
    by what the machine can do, and the learning rate follows the clock; `epochs` is then the most that are done."""
    planned: tuple[str, ...] = ()
    """Filled in by a run with a budget: what it chose by measuring, which is no part of what the run is called."""
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
    head_lr: Positive = 1.0
    """The last layer learns faster by this factor."""
    head_first: Share = 0.0
    """Share of the run in which only the last layer learns, before the rest joins it."""
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
    sam: Annotated[float, Field(ge=0)] = 0.0
    """Sharpness-aware minimisation: gradients are taken so far from the weights, where the loss is worst (0.05 is usual); a step then costs
    two. 0: off."""
    loss: str | Auto = "auto"
    """auto: cross-entropy, binary cross-entropy, a cumulative link or squared error, by the task. Others: focal, asymmetric, mae,
    huber; bce of a regression keeps the number between the smallest and the largest of training."""
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    """Rare classes cost more: balanced: by how rare they are; sqrt: by its root. Probabilities are then no longer calibrated."""
    sampler: Literal["plain", "balanced"] = "plain"
    """plain: each image once an epoch; balanced: as many images, drawn so that each class is shown as often."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the averaged weights, each time that the weights move; 0: off. With it, the averaged weights are scored and kept."""
    average_last: Share = 0.0
    """Weights at the ends of the epochs in this last share of the run are averaged (SWA), scored and kept; 0: off. Not with `ema`."""
    keep: Literal["last", "best"] = "last"
    """best: the epoch with the best held-out score. It was chosen on the fold that is scored, so the score flatters; the ledger says so."""


def _checked_place(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("no path holds a zero byte")
    return path


def _checked_output(path: Path | None) -> Path | None:
    if path is not None and path.exists() and not path.is_file():
        raise ValueError(f"{str(path)!r} is a directory or a device, and a file is needed: name one, such as submission.csv")
    return path


Place = Annotated[Path, pydantic.AfterValidator(_checked_place)]


class DeviceConfig(Section):
    """Where it runs. Nothing here changes what a run is."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    amp: Literal["auto", "bf16", "fp16", "off"] = "auto"
    """Mixed precision; auto: what the device does fast."""
    threads: Annotated[int, Field(ge=1, le=1024)] | Auto = "auto"
    """CPU threads a process computes with."""
    inference: Literal["auto", "torch", "openvino"] = "auto"
    """What predicts, and embeds for a probe, on a CPU; auto: what was measured to be faster, where there is enough to do."""
    runs: Place = Path("runs")
    """Where runs, submissions and the ledger stand."""
    cache: Place = Path("cache")
    """Where decoded pixels are kept. It can be deleted at any time."""
    cache_gib: Annotated[float, Field(ge=0)] | Auto = "auto"
    """What decoded pixels of a set of images may take there; auto: what the disk has room for. Beyond it they are decoded each time."""

    @property
    def most_gib(self) -> float:
        """What a cache may take, whatever the disk has room for."""
        return math.inf if self.cache_gib == "auto" else self.cache_gib


class MachineConfig(DeviceConfig):
    """Where and how it trains. Nothing here changes what a run is, and a run's config.toml leaves it out."""

    fold: Annotated[str, flag("fold")] = "0"
    """Which folds now: 0, or 0,2, or all; full: after the folds, one more model on all rows, for as many epochs as they needed."""
    workers: Annotated[int, Field(ge=0, le=256)] | Auto = "auto"
    """Processes that prepare batches, beside the one that trains."""
    compile: bool = False
    """torch.compile the network: faster steps after minutes of compiling (python -m models bench --machine.compile tells by how much)."""
    audit: bool = True
    """Before a competition's first training, look for duplicates that would leak between folds (up to 5,000 images)."""
    parallel_folds: Count | Auto = "auto"
    """Folds trained side by side; auto: by the cores, or one a GPU."""
    engine: Literal["local", "ray"] = "local"
    """What starts folds, and the trials of a study: this machine, or Ray on all of its cluster's (RAY_ADDRESS)."""
    loggers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Where each epoch's losses and scores go beside history.csv; the others than tensorboard where they are installed."""
    fold_seconds: Positive | None = None
    """What a fold may take; set by a run with a budget for the folds that it trains side by side."""
    save_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Within an epoch a fold saves its state each so many seconds; at an epoch's end where ten of them have passed since the last time."""


class Config(Section):
    """One training run."""

    recipe: str = ""
    """A starting point: a name from competition/recipes, a TOML file, or a run's config.toml."""
    name: str = "run"
    """What the run is called."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
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
        apart = {"machine": True, "name": True, "recipe": True, "competition": {"source"}, "optim": {"effort"}}
        # what is as it always is plays no part, so that a setting that is added later leaves the names of runs as they are;
        # and a file is what it says, wherever it lies
        tree = self.model_dump(mode="json", exclude=apart, exclude_defaults=True)
        for section, key in (name.split(".") for name in ("optim.planned", *self.optim.planned)):
            tree.get(section, {}).pop(key, None)
        for section, key in (("data", "corrections"), ("folds", "groups"), ("model", "weights")):
            named = tree.get(section, {}).get(key, "")
            if named.endswith((".csv", ".safetensors")) and Path(named).is_file():
                tree[section][key] = hashlib.sha256(Path(named).read_bytes()).hexdigest()
        if self.data.pseudo:
            tree["data"]["pseudo"] = Path(self.data.pseudo).name
        told = {section: values for section, values in tree.items() if values != {}}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:6]

    def run_directory(self, competition: str) -> Path:
        """Where this run of a competition stands.

        Raises: CompetitionError where its name would lead elsewhere.
        """
        return self.machine.runs / competition / f"{directory_name(self.name, '--name')}-{self.digest()}"


class PredictConfig(Section):
    """One submission."""

    run: tyro.conf.Positional[tuple[str, ...]] = ()
    """Run directories; none: the newest run of the competition that has a finished fold. Several are blended."""
    competition: str = ""
    """A competition's name, directory or zip; empty: that of the runs named, else of competition.toml, else digits."""
    views: str = "auto"
    """Test-time views: identity, hflip, flips, d4 (the eight flips and turns), crops; auto: those the run's augmentation allows."""
    members: Literal["folds", "full", "both"] = "folds"
    """Which of a run's models: those of its folds, or the one that `train.py --fold full` fitted on all rows, or both, equally."""
    blend: str = "mean"
    """How runs become one table: mean, geometric, rank, power, best, greedy, stacking; auto: the best of them out of fold. Any but
    mean must beat equal weights by more than chance."""
    output: Annotated[Path | None, pydantic.AfterValidator(_checked_output)] = None
    """The CSV; none: runs/COMPETITION/submissions/TIME-RUN-cvSCORE.csv."""
    submit: str | None = None
    """A message: the submission is sent to Kaggle, and its score waited for."""
    machine: DeviceConfig = DeviceConfig()
