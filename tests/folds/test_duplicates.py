import itertools

import cv2
import numpy as np
import pandas as pd
import pytest

from competition.cache import fit_square
from folds import duplicates
from folds.copies import SIDE, SLOW, SMALL, crop_search, cut, likeness, refined, turned, without_slow
from folds.duplicates import LEAST, _hardly_different, components, find_pairs
from folds.exact import same_pairs
from folds.neighbours import BRUTE, flat, nearest, shrunk, views_of
from tests.folds.planted import CHANGES, KINDS, Picture

COPIES = 4  # of each change in each kind


def thumb(picture: Picture) -> np.ndarray:
    return fit_square(np.ascontiguousarray(picture), SIDE, 1, "bilinear")[..., 0]


def planted(kind: str) -> tuple[np.ndarray, list[tuple[int, int, str]]]:
    """Thumbnails of the kind's pictures and of copies, and which is a copy of which."""
    generator = np.random.default_rng(1)
    pictures = KINDS[kind]()
    originals, pairs = len(pictures), []
    for name, change in CHANGES.items():
        for place in generator.permutation(originals)[:COPIES]:
            pairs.append((int(place), len(pictures), name))
            pictures.append(change(pictures[place]))
    return np.stack([thumb(picture) for picture in pictures]), pairs


def test_planted_copies_are_found_and_look_alikes_are_not() -> None:
    found_of: dict[str, list[bool]] = {name: [] for name in CHANGES}
    right = wrong = 0
    for kind in KINDS:
        thumbs, pairs = planted(kind)
        original = dict.fromkeys(range(len(thumbs)))
        origin = {**{place: place for place in original}, **{copy: place for place, copy, _ in pairs}}
        found = {(int(a), int(b)) for a, b in find_pairs(thumbs)[["a", "b"]].to_numpy()}
        true = {pair for pair in found if origin[pair[0]] == origin[pair[1]]}
        assert len(true) >= 0.9 * len(found), f"{kind}: {len(found - true)} of {len(found)} are no copies"
        right, wrong = right + len(true), wrong + len(found - true)
        for place, copy, name in pairs:
            found_of[name].append((place, copy) in found)
    assert right >= 0.97 * (right + wrong)
    assert all(all(found_of[name]) for name in ("none", "mirrored", "a quarter turn", "turned and mirrored"))
    assert np.mean(list(itertools.chain(*found_of.values()))) > 0.93, {name: np.mean(found) for name, found in found_of.items()}


def test_the_view_says_how_one_becomes_the_other() -> None:
    pictures = [thumb(picture) for picture in KINDS["photographs"]()[:20]]
    for view in range(8):
        pairs = find_pairs(np.stack([*pictures, turned(pictures[3], view)]))
        (pair,) = pairs[(pairs["a"] == 3) & (pairs["b"] == 20)].to_dict("records")
        np.testing.assert_array_equal(turned(pictures[3], pair["view"]), turned(pictures[3], view))
        assert pair["probability"] > LEAST


def test_the_order_of_images_does_not_matter() -> None:
    thumbs, _ = planted("photographs of 32 px")
    order = np.random.default_rng(0).permutation(len(thumbs))
    straight = {frozenset(pair) for pair in find_pairs(thumbs)[["a", "b"]].to_numpy().tolist()}
    shuffled = {frozenset(order[pair].tolist()) for pair in find_pairs(thumbs[order])[["a", "b"]].to_numpy(int)}
    assert len(straight ^ shuffled) <= 0.02 * len(straight)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_images(count: int) -> None:
    thumbs = np.stack([thumb(picture) for picture in KINDS["photographs"]()[:3]])[:count]
    assert find_pairs(thumbs).empty
    doubled = [thumb.tobytes() for thumb in np.repeat(thumbs, 2, axis=0)]
    assert same_pairs(doubled)[["a", "b"]].to_numpy().tolist() == [[2 * n, 2 * n + 1] for n in range(count)]


def test_signs_on_plain_ground_are_no_copies_because_the_ground_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caption may hide of a photograph is all that a sign shows."""
    generator, signs = np.random.default_rng(5), []
    for _ in range(120):
        sign, letters = np.full((128, 128), 255, np.uint8), "".join(generator.choice(list("ABCDEFGHJKLMNPQRSTUVWXYZ"), 2))
        place = (int(generator.integers(2, 60)), int(generator.integers(40, 124)))
        cv2.putText(sign, letters, place, cv2.FONT_HERSHEY_SIMPLEX, 1.3, 0, 2, cv2.LINE_AA)
        signs.append(cv2.resize(sign, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    found = len(_hardly_different(np.stack(signs)))
    monkeypatch.setattr(duplicates, "OF_PICTURE", np.inf)
    assert 3 * found < len(_hardly_different(np.stack(signs)))


def test_images_without_anything_in_them_are_no_trouble() -> None:
    blank = np.full((5, SIDE, SIDE), 7, np.uint8)
    assert set(find_pairs(blank).columns) == {"a", "b", "view", "probability"}


def test_connected_pairs_are_one_group() -> None:
    pairs = pd.DataFrame({"a": [0, 1, 4], "b": [1, 3, 5]})
    labels = components(7, pairs)
    assert [frozenset(np.flatnonzero(labels == label).tolist()) for label in dict.fromkeys(labels)] == [{0, 1, 3}, {2}, {4, 5}, {6}]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_crop_is_found_where_it_was_cut(swapped: bool) -> None:
    picture = KINDS["photographs"]()[5]
    thumbs = np.stack([thumb(picture), thumb(picture[6:, :90])])[:: -1 if swapped else 1]
    small = np.stack([without_slow(one, SLOW) for one in shrunk(thumbs, SMALL)])
    found, *window, inside_other = crop_search(small[0], small[1])
    assert found > 0.9
    assert inside_other == swapped
    outer, inner = (thumbs[1:], thumbs[:1]) if swapped else (thumbs[:1], thumbs[1:])
    windows, alike = refined(small[1:] if swapped else small[:1], small[:1] if swapped else small[1:], np.array([window]))
    np.testing.assert_allclose(windows[0], [90 / 96, -3 / 96, 3 / 96], atol=0.01)
    assert alike[0] > 0.9
    laid, as_they_are = likeness(cut(outer, windows), inner)[0], likeness(outer, inner)[0]
    assert laid.min() > 0.8
    assert (laid > as_they_are).all()


def test_a_copy_that_lost_its_detail_is_still_like_the_sharp_one() -> None:
    sharp = np.stack([thumb(picture) for picture in KINDS["photographs"]()[:10]])
    tiny = [cv2.resize(one, (20, 20), interpolation=cv2.INTER_AREA) for one in sharp]
    coarse = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for one in tiny])
    plain = [
        np.corrcoef(without_slow(one, 8.0).ravel(), without_slow(other, 8.0).ravel())[0, 1]
        for one, other in zip(sharp, coarse, strict=True)
    ]
    whole = likeness(sharp, coarse)[:, 0]
    assert (whole > plain).all()
    assert np.median(1 - whole) < 0.7 * np.median(1 - np.array(plain))
    assert likeness(sharp, np.roll(coarse, 1, axis=0))[:, 0].max() < whole.min()


def test_views_are_the_eight_of_a_square() -> None:
    picture = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    assert len({view.tobytes() for view in views_of(picture)}) == 8
    for view in range(8):
        np.testing.assert_array_equal(views_of(picture)[view, 0], turned(picture[0], view))


def test_many_images_are_searched_by_clusters_with_little_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1,500 random pictures and a noisy copy of each, nearly every copy is the nearest neighbour, as when all are compared with all."""
    generator = np.random.default_rng(0)
    smooth = [cv2.GaussianBlur(generator.normal(0, 1, (SIDE, SIDE)), (0, 0), 4) for _ in range(1500)]
    base = np.stack([cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8) for one in smooth])  # type: ignore[call-overload]
    noisy = np.clip(base + generator.normal(0, 6, base.shape), 0, 255).astype(np.uint8)
    images = shrunk(flat(np.concatenate([base, noisy]), 16.0), 16)
    assert len(images) < BRUTE
    monkeypatch.setattr("folds.neighbours.BRUTE", 100)
    places, views, _ = nearest(images, 3)
    assert (places[:1500, 0] == np.arange(1500, 3000)).mean() > 0.97
    assert (views[:1500, 0] == 0).mean() > 0.97
