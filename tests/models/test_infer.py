from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from competition.config import MachineConfig
from competition.contest import Competition
from competition.errors import CompetitionError
from competition.task import KINDS, Kind, Task
from models.backbones import build, input_spec
from models.batches import Normalise
from models.checkpoint import Checkpoint, save
from models.ensemble import predict_test
from models.errors import ModelError
from models.heads import Head, cumulative_log_probs, head_for
from models.infer import predict
from models.losses import loss_for
from models.tta import VIEW_SETS, VIEWS
from tests.builders import CLASSES, make_competition

CPU = torch.device("cpu")
SPEC = input_spec("small/resnet9-8", 8)
PIXELS = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)
TASKS = {kind: Task(kind, CLASSES[kind]) for kind in KINDS}


def networks(task: Task, count: int = 2) -> list[nn.Module]:
    torch.manual_seed(0)
    return [build("small/resnet9-8", usual_head(task).outputs(task), SPEC) for _ in range(count)]


def usual_head(task: Task) -> Head:
    return Head(loss_for("auto", task)[1].link)


def by_hand(task: Task, views: tuple[str, ...], heads: list[Head]) -> np.ndarray:
    """One image, one network, one view at a time."""
    normalise = Normalise(SPEC, CPU)
    result = np.zeros((len(PIXELS), len(task.classes)))
    with torch.inference_mode():
        for row in range(len(PIXELS)):
            x = normalise(torch.from_numpy(PIXELS[row : row + 1]))
            for network, head in zip(networks(task), heads, strict=True):
                for view in views:
                    logits = network.eval()(VIEWS[view](x))[0].double()
                    if task.kind == "ordinal":
                        probs = cumulative_log_probs(logits[None])[0].exp()
                    elif task.one_of_many:
                        probs = logits.exp() / logits.exp().sum()
                    elif task.kind == "multilabel":
                        probs = 1 / (1 + (-logits).exp())
                    else:
                        probs = logits * head.spread[0] + head.shift[0]
                    result[row] += probs.numpy()
    return result / len(views) / 2


@pytest.mark.parametrize("views", VIEW_SETS.values(), ids=VIEW_SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_over_networks_and_views_is_that_of_plain_loops(kind: Kind, views: tuple[str, ...]) -> None:
    task = TASKS[kind]
    heads = [Head("identity", (30.0,), (2.0,)), Head("identity", (31.0,), (5.0,))] if kind == "regression" else [usual_head(task)] * 2
    probs = predict(networks(task), heads, PIXELS, np.arange(len(PIXELS)), task, Normalise(SPEC, CPU), views)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, by_hand(task, views, heads), rtol=1e-5, atol=1e-6)


def answers(rows: np.ndarray | None = None, **how: Any) -> np.ndarray:
    """What two networks say of these rows, or of all."""
    task = TASKS["multiclass"]
    rows = np.arange(len(PIXELS)) if rows is None else rows
    return predict(networks(task), [usual_head(task)] * 2, PIXELS, rows, task, Normalise(SPEC, CPU), **how)


@pytest.mark.parametrize("batch", [1, 4, 11, 100])
def test_the_size_of_a_batch_does_not_matter(batch: int) -> None:
    views = ("identity", "hflip")
    np.testing.assert_allclose(answers(views=views, batch=batch), answers(views=views, batch=3), rtol=1e-5, atol=1e-6)


def test_rows_are_answered_in_the_order_asked_and_counted() -> None:
    rows, counted = np.array([7, 2, 2, 10]), []
    some = answers(rows, batch=3, progress=counted.append)
    np.testing.assert_allclose(some, answers()[rows], rtol=1e-5, atol=1e-6)
    assert counted == [3, 1]


def test_no_rows_are_no_answers() -> None:
    assert answers(np.arange(0)).shape == (0, 3)


def test_networks_are_put_into_evaluation_mode() -> None:
    """In training mode an answer would depend on what else is in the batch."""
    task = TASKS["multiclass"]
    network = networks(task, 1)[0].train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict([network], [usual_head(task)], PIXELS, np.arange(11), task, Normalise(SPEC, CPU))
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_bf16_is_close_and_sums_to_1() -> None:
    half = answers(autocast=torch.bfloat16)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, answers(), atol=0.05)
    np.testing.assert_allclose(half.sum(1), 1, atol=1e-5)


def fold(directory: Path, contest: Competition, seed: int = 0, **change: Any) -> Path:
    """A fold's directory with an untrained network in it."""
    facts: dict[str, Any] = {
        "backbone": "small/resnet9-8",
        "task": contest.task,
        "spec": SPEC,
        "head": usual_head(contest.task),
        "weights_kept": "last",
        "symmetry": "horizontal",
        "config": {},
        "versions": {},
    }
    checkpoint = Checkpoint(**facts | change)
    torch.manual_seed(seed)
    save(directory, build(checkpoint.backbone, checkpoint.head.outputs(checkpoint.task), checkpoint.spec), checkpoint)
    return directory


@pytest.fixture
def machine(tmp_path: Path) -> MachineConfig:
    return MachineConfig(device="cpu", threads=1, cache=tmp_path / "cache")


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_the_test_images(kind: Kind, tmp_path: Path, machine: MachineConfig) -> None:
    contest = make_competition(kind, rows=9)
    folds = [
        fold(tmp_path / str(seed), contest, seed, head=head_for(usual_head(contest.task).link, contest.task, contest.truth[seed:]))
        for seed in range(2)
    ]
    table, views = predict_test(folds, contest, "flips", machine)
    assert views == VIEW_SETS["flips"]
    assert list(table.index) == contest.test["id"].tolist()
    assert list(table.columns) == list(contest.task.classes)
    each = [predict_test([directory], contest, "flips", machine)[0] for directory in folds]
    np.testing.assert_allclose(table, (each[0] + each[1]) / 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("symmetry", "views"), [("none", "identity"), ("horizontal", "hflip"), ("all", "d4")])
def test_auto_takes_the_views_that_the_run_was_trained_with(symmetry: str, views: str, tmp_path: Path, machine: MachineConfig) -> None:
    contest = make_competition()
    assert predict_test([fold(tmp_path, contest, symmetry=symmetry)], contest, "auto", machine)[1] == VIEW_SETS[views]


@pytest.mark.parametrize(("method", "views"), [("train", "identity"), ("probe", "hflip")])
def test_mirrorings_that_an_earlier_version_wrote_down_and_never_showed_are_no_views(
    method: str, views: str, tmp_path: Path, machine: MachineConfig
) -> None:
    contest, config = make_competition(), {"augment": {"strength": "none", "symmetry": "horizontal"}, "optim": {"method": method}}
    assert predict_test([fold(tmp_path, contest, config=config)], contest, "auto", machine)[1] == VIEW_SETS[views]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another kind of task": ({"task": Task("multilabel", CLASSES["multiclass"])}, "was trained for a multilabel task of 3 classes"),
    "another order of classes": ({"task": Task("multiclass", CLASSES["multiclass"][::-1])}, "or their order differs: train it again"),
    "more classes": ({"task": Task("multiclass", ("a", "b", "c", "d"))}, "a multiclass task of 4 classes"),
    "another size": ({"spec": input_spec("small/resnet9-8", 16)}, "sees images another way .* it is no fold of this run"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_fold_that_does_not_belong_is_an_error(case: str, tmp_path: Path, machine: MachineConfig) -> None:
    contest = make_competition()
    change, match = WRONG[case]
    folds = [fold(tmp_path / "0", contest), fold(tmp_path / "1", contest, **change)]
    with pytest.raises(ModelError, match=match):
        predict_test(folds, contest, "auto", machine)


def test_an_unknown_set_of_views_lists_the_nearest(tmp_path: Path, machine: MachineConfig) -> None:
    contest = make_competition()
    with pytest.raises(CompetitionError, match="unknown set of views 'flip': perhaps 'hflip' or 'flips'"):
        predict_test([fold(tmp_path, contest)], contest, "flip", machine)
