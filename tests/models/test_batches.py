import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.processes import cores
from competition.task import Kind, Task
from models.augment import STRENGTHS, pipeline
from models.backbones import InputSpec, input_spec
from models.batches import Joined, Normalise, TrainBatches, chances_of, in_order, seed_of
from models.errors import ModelError

ONE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
ALIKE = np.repeat(ONE[None], 32, axis=0)  # 32 times the same picture, so that differences are the augmentation's
NUMBERED = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
Batch = tuple[torch.Tensor, torch.Tensor]


def batches(
    pixels: np.ndarray = ALIKE, batch: int = 8, strength: str = "medium", seed: int = 3, share: tuple[int, int] = (0, 1)
) -> TrainBatches:
    transform = pipeline(strength, pixels.shape[1], "horizontal")
    return TrainBatches(pixels, np.arange(len(pixels)), transform, batch, seed, share)


def stream(made: TrainBatches, epoch: int = 0, step: int = 0, epochs: int = 2, workers: int = 0) -> list[Batch]:
    return list(made.stream(epoch, step, epochs, workers, pin=False))


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(a.equal(b) and c.equal(d) for (a, c), (b, d) in zip(one, other, strict=True))


@pytest.mark.parametrize("strength", [name for name in STRENGTHS if name != "none"])
def test_no_augmentation_is_given_twice_in_two_epochs(strength: str) -> None:
    """Where the library's own generator is left alone, workers repeat each other's and each epoch the last one's."""
    pictures = [image.numpy().tobytes() for images, _ in stream(batches(strength=strength)) for image in images]
    changed = [picture for picture in pictures if picture not in (ONE.tobytes(), ONE[:, ::-1].tobytes())]  # each step has a probability
    assert len(pictures) == 64
    assert len(set(changed)) == len(changed) > 64 * 0.6


def test_workers_change_nothing() -> None:
    alone = stream(batches())
    assert same(alone, stream(batches(), workers=2))
    pictures = [image.numpy().tobytes() for images, _ in alone for image in images]
    assert len(set(pictures)) > 0.8 * len(pictures)


class Asking:
    """Images that tell how many cores whoever looks at them believes to have."""

    shape, filename = (16, 8, 8, 1), None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.full((len(rows), *self.shape[1:]), cores(), np.uint8)


def test_a_worker_decodes_on_one_core() -> None:
    made = TrainBatches(Asking(), np.arange(16), pipeline("none", 8, "none"), 4, seed=0)
    assert {int(images.max()) for images, _ in stream(made, workers=2)} == {1}


def test_a_spawned_worker_opens_the_cache_by_its_name(tmp_path: Path) -> None:
    """On macOS and Windows batches are pickled for each worker: a cache of gigabytes would be read and sent whole."""
    pictures = np.random.default_rng(0).integers(0, 256, (1000, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "cache.npy", pictures)
    cache = np.lib.format.open_memmap(tmp_path / "cache.npy", mode="r")
    for pixels, kept in ((cache, 0), (Joined(cache, cache), 0), (cache[:400], 400), (pictures, 1000)):
        made = TrainBatches(pixels, np.arange(300), pipeline("light", 16, "none"), 8, seed=3)
        sent = pickle.dumps(made)
        assert 0 <= len(sent) - kept * ONE.nbytes < 20_000
        assert same(stream(made, epochs=1), stream(pickle.loads(sent), epochs=1))  # noqa: S301 (its own)


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 2), (1, 0), (1, 3), (2, 0)])
def test_a_resumed_stream_gives_exactly_the_batches_that_remain(epoch: int, step: int) -> None:
    assert same(stream(batches(), epoch, step), stream(batches())[epoch * 4 + step :])


def test_another_seed_gives_another_order_and_other_pictures() -> None:
    one, other = stream(batches(seed=3)), stream(batches(seed=4))
    assert not any(a.equal(b) or c.equal(d) for (a, c), (b, d) in zip(one, other, strict=True))


def test_every_row_is_shown_once_an_epoch_in_an_order_of_its_own() -> None:
    made = batches(NUMBERED, batch=8, strength="none")
    orders = []
    for epoch in range(3):
        orders.append(torch.cat([rows for _, rows in stream(made, epoch, 0, epoch + 1)]).tolist())
        assert sorted(orders[-1]) == list(range(40))
    assert orders[0] != orders[1] != orders[2]


def test_a_picture_comes_with_its_own_row() -> None:
    for images, rows in stream(batches(NUMBERED, strength="none")):
        assert images.shape == (8, 8, 8, 1)
        assert images.dtype == torch.uint8
        assert images[:, 0, 0, 0].tolist() == rows.tolist()


def test_rows_that_fill_no_batch_wait_for_another_epoch() -> None:
    made = batches(NUMBERED, batch=12, strength="none")
    assert made.steps == 3
    shown = [torch.cat([rows for _, rows in stream(made, epoch, 0, epoch + 1)]).tolist() for epoch in range(8)]
    assert all(len(set(rows)) == 36 for rows in shown)
    assert set().union(*shown) == set(range(40))


def test_a_batch_larger_than_the_rows_is_all_rows() -> None:
    made = batches(NUMBERED, batch=1000, strength="none")
    assert made.steps == 1
    assert sorted(stream(made, epochs=1)[0][1].tolist()) == list(range(40))


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_several_processes_are_the_batches_of_one(processes: int) -> None:
    whole = stream(batches(NUMBERED, strength="none"))
    parts = [stream(batches(NUMBERED, strength="none", share=(process, processes))) for process in range(processes)]
    for step, (_, rows) in enumerate(whole):
        shares = [set(part[step][1].tolist()) for part in parts]
        assert set().union(*shares) == set(rows.tolist())
        assert sum(map(len, shares)) == len(rows)


def test_processes_augment_differently() -> None:
    one, other = (stream(batches(strength="heavy", share=(process, 2))) for process in range(2))
    pictures = [{image.numpy().tobytes() for images, _ in part for image in images} for part in (one, other)]
    assert len(pictures[0] & pictures[1]) < 8


def test_only_the_training_rows_are_shown() -> None:
    made = TrainBatches(NUMBERED, np.array([3, 30, 7, 9]), pipeline("none", 8, "none"), 2, 0)
    assert sorted(torch.cat([rows for _, rows in stream(made, epochs=1)]).tolist()) == [3, 7, 9, 30]


@pytest.mark.parametrize("batch", [1, 3, 40, 100])
def test_in_order_gives_all_rows_once_unchanged(batch: int) -> None:
    rows = np.array([5, 3, 3, 39, 0])
    seen = torch.cat(list(in_order(NUMBERED, rows, batch)))
    np.testing.assert_array_equal(seen.numpy(), NUMBERED[rows])


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_normalise_is_the_formula_in_channels_last(channels: int) -> None:
    spec = input_spec("timm/resnet18", 16, channels)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 16, 16, channels), dtype=np.uint8))
    expected = (images.double() / 255 - torch.tensor(spec.mean, dtype=torch.float64)) / torch.tensor(spec.std, dtype=torch.float64)
    given = Normalise(spec, torch.device("cpu"))(images)
    assert given.dtype == torch.float32
    assert given.shape == (4, channels, 16, 16)
    assert given.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(given, expected.permute(0, 3, 1, 2).float(), rtol=1e-6, atol=1e-6)


def test_the_mean_becomes_0() -> None:
    spec = InputSpec(8, 1, (0.2,), (0.5,), "bilinear")
    given = Normalise(spec, torch.device("cpu"))(torch.tensor([[[[51]]]], dtype=torch.uint8))
    assert given.item() == pytest.approx(0, abs=1e-7)


@settings(max_examples=50)
@given(parts=st.lists(st.integers(0, 2**40), min_size=1, max_size=4), change=st.integers(0, 3))
def test_seeds_fit_every_library_and_depend_on_each_part(parts: list[int], change: int) -> None:
    seed = seed_of(*parts)
    assert 0 <= seed < 2**31
    assert seed == seed_of(*parts)
    other = list(parts)
    other[change % len(parts)] += 1
    assert seed_of(*other) != seed


def test_a_seed_is_the_same_everywhere() -> None:
    assert seed_of(0, 1) == int(np.random.SeedSequence([0, 1]).generate_state(1)[0]) // 2


CLASSES: dict[Kind, tuple[str, ...]] = {
    "multiclass": ("a", "b", "c"),
    "multilabel": ("a", "b", "c"),
    "binary": ("no", "yes"),
    "ordinal": ("1", "2", "3"),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_balanced_sampler_shows_each_class_as_often(kind: Kind) -> None:
    task = Task(kind, CLASSES[kind])
    codes = np.array([0] * 900 + [1] * 90 + [len(task.classes) - 1] * 10)
    truth = np.eye(len(task.classes), dtype=np.float32)[codes]
    chances = chances_of("balanced", truth, task)
    assert chances is not None
    assert chances.sum() == pytest.approx(1)
    np.testing.assert_allclose(chances @ truth, np.full(len(task.classes), 1 / len(task.classes)))
    made = TrainBatches(np.zeros((1000, 8, 8, 3), np.uint8), np.arange(1000), pipeline("none", 8, "none"), 100, 3, chances=chances)
    rows = np.concatenate([rows.numpy() for _, rows in stream(made, epochs=5)])
    assert len(rows) == 5000
    np.testing.assert_allclose(truth[rows].mean(axis=0), 1 / len(task.classes), atol=0.05)
    assert same(stream(made, epochs=2), stream(made, epochs=2))


def test_rows_of_several_labels_are_drawn_for_their_rarest() -> None:
    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], np.float32)
    chances = chances_of("balanced", truth, Task("multilabel", ("often", "rare")))
    assert chances is not None
    assert (chances / chances[0]).tolist() == pytest.approx([1, 1, 3, 3])


def test_a_softened_row_is_drawn_as_often_as_others_of_its_classes() -> None:
    """Half of each class is at least 0.5 of none."""
    truth = np.repeat([[1, 0], [0, 1], [0.5, 0.5]], [100, 100, 2], axis=0).astype(np.float32)
    chances = chances_of("balanced", truth, Task("binary", ("no", "yes")))
    assert chances is not None
    assert chances.max() / chances.min() == pytest.approx(1, abs=0.05)


def test_a_regression_has_no_classes_to_balance() -> None:
    assert chances_of("plain", np.ones((4, 1), np.float32), Task("regression", ("age",))) is None
    with pytest.raises(ModelError, match=r"--optim\.sampler balanced: a regression has no classes"):
        chances_of("balanced", np.ones((4, 1), np.float32), Task("regression", ("age",)))


def test_calm_batches_are_transformed_otherwise() -> None:
    made = TrainBatches(NUMBERED, np.arange(len(NUMBERED)), pipeline("heavy", 8, "none", (), 1), 5, 0, calm=pipeline("none", 8, "none"))
    batches = list(made.stream(0, 0, 1, 0, pin=False, calm=lambda done: done >= 3))
    for place, (images, rows) in enumerate(batches):
        assert np.array_equal(images.numpy(), NUMBERED[rows.numpy()]) is (place >= 3)
