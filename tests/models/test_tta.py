import pytest
import torch

from models.augment import SYMMETRIES
from models.tta import VIEW_SETS, VIEWS, VIEWS_OF_SYMMETRY

D4 = VIEW_SETS["d4"]
CROPS = [name for name in VIEWS if name.startswith("crop")]
INVERSE_OF = {name: name for name in D4} | {"rot90": "rot270", "rot270": "rot90"}
IMAGES = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size_px", [1, 7, 8, 33])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_view_keeps_the_shape(view: str, size_px: int, memory: torch.memory_format) -> None:
    images = torch.rand(2, 3, size_px, size_px).contiguous(memory_format=memory)
    assert VIEWS[view](images).shape == images.shape


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_leaves_its_input_alone(view: str) -> None:
    images = IMAGES.clone()
    VIEWS[view](images)
    assert images.equal(IMAGES)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_treats_each_image_and_channel_alone(view: str) -> None:
    whole = VIEWS[view](IMAGES)
    assert whole[1:, 2:].equal(VIEWS[view](IMAGES[1:, 2:]))


@pytest.mark.parametrize("view", D4)
def test_a_view_and_its_inverse_give_the_image_back(view: str) -> None:
    assert VIEWS[INVERSE_OF[view]](VIEWS[view](IMAGES)).equal(IMAGES)


def test_the_eight_are_distinct_and_closed() -> None:
    """Any two of them, one after the other, are one of them: a group."""
    seen = {view: VIEWS[view](IMAGES) for view in D4}
    for one in D4:
        assert [two for two in D4 if seen[two].equal(seen[one])] == [one]
        for two in D4:
            assert any(VIEWS[two](seen[one]).equal(whole) for whole in seen.values())


def test_the_views_do_what_their_names_say() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert VIEWS["hflip"](x).tolist() == [[[[2, 1], [4, 3]]]]
    assert VIEWS["vflip"](x).tolist() == [[[[3, 4], [1, 2]]]]
    assert VIEWS["rot90"](x).tolist() == [[[[2, 4], [1, 3]]]]  # against the clock
    assert VIEWS["transpose"](x).tolist() == [[[[1, 3], [2, 4]]]]


@pytest.mark.parametrize("view", CROPS)
def test_a_crop_of_a_flat_image_is_flat(view: str) -> None:
    torch.testing.assert_close(VIEWS[view](torch.full((1, 3, 16, 16), 0.3)), torch.full((1, 3, 16, 16), 0.3))


def test_the_middle_crop_keeps_the_centre_and_enlarges() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    seen = VIEWS["crop-centre"](ramp)[0, 0, 0]
    assert float(seen.mean()) == pytest.approx(7.5)
    assert float(seen[-2] - seen[1]) == pytest.approx(0.875 * float(14 - 1), abs=1e-5)


def test_the_crops_lie_in_their_corners() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    left, middle, right = (float(VIEWS[f"crop-{place}"](ramp).mean()) for place in ("top-left", "centre", "top-right"))
    assert (left, middle, right) == pytest.approx((6.5, 7.5, 8.5))
    top, bottom = (float(VIEWS[f"crop-{place}"](ramp.mT).mean()) for place in ("top-right", "bottom-right"))
    assert (top, bottom) == pytest.approx((6.5, 8.5))


@pytest.mark.parametrize("views", VIEW_SETS.values(), ids=VIEW_SETS)
def test_a_set_holds_each_view_once_and_the_image_itself(views: tuple[str, ...]) -> None:
    assert views[0] == "identity"
    assert len(set(views)) == len(views)
    assert set(views) <= set(VIEWS)


def test_each_symmetry_that_training_may_use_has_its_views() -> None:
    assert set(VIEWS_OF_SYMMETRY) == set(SYMMETRIES)
    assert set(VIEWS_OF_SYMMETRY.values()) <= set(VIEW_SETS)
