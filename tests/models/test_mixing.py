import pytest
import torch

from competition.config import AugmentConfig
from competition.task import Task
from models.errors import ModelError
from models.mixing import mixing

FOUR = Task("multiclass", ("a", "b", "c", "d"))
MANY = Task("multilabel", ("a", "b", "c", "d"))
AGE = Task("regression", ("age",))


def batch(task: Task = FOUR) -> tuple[torch.Tensor, torch.Tensor]:
    """Eight flat images, each of a grey of its own that its truth also tells."""
    greys = torch.arange(8.0)
    truth = greys[:, None] if task.kind == "regression" else torch.eye(4).repeat(2, 1)
    return greys[:, None, None, None].expand(8, 3, 16, 16).contiguous(memory_format=torch.channels_last), truth


@pytest.mark.parametrize("task", [FOUR, MANY])
@pytest.mark.parametrize("asked", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_mixed_rows_keep_their_sum_and_the_shapes(task: Task, asked: dict[str, float]) -> None:
    mix = mixing(AugmentConfig.model_validate(asked), task)
    assert mix is not None
    images, truth = batch()
    for seed in range(20):
        torch.manual_seed(seed)
        x, y = mix(images, truth)
        assert x.shape == images.shape
        torch.testing.assert_close(y.sum(1), torch.ones(8))
        assert float(y.min()) >= 0


def test_nothing_asked_is_nothing_done() -> None:
    assert mixing(AugmentConfig(), FOUR) is None


def test_mixup_mixes_the_truth_as_it_mixes_the_images() -> None:
    mix = mixing(AugmentConfig(mixup=1.0), AGE)
    assert mix is not None
    images, truth = batch(AGE)
    torch.manual_seed(1)
    x, y = mix(images, truth)
    torch.testing.assert_close(x[:, 0, 0, :1], y)
    assert not y.equal(truth)


def test_cutmix_gives_the_truth_the_share_of_the_area() -> None:
    """The images are flat, so the share of pixels of another grey is the area that was pasted."""
    mix = mixing(AugmentConfig(cutmix=1.0), FOUR)
    assert mix is not None
    images, truth = batch()
    pasted = 0
    for seed in range(20):
        torch.manual_seed(seed)
        x, y = mix(images, truth)
        own = (x[:, 0] == images[:, 0]).float().mean((1, 2))
        for row in range(8):
            other = int(x[row, 0].unique()[x[row, 0].unique() != row][0]) if own[row] < 1 else row
            expected = own[row] * truth[row] + (1 - own[row]) * truth[other]
            torch.testing.assert_close(y[row], expected)
        pasted += int((own < 1).any())
    assert pasted > 10


def test_the_share_of_mixed_batches() -> None:
    mix = mixing(AugmentConfig(mixup=1.0, mix_share=0.25), FOUR)
    assert mix is not None
    images, truth = batch()
    torch.manual_seed(0)
    mixed = sum(not mix(images, truth)[1].equal(truth) for _ in range(400))
    assert 60 < mixed < 140
    never = mixing(AugmentConfig(mixup=1.0, mix_share=0.0), FOUR)
    assert never is not None
    assert not any(never(images, truth)[0] is not images for _ in range(20))


def test_with_both_on_each_batch_takes_one_of_them() -> None:
    mix = mixing(AugmentConfig(mixup=1.0, cutmix=1.0), FOUR)
    assert mix is not None
    images, truth = batch()
    torch.manual_seed(0)
    flat = [all(len(image.unique()) == 1 for image in mix(images, truth)[0]) for _ in range(40)]
    assert 8 < sum(flat) < 32  # mixup leaves flat images flat


def test_the_same_seed_mixes_alike() -> None:
    mix = mixing(AugmentConfig(mixup=1.0, cutmix=1.0, mix_share=0.5), FOUR)
    assert mix is not None
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append([mix(*batch())[0] for _ in range(5)])
    assert all(one.equal(other) for one, other in zip(*results, strict=True))


def test_a_number_cannot_be_cut() -> None:
    with pytest.raises(ModelError, match="use mixup for a regression"):
        mixing(AugmentConfig(cutmix=1.0, mixup=1.0), AGE)
