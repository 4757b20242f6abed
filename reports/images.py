"""Images with what is said of them: samples, the most confident mistakes, the least certain, denied labels, duplicates."""

import numpy as np

from competition.metrics import THRESHOLD, decide
from reports.blocks import Block, Lines, Photo, Photos
from reports.evidence import SHOWN_PAIRS, SHOWN_SUSPECTS, Evidence
from reports.pictures import enlarged, jpeg_uri, with_heat

MOST_NAMED = 4  # labels of a row
HEATED = "Beside an image stands its Grad-CAM, where its fold has one: bright is what spoke for the predicted class."


def samples(evidence: Evidence) -> list[Block]:
    """Some of every class."""
    return _photos(evidence, "Held-out images of every class, and what was predicted", "samples")


def mistakes(evidence: Evidence) -> list[Block]:
    """The most confident mistakes first; of numbers the largest errors."""
    number = evidence.contest.task.kind == "regression"
    return _photos(evidence, "The largest errors" if number else "Wrong, the most confident first", "mistakes")


def uncertain(evidence: Evidence) -> list[Block]:
    """The least certain first."""
    return _photos(evidence, "The least certain first", "uncertain")


def suspects(evidence: Evidence) -> list[Block]:
    """Labels that the predictions deny."""
    found = evidence.suspects
    if found.empty:
        return []
    verb = f"python -m folds suspects {evidence.run.directory}"
    told = [f"{len(found):,} of {len(evidence.ids):,} labels are denied by the out-of-fold predictions: {verb}"]
    shown = found.head(SHOWN_SUSPECTS).astype(str)
    photos = [
        photo
        for name, given, label in zip(shown["id"], shown["given"], shown["label"], strict=True)
        if (photo := _photo(evidence, "train", name, (f"is {given or 'nothing'}", f"or {label or 'nothing'}?")))
    ]
    return [Lines(told), *([Photos("The most denied labels", photos)] if photos else [])]


def duplicates(evidence: Evidence) -> list[Block]:
    """Pairs that the audit found, and how many groups lie in more than one fold of this run."""
    pairs = evidence.duplicates
    if pairs.empty:
        return []
    sides = [f"{one} and {other}" if one != other else f"within {one}" for one, other in zip(pairs["part_a"], pairs["part_b"], strict=True)]
    told = [f"{sides.count(side):,} pairs {side}" for side in dict.fromkeys(sides)]
    if len(groups := evidence.group_of):
        told.append(f"{groups.nunique():,} groups of {len(groups):,} training images, which folds keep together from the audit on")
    within = pairs[(pairs["part_a"] == "train") & (pairs["part_b"] == "train")]
    fold_of = evidence.run.fold_of()
    known = within[within["id_a"].isin(fold_of.index) & within["id_b"].isin(fold_of.index)]
    apart = int((fold_of.loc[known["id_a"]].to_numpy() != fold_of.loc[known["id_b"]].to_numpy()).sum())
    told.append(f"{apart:,} of these pairs lie in two folds of this run" + (", which flatters its score" if apart else ""))
    photos = []
    for pair in pairs.head(SHOWN_PAIRS).to_dict("records"):
        one, other = (evidence.key_of[pair[f"part_{side}"]].get(pair[f"id_{side}"]) for side in ("a", "b"))
        seen = [evidence.pictures.of.get(str(key)) for key in (one, other)]
        if seen[0] is not None and seen[1] is not None:
            lines = (f"{pair['part_a']} {pair['id_a']}", f"{pair['part_b']} {pair['id_b']}", str(pair["kind"]))
            photos.append(Photo(jpeg_uri(seen[0]), lines[0], lines, jpeg_uri(seen[1]), lines[1]))
    return [Lines(told), *([Photos("The likeliest pairs", photos)] if photos else [])]


def _photos(evidence: Evidence, caption: str, which: str) -> list[Block]:
    rows = evidence.notable[which]
    if not len(rows):
        return []
    if evidence.pictures.fault:
        return [Lines([evidence.pictures.fault])]
    photos = [photo for row in rows if (photo := _photo(evidence, "train", str(evidence.ids[row]), _told(evidence, int(row))))]
    heated = any(photo.beside for photo in photos)
    return [Photos(caption, photos, HEATED if heated else "")]


def _photo(evidence: Evidence, part: str, name: str, lines: tuple[str, ...]) -> Photo | None:
    """The image with its heat map where a fold has one; None where it cannot be had."""
    alt = f"{name}: {', '.join(lines)}"
    heat = next((exhibits.heat_of[name] for exhibits in evidence.exhibits.values() if name in exhibits.heat_of), None)
    if heat is not None:
        seen = enlarged(heat[0])
        return Photo(jpeg_uri(seen), alt, (*lines, name), jpeg_uri(with_heat(seen, heat[1])), f"where the network looked in {name}")
    image = evidence.pictures.of.get(str(evidence.key_of[part].get(name)))
    return None if image is None else Photo(jpeg_uri(image), alt, (*lines, name))


def _told(evidence: Evidence, row: int) -> tuple[str, str]:
    """What the row is, and what was predicted."""
    task, truth, probs = evidence.contest.task, evidence.truth[row], evidence.probs[row]
    if task.kind == "regression":
        return f"is {_numbers(truth)}", f"predicted {_numbers(probs)}"
    if task.one_of_many:
        true, chosen = int(truth.argmax()), int(probs.argmax())
        rest = "" if chosen == true else f", {task.classes[true]} {probs[true]:.2f}"
        return f"is {task.classes[true]}", f"predicted {task.classes[chosen]} {probs[chosen]:.2f}{rest}"
    chosen = decide(probs[None], task)[0]
    wanted = np.flatnonzero(truth > THRESHOLD)
    given = [f"{task.classes[place]} {probs[place]:.2f}" for place in np.flatnonzero(chosen)]
    missed = [f"{task.classes[place]} {probs[place]:.2f}" for place in wanted if not chosen[place]]
    return f"is {_few([task.classes[place] for place in wanted])}", f"predicted {_few(given)}" + (
        f"; missed {_few(missed)}" if missed else ""
    )


def _few(names: list[str]) -> str:
    return (", ".join(names[:MOST_NAMED]) or "nothing") + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _numbers(values: np.ndarray) -> str:
    return _few([f"{value:.4g}" for value in values])
