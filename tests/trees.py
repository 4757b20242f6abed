"""Small competitions as files, as Kaggle gives them: a few pictures whose colour tells the answer, which ANSWERS holds."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

TRAIN, TEST, SIDE_PX = 80, 16, 16
ANSWERS = "answers.csv"  # beside the competition, not in it


def picture(hue: float, name: str) -> bytes:
    """A PNG of one hue (0 to 1) with a little noise, its own by its name."""
    noise = np.random.default_rng([int(hue * 1000), *name.encode()]).integers(-20, 20, (SIDE_PX, SIDE_PX, 3))
    colour = cv2.cvtColor(np.uint8([[[hue * 150, 200, 180]]]), cv2.COLOR_HSV2BGR)  # type: ignore[call-overload]
    return cv2.imencode(".png", np.clip(colour + noise, 0, 255).astype(np.uint8))[1].tobytes()


def table(header: str, rows: Iterable[str]) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def pictures(folder: str, names: Iterable[str], hues: Iterable[float]) -> dict[str, bytes]:
    return {f"{folder}/{name}.png": picture(hue, name) for name, hue in zip(names, hues, strict=True)}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def ids(count: int, letter: str) -> list[str]:
    return [f"{letter}{number:04d}" for number in range(count)]


def whales() -> dict[str, bytes]:
    """Half of the whales have one picture, the others are called new_whale; five names a row are asked for."""
    whale = ["new_whale" if number % 2 else f"w_{number // 2}" for number in range(TRAIN)]
    seen = [2 * number + number % 2 for number in range(TEST)]
    return {
        **pictures("train", ids(TRAIN, "a"), (number % 2 / 2 + number / TRAIN / 4 for number in range(TRAIN))),
        **pictures("test", ids(TEST, "b"), (number % 2 / 2 + number / TRAIN / 4 for number in seen)),
        "train.csv": table("Image,Id", (f"{name}.png,{who}" for name, who in zip(ids(TRAIN, "a"), whale, strict=True))),
        "sample_submission.csv": table("Image,Id", (f"{name}.png,w_1 w_2 w_3 w_7 w_9" for name in ids(TEST, "b"))),
        ANSWERS: table("Image,Id", (f"{name}.png,{whale[number]}" for name, number in zip(ids(TEST, "b"), seen, strict=True))),
    }


def folders() -> dict[str, bytes]:
    """Folders are the classes, with spaces in their names."""
    species = ["Fat Hen", "Sugar beet", "Common Chickweed", "Maize"]
    train = {f"train/{species[number % 4]}/{name}.png": picture(number % 4 / 4, name) for number, name in enumerate(ids(TRAIN, "a"))}
    test = pictures("test", ids(TEST, "b"), (number % 4 / 4 for number in range(TEST)))
    sample = table("file,species", (f"{name}.png,Maize" for name in ids(TEST, "b")))
    answers = table("file,species", (f"{name}.png,{species[number % 4]}" for number, name in enumerate(ids(TEST, "b"))))
    return train | test | {"sample_submission.csv": sample, ANSWERS: answers}


def tags() -> dict[str, bytes]:
    """Lists of numbers, in any order."""
    lists = ["448 12", "7 448", "3101", "12 7 448"]
    return {
        **pictures("train", ids(TRAIN, "a"), (number % 4 / 4 for number in range(TRAIN))),
        **pictures("test", ids(TEST, "b"), (number % 4 / 4 for number in range(TEST))),
        "train.csv": table("id,attribute_ids", (f"{name},{lists[number % 4]}" for number, name in enumerate(ids(TRAIN, "a")))),
        "sample_submission.csv": table("id,attribute_ids", (f"{name},0 1 2" for name in ids(TEST, "b"))),
        ANSWERS: table("id,attribute_ids", (f"{name},{lists[number % 4]}" for number, name in enumerate(ids(TEST, "b")))),
    }


def scores() -> dict[str, bytes]:
    """A number from 1 to 100, and columns about the picture."""
    return {
        **pictures("train", ids(TRAIN, "a"), (number / TRAIN for number in range(TRAIN))),
        **pictures("test", ids(TEST, "b"), (number / TEST for number in range(TEST))),
        "train.csv": table(
            "Id,Blur,Pawpularity", (f"{name},{n % 2},{1 + n * 99 // (TRAIN - 1)}" for n, name in enumerate(ids(TRAIN, "a")))
        ),
        "test.csv": table("Id,Blur", (f"{name},1" for name in ids(TEST, "b"))),
        "sample_submission.csv": table("Id,Pawpularity", (f"{name},{90 - 5 * n}.5" for n, name in enumerate(ids(TEST, "b")))),
        ANSWERS: table("Id,Pawpularity", (f"{name},{1 + n * 99 // TEST}" for n, name in enumerate(ids(TEST, "b")))),
    }


def grades() -> dict[str, bytes]:
    """Grades 0 to 3 of a disease."""
    return {
        **pictures("train", ids(TRAIN, "a"), (number % 4 / 5 for number in range(TRAIN))),
        **pictures("test", ids(TEST, "b"), (number % 4 / 5 for number in range(TEST))),
        "train.csv": table("id_code,severity", (f"{name},{number % 4}" for number, name in enumerate(ids(TRAIN, "a")))),
        "sample_submission.csv": table("id_code,severity", (f"{name},0" for name in ids(TEST, "b"))),
        ANSWERS: table("id_code,severity", (f"{name},{number % 4}" for number, name in enumerate(ids(TEST, "b")))),
    }


def archives() -> dict[str, bytes]:
    """Pictures in zips; ids are numbers with leading zeros, the sample is in another order and constant."""
    train = {f"{name}.png": picture(number % 2 / 2, name) for number, name in enumerate(ids(TRAIN, ""))}
    test = {f"{name}.png": picture(number % 2 / 2, name) for number, name in enumerate(ids(TEST, "9"))}
    return {
        "train.zip": zipped(train),
        "test.zip": zipped(test),
        "train.csv": table("id,has_cactus", (f"{name},{number % 2}" for number, name in enumerate(train))),
        "sample_submission.csv": table("id,has_cactus", (f"{name},0.5" for name in reversed(test))),
        ANSWERS: table("id,has_cactus", (f"{name},{number % 2}" for number, name in enumerate(test))),
    }


def breeds() -> dict[str, bytes]:
    """A column of probabilities for each class; one of them has a single picture."""
    names = ["akita", "basenji", "collie", "dhole"]
    breed = ["dhole" if number == 0 else names[number % 3] for number in range(TRAIN)]
    one_hot = ("1,0,0,0", "0,1,0,0", "0,0,1,0")
    return {
        **pictures("train", ids(TRAIN, "a"), (names.index(name) / 4 for name in breed)),
        **pictures("test", ids(TEST, "b"), (number % 3 / 4 for number in range(TEST))),
        "labels.csv": table("id,breed", (f"{name},{cell}" for name, cell in zip(ids(TRAIN, "a"), breed, strict=True))),
        "sample_submission.csv": table("id,akita,basenji,collie,dhole", (f"{name},0.25,0.25,0.25,0.25" for name in ids(TEST, "b"))),
        ANSWERS: table("id,akita,basenji,collie,dhole", (f"{name},{one_hot[n % 3]}" for n, name in enumerate(ids(TEST, "b")))),
    }


def bands() -> dict[str, bytes]:
    """Arrays of six channels in a zip; one of the channels tells the answer. Two label columns of numbers."""
    generator = np.random.default_rng(0)

    def array(one: float, other: float) -> bytes:
        pixels = generator.integers(0, 40, (SIDE_PX, SIDE_PX, 6), dtype=np.uint8)
        pixels[..., 4] += np.uint8(2 * one)
        pixels[..., 5] += np.uint8(2 * other)
        return npy(pixels)

    train, test = generator.uniform(1, 100, (TRAIN, 2)).round(1), generator.uniform(1, 100, (TEST, 2)).round(1)
    files = {f"train/{name}.npy": array(*row) for name, row in zip(ids(TRAIN, "a"), train, strict=True)}
    files |= {f"test/{name}.npy": array(*row) for name, row in zip(ids(TEST, "b"), test, strict=True)}
    return {
        "data.zip": zipped(files),
        "train.csv": table("id,water,soil", (f"{name},{a},{b}" for name, (a, b) in zip(ids(TRAIN, "a"), train, strict=True))),
        "sample_submission.csv": table("id,water,soil", (f"{name},50.5,50.5" for name in ids(TEST, "b"))),
        ANSWERS: table("id,water,soil", (f"{name},{a},{b}" for name, (a, b) in zip(ids(TEST, "b"), test, strict=True))),
    }


def stacks() -> dict[str, bytes]:
    """All pictures in one array of fractions, channels first; their classes in another, as words. Rows are answered for from 0."""

    def seen(names: list[str]) -> np.ndarray:
        files = [np.frombuffer(picture(number % 3 / 3, name), np.uint8) for number, name in enumerate(names)]
        pixels = np.stack([np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)) for file in files])
        return pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255

    names = ["rye", "oat", "corn"]
    return {
        "X_train.npy": npy(seen(ids(TRAIN, "a"))),
        "y_train.npy": npy(np.array([names[number % 3] for number in range(TRAIN)])),
        "X_test.npy": npy(seen(ids(TEST, "b"))),
        "sample_submission.csv": table("Id,Category", (f"{number},rye" for number in range(TEST))),
        ANSWERS: table("Id,Category", (f"{number},{names[number % 3]}" for number in range(TEST))),
    }


def write_tree(root: Path, name: str) -> Path:
    """The competition's directory, root/NAME; the answers lie beside it."""
    for path, data in TREES[name]().items():
        place = root / path if path == ANSWERS else root / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return root / name


TREES: dict[str, Callable[[], dict[str, bytes]]] = {
    "whales": whales,
    "folders": folders,
    "tags": tags,
    "scores": scores,
    "grades": grades,
    "archives": archives,
    "breeds": breeds,
    "bands": bands,
    "stacks": stacks,
}
