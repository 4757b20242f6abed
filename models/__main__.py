"""The front door of this room.

python -m models list [WORD]                       backbones by name
python -m models summary NAME                      the layers of one: shapes and parameters
python -m models study NAME_OR_FILE                a grid or a search over any settings
python -m models lr-find [flags of train.py]       the range test, drawn
python -m models bench [flags of train.py]         what this machine does in a second
python -m models export FOLD                       a finished fold for other programs
python -m models exhibits RUN                       what its networks see, for its report
python -m models descent                           what the learning rate does to gradient descent, on a function of two variables
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from competition.config import Config, DeviceConfig
from competition.console import guarded, say
from competition.figures import write_png
from competition.settings import read_recipe, train_config, validated

RANGE_STEPS = 120
BENCH_SECONDS = 6.0  # each of what is measured
DEVICE = DeviceConfig()
# of a descent: one rate that is too low, one that is right, one with which it runs away
RATES, START, STEPS = (0.01, 0.1, 10.0), (1.15, 1.43), 33
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
        name: timm/NAME, torchvision/NAME, small/NAME or labs/NAME.
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


def export(directory: Annotated[Path, tyro.conf.Positional], kind: str = "onnx", output: Path | None = None) -> int:
    """Writes a finished fold as one file for other programs: uint8 images in, probabilities out, checked against torch.

    Args:
        directory: of the fold: runs/COMPETITION/RUN/fold0.
        kind: onnx, or pt2 (torch.export).
        output: the file; none: beside the checkpoint.
    """
    from models.export import export as exported

    path, off = exported(directory, kind, output)
    say(f"{path}: within {off:.1e} of torch; {path.name}.json has the classes in their order")
    return 0


def exhibits(run: Annotated[Path, tyro.conf.Positional], machine: DeviceConfig = DEVICE) -> int:
    """Writes what the networks of a run see, for its report: a batch as they were trained on, the first layer, where they look.

    Args:
        run: a run's directory.
        machine: where it is computed.
    """
    from competition.load import load
    from models.exhibits import exhibit

    config = validated(Config, read_recipe(str(run / "config.toml")), str(run / "config.toml"))
    exhibit(sorted(done.parent for done in run.glob("*/done.json")), load(config.competition), machine)
    return 0


def study(file: Annotated[str, tyro.conf.Positional]) -> int:
    """Runs a study, a grid or a search over any settings, or goes on with it; its trials are ordinary runs.

    Args:
        file: study.toml: name, trials, [base] and [keys], docs/training.md has one; or the name of one in models/studies.
    """
    from models.study import read_study, run_study, study_file

    return run_study(read_study(study_file(file)))


def descent(
    rates: tuple[float, ...] = RATES, start: tuple[float, float] = START, steps: int = STEPS, output: Path = Path("descent.png")
) -> int:
    """Minimises a function of two variables by gradient descent with several learning rates, and draws the paths.

    Args:
        rates: the learning rates.
        start: x and y to start from.
        steps: how many.
        output: the picture.
    """
    from competition.console import table
    from models.descent import BOWL, descend, drawn

    paths = [descend(rate, start, steps) for rate in rates]
    rows = [
        [f"{path.rate:g}", str(len(path.values) - 1), *(f"{part:.3g}" for part in path.points[-1]), f"{path.values[-1]:.2g}", path.fate]
        for path in paths
    ]
    table(f"{BOWL} from ({start[0]:g}, {start[1]:g})", ["rate", "steps", "x", "y", "value", ""], rows, right=(0, 1, 2, 3, 4))
    write_png(output, drawn(paths))
    say(f"{output}: the paths over the contours, and the value after each step")
    return 0


def lr_find(config: Config) -> int:
    """Draws the range test of what train.py with the same flags would train, and names the rate at which the loss falls fastest."""
    from competition.load import load
    from models.lr_find import drawn, range_test, steepest

    contest = load(config.competition)
    config, rates, losses = range_test(config, contest, RANGE_STEPS)
    asked, found = float(config.optim.lr), steepest(rates, losses)
    path = config.machine.runs / contest.name / "lr-find.png"
    title = f"{contest.name}, {config.model.backbone}, {config.data.size_px} px, batch {config.optim.batch}"
    write_png(path, drawn(rates, losses, found, asked, title))
    say(f"{path}: the loss over {len(rates)} steps, from a rate of {rates[0]:.0e} to {rates[-1]:.1e}")
    if found is None:
        say("the loss never fell: the labels may not belong to the images, or other settings do not fit")
    else:
        say(f"it falls fastest at {found:.1e}; this config takes {asked:.1e} (--optim.lr {found:.1e} takes the other)")
    return 0


def bench(config: Config) -> int:
    """Measures what train.py with the same flags would do: decoding, augmentation, the network's step alone, the loop, predicting."""
    from competition.console import table
    from competition.load import load
    from models.bench import bench as measured
    from models.bench import peak_gib

    contest = load(config.competition)
    config, rates = measured(config, contest, BENCH_SECONDS)
    rows = [[rate.name, f"{rate.each_second:,.0f}", f"{rate.of_step:,.2f}", rate.told] for rate in rates]
    title = f"{contest.name}: {config.model.backbone}, {config.data.size_px} px; at most {peak_gib():.1f} GiB"
    table(title, ["", "images/s", "of the step", ""], rows, right=(1, 2))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)

    def answer() -> int:
        of_train = {"lr-find": lr_find, "bench": bench}  # their flags are those of train.py
        if words and words[0] in of_train:
            return of_train[words[0]](train_config(words[1:], prog=f"python -m models {words[0]}"))
        verbs = {
            "list": list_backbones,
            "summary": summary,
            "export": export,
            "exhibits": exhibits,
            "study": study,
            "descent": descent,
            **of_train,
        }
        return tyro.extras.subcommand_cli_from_dict(verbs, prog="python -m models", description="Backbones.", args=words)

    return guarded(answer)


if __name__ == "__main__":
    sys.exit(main())
