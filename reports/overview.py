"""What was asked, how it was done, and how to do it again."""

import shlex

import tomli_w

from competition.config import Config
from competition.metrics import METRICS
from competition.symmetry import used_symmetry
from reports.blocks import Block, Code, Column, Facts, Lines, Table
from reports.evidence import Evidence, environment_of

SHOWN_CLASSES = 12
PACKAGES = ("torch", "torchvision", "timm", "albumentations", "numpy", "pandas", "scikit_learn", "opencv_python_headless")


def asked_and_done(evidence: Evidence) -> list[Block]:
    """The competition and the run in a list of facts, and each guess and choice with its reason."""
    contest, config = evidence.contest, evidence.run.config
    task = contest.task
    more = f" and {len(task.classes) - SHOWN_CLASSES:,} more" if len(task.classes) > SHOWN_CLASSES else ""
    grows = "higher is better" if METRICS[contest.metric].greater_is_better else "lower is better"
    facts = [
        ("competition", f"{contest.name}: {len(contest.train):,} training images, {len(contest.test):,} test images"),
        ("task", f"{task.kind}: {', '.join(task.classes[:SHOWN_CLASSES])}{more}"),
        ("metric", f"{contest.metric}, {METRICS[contest.metric].doc} ({grows})"),
        ("folds", f"{len(evidence.done)} of {config.folds.count} finished; {_folds(config)}"),
        *_network(config),
        (
            "answers",
            evidence.decision.report(contest.metric) if evidence.decision else "by the usual decision: no other is better out of fold",
        ),
    ]
    reasons = [[reason.what, reason.value + ("" if reason.sure else " (a guess)"), reason.why] for reason in contest.reasons]
    told = [Table("What was understood, and why", [Column("what"), Column("is"), Column("because")], reasons)] if reasons else []
    return [Facts(facts), *told, *([Lines(contest.notes)] if contest.notes else [])]


def _folds(config: Config) -> str:
    groups = {"none": "rows stand alone", "auto": "groups as detected"}.get(config.folds.groups, f"groups: {config.folds.groups}")
    return f"{config.folds.scheme}, {groups}, seed {config.folds.seed}"


def _network(config: Config) -> list[tuple[str, str]]:
    model, data, optim, augment = config.model, config.data, config.optim, config.augment
    kind = {1: "grey", 3: "RGB"}.get(data.channels if isinstance(data.channels, int) else 0, f"{data.channels} channels")
    images = f"{data.size_px} x {data.size_px} px, {kind}, {data.fit}"
    columns = "" if data.columns in (("none",), ("auto",)) else f"; beside the images {', '.join(data.columns)}"
    network = [("backbone", f"{model.backbone}, weights {model.weights}"), ("images", images + columns)]
    if optim.method == "probe":
        return [*network, ("method", "probe: the backbone stays as it is, and a regularised linear model is fitted on what it gives")]
    average = f", weights averaged ({optim.ema:g} a step)" if optim.ema else ", last epochs averaged" if optim.average_last else ""
    learning = (
        f"{optim.optimizer}, rate {optim.lr:g}, {optim.schedule}, {optim.epochs} epochs of batches of {optim.batch}"
        if optim.lr != "auto"
        else f"{optim.optimizer}, {optim.schedule}"
    )
    mixes = [f"{name} {value:g}" for name, value in (("mixup", augment.mixup), ("cutmix", augment.cutmix)) if value]
    mirrored = used_symmetry(augment.symmetry, augment.strength)
    changes = ", ".join([f"{augment.strength}, mirrored: {mirrored}", *mixes, *augment.extra])
    budget = f"; within {optim.budget}, which chose {', '.join(optim.planned) or 'nothing'}" if optim.budget else ""
    return [
        *network,
        ("optimiser", f"{learning}, weight decay {optim.weight_decay:g}{average}{budget}"),
        ("loss", f"{optim.loss}, class weights: {optim.class_weights}, label smoothing {optim.label_smoothing:g}"),
        ("augmentation", changes),
        ("weights kept", f"those of the {optim.keep} epoch; seed {config.seed}"),
    ]


def again(evidence: Evidence) -> list[Block]:
    """The commands that make it again, the machine and packages it was made on, and every setting."""
    run, environment = evidence.run, environment_of(evidence.run)
    config = shlex.quote(str(run.directory / "config.toml"))
    lines = [
        f"python train.py --recipe {config} --name {shlex.quote(run.config.name)} --fold all",
        f"python predict.py {shlex.quote(str(run.directory))}",
        f"python -m reports {shlex.quote(str(run.directory))}",
    ]
    packages = environment.get("packages", {})
    main = ", ".join(f"{name} {packages[name]}" for name in PACKAGES if name in packages)
    facts = [(name, str(environment[name])) for name in ("python", "machine", "git") if environment.get(name)]
    whole = "\n".join(f"{name} {version}" for name, version in packages.items())
    return [
        Code("Commands", "\n".join(lines)),
        *([Facts([*facts, ("packages", main)])] if facts else []),
        Code("Every setting (config.toml)", tomli_w.dumps(run.config.model_dump(mode="json", exclude={"machine"})), folded=True),
        *([Code("Every package", whole, folded=True)] if whole else []),
    ]
