"""No pickle is ever loaded: whatever file is replaced by one, an error or a file made anew is what comes of it, and no mark is made."""

import contextlib
import io
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import EpsImagePlugin, Image

from competition.atomic import read_array, write_array
from competition.cache import pixels
from competition.config import CompetitionConfig, FoldsConfig
from competition.damage import look_for_damage
from competition.errors import CompetitionError, InputError
from competition.files import Files
from competition.images import FileImages
from competition.load import load
from competition.names import IMAGE_SUFFIXES
from competition.settings import train_config
from competition.symmetry import symmetry_of
from folds.audit import _cameras
from folds.errors import FoldError
from folds.run import read_run, read_table
from folds.split import assign_folds
from models.augment import pipeline
from models.backbones import build, input_spec
from models.checkpoint import Checkpoint, load_state, save
from models.checkpoint import load as load_checkpoint
from models.device import accelerator_for
from models.errors import ModelError
from models.fit import fit
from models.heads import Head
from models.job import Stopped
from reports.exhibits import read_exhibits
from reports.report import write_report
from submissions.format import submission_frame
from submissions.write import Origin, write
from tests.builders import make_competition, make_table
from tests.layouts import CYCLE, put, usual
from tests.models.examples import job_of
from tests.reports.made import made_competition, made_run
from tests.security.hostile import PICKLES, Mark, pickles, read_safely

TREES: dict[str, Any] = {
    "null": None,
    "number": 5,
    "text": "x",
    "list": [1, [2]],
    "records": [{}, {"a": {}}],
    "empty": {},
    "deep": "[" * 100_000,
    "long number": "1" * 10_000,
    "not finite": "NaN",
    "halves of letters": '{"\\ud800": "\\udfff"}',
    "no utf-8": b"\xff\xfe\xfa",
}


def as_json(tree: Any) -> bytes:
    return tree if isinstance(tree, bytes) else (tree if isinstance(tree, str) and len(tree) > 1 else json.dumps(tree)).encode()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoint")
    spec, task = input_spec("small/resnet9-8", 16, 3), make_competition().task
    described = Checkpoint("small/resnet9-8", task, spec, Head("softmax"), "last", "none", {"model": {"column_units": 0}}, {})
    save(directory, build("small/resnet9-8", 3, spec), described)
    return directory


@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "state"])
def test_a_checkpoint(name: str, kind: str, checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "fold0")
    (tmp_path / "fold0" / name).write_bytes(pickles(tmp_path / "mark")[kind])
    with pytest.raises(ModelError):
        load_state(tmp_path / "fold0" / "state") if name == "state" else load_checkpoint(tmp_path / "fold0")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pkl", ".npz", ".pth.tar", ""])
@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize("backbone", ["small/resnet9-8", "timm/test_resnet", "torchvision/shufflenet_v2_x0_5"])
def test_weights_that_a_user_names(backbone: str, kind: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{ending}"
    path.write_bytes(pickles(tmp_path / "mark")[kind])
    with pytest.raises(ModelError):
        build(backbone, 3, input_spec(backbone, 64, 3), weights=str(path))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", ["pickle", "torch", "torch of old"])
def test_pretrained_weights_in_a_cache_of_others(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's come as a torch file, and one that lies in the cache already is not checked by its hash."""
    from torchvision.models import get_model_weights

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    address = str(get_model_weights("shufflenet_v2_x0_5")["DEFAULT"].url)
    put(tmp_path, {f"checkpoints/{address.rsplit('/', 1)[-1]}": pickles(tmp_path / "mark")[kind]})
    with pytest.raises(ModelError, match="what lies in torch's cache is no file of weights"):
        build("torchvision/shufflenet_v2_x0_5", 3, input_spec("torchvision/shufflenet_v2_x0_5", 64, 3), weights="pretrained")
    assert not (tmp_path / "mark").exists()


DESCRIPTION = ("backbone", "task", "spec", "head", "config", "versions", "columns", "weights_kept", "symmetry", "format")


@pytest.mark.parametrize("tree", TREES)
def test_a_description_of_odd_types_is_an_error(tree: str, checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "fold0")
    place = tmp_path / "fold0" / "model.json"
    facts = json.loads(place.read_text())
    place.write_bytes(as_json(TREES[tree]))
    with pytest.raises(ModelError):
        load_checkpoint(tmp_path / "fold0")
    odd = TREES[tree]
    for key in DESCRIPTION if not isinstance(odd, str | bytes) else ():
        for inner in [None, *(facts[key] if isinstance(facts.get(key), dict) else [])]:
            told = {**facts, key: odd if inner is None else {**facts[key], inner: odd}}
            place.write_text(json.dumps(told))
            try:
                load_checkpoint(tmp_path / "fold0")
            except InputError:
                continue


BACKBONES = [
    "../../evil",
    "timm/../x",
    "timm/hf-hub:someone/evil",
    "hf-hub:someone/evil",
    "timm/local-dir:/tmp/x",
    "small/__class__",
    "x/y",
    "",
]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_of_a_hub_or_a_directory_is_unknown(backbone: str, checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "fold0")
    place = tmp_path / "fold0" / "model.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "backbone": backbone}))
    with pytest.raises(InputError, match="unknown"):
        load_checkpoint(tmp_path / "fold0")


@pytest.mark.parametrize("kind", [*PICKLES, "empty", "another shape", "another type", "a huge shape"])
@pytest.mark.parametrize("cache", ["pixels", "folds", "symmetry"])
def test_a_cache_is_made_anew(cache: str, kind: str, tmp_path: Path) -> None:
    """And what comes of it is what came before."""
    contest = make_competition("multiclass", train_rows=60)

    def made() -> np.ndarray:
        seen = pixels(contest.images, contest.train, 8, 3, "bilinear", tmp_path / "cache")
        if cache == "pixels":
            return np.asarray(seen)
        if cache == "folds":
            return assign_folds(contest, FoldsConfig(count=3), tmp_path / "cache").to_numpy()
        return np.array(symmetry_of(seen, contest.task.strata(contest.truth), tmp_path / "cache").why)

    before = made().copy()
    (path,) = (tmp_path / "cache").glob({"pixels": "*px-*.npy", "folds": "folds-*.npy", "symmetry": "symmetry-*.json"}[cache])
    changed = {"empty": b"", **pickles(tmp_path / "mark")}
    if kind in changed:
        path.unlink()
        path.write_bytes(changed[kind])
    elif kind == "another shape":
        write_array(path, np.zeros(3, np.uint8 if cache == "pixels" else np.int64))
    elif kind == "another type":
        write_array(path, np.zeros(before.shape, np.float64))
    else:
        with path.open("wb") as file:
            told = {"descr": "|u1" if cache == "pixels" else "<i8", "fortran_order": False, "shape": (2**40, 8, 8, 3)}
            np.lib.format.write_array_header_1_0(file, told)
    assert (made() == before).all()
    assert (made() == before).all()
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", PICKLES)
def test_a_kept_array(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(pickles(tmp_path / "mark")[kind])
    for mapped in (False, True):
        assert read_array(tmp_path / "a.npy", (-1,), np.float32, mapped) is None
        assert read_array(tmp_path / "a.npy", (1,), np.object_, mapped) is None
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", PICKLES)
def test_the_files_of_a_run(kind: str, tmp_path: Path) -> None:
    contest = made_competition("binary", rows=24)
    run = made_run(tmp_path / "runs", contest)
    content = pickles(tmp_path / "mark")[kind]
    for name in ("fold0/exhibits.npz", "fold0/oof.parquet", "config.toml"):
        place = run.directory / name
        before = place.read_bytes()
        place.write_bytes(content)
        with contextlib.suppress(InputError):  # a zip of other names is a file without exhibits
            read_exhibits(run.directory / "fold0" / "exhibits.npz")
            read_run(run.directory)
            write_report(run, contest)
            assert (name, kind) in [("fold0/exhibits.npz", "torch"), ("fold0/exhibits.npz", "zip")]
        place.write_bytes(before)
    assert not (tmp_path / "mark").exists()


def test_a_parquet_with_an_extension_type_of_python(tmp_path: Path) -> None:
    """Of which older versions of pyarrow loaded a pickle."""
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Mark(tmp_path / "mark")),
    }
    fields = [pa.field("id", pa.string(), metadata=metadata), pa.field("a", pa.float32(), metadata=metadata)]
    table = pa.table(
        [["x"], pa.array([1.0], pa.float32())], schema=pa.schema(fields, metadata={b"pandas": pickle.dumps(Mark(tmp_path / "mark"))})
    )
    parquet.write_table(table, tmp_path / "oof.parquet")
    with contextlib.suppress(FoldError):
        read_table(tmp_path / "oof.parquet")
    tree = {**usual(CYCLE, CYCLE[:4]), "more.parquet": (tmp_path / "oof.parquet").read_bytes()}
    load(CompetitionConfig(source=str(put(tmp_path / "data", tree))))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("ending", [".png", ".jpg", ".npy", ".tif", ".dcm", ".webp", ".gif", ".bmp", ".jp2"])
@pytest.mark.parametrize("kind", PICKLES)
def test_an_image(kind: str, ending: str, tmp_path: Path) -> None:
    from competition.decode import decode, shape_of

    content = pickles(tmp_path / "mark")[kind]
    with pytest.raises(CompetitionError):
        decode(content, f"a{ending}")
    shape_of(content[:100])
    assert not (tmp_path / "mark").exists()


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
newpath
%%EOF
"""


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mark that a Ghostscript on the PATH leaves once it is started."""
    mark, program = tmp_path / "mark", tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # it is looked for once
    return mark


@pytest.mark.parametrize("ending", IMAGE_SUFFIXES)
def test_a_postscript_file_that_is_called_an_image_starts_no_ghostscript(ending: str, ghostscript: Path, tmp_path: Path) -> None:
    key = f"a{ending}"
    images = FileImages(Files(put(tmp_path / "data", {key: EPS})))
    for look in (images.read, images.shape):
        with pytest.raises(CompetitionError, match="this is no image"):
            look(key)
    assert look_for_damage(images, [key]).damaged == [f"image {key!r}: this is no image"]
    assert not _cameras(images, pd.Series([key])).any()
    assert not ghostscript.exists()


def test_the_ghostscript_would_leave_its_mark(ghostscript: Path) -> None:
    with contextlib.suppress(OSError):
        Image.open(io.BytesIO(EPS)).load()
    assert ghostscript.exists()


TABLES = [
    "train.csv",
    "train.csv.gz",
    "train.tsv",
    "train.txt",
    "train.json",
    "train.jsonl",
    "train.parquet",
    "train.pkl",
    "train.zip",
    "train.7z",
    "train.tar",
]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", PICKLES)
def test_a_table_or_an_archive(kind: str, name: str, tmp_path: Path) -> None:
    tree = usual(CYCLE, CYCLE[:4])
    del tree["train.csv"]
    with pytest.raises(CompetitionError):
        load(CompetitionConfig(source=str(put(tmp_path / "data", {**tree, name: pickles(tmp_path / "mark")[kind]}))))
    assert not (tmp_path / "mark").exists()


ODD = {
    "a huge field": b'id,label\n"' + b"x" * 200_000 + b'",a\nb,c\n',
    "a huge field without quotes": b"id,label\n" + b"x" * 200_000 + b",a\n",
    "two thousand columns": b",".join([b"c"] * 2_000) + b"\n",
    "an open quote": b'id,label\n"a,b\nc,d\n',
    "NUL": b"id,label\na\0b,c\n\0\0\0\n",
    "NUL alone": b"\0" * 5000,
    "half of UTF-16": b"\xff\xfei\0d\0,\0l\0\n\0a\0,\0b",
    "no UTF-8": bytes(range(256)) * 30,
    "formulas": b"id,label\n=cmd|' /C calc'!A0,@SUM(1)\n+1,-1\n",
    "carriage returns": b"id,label\ra,b\rc,d\r",
    "nothing but line ends": b"\n" * 1000,
    "nothing but commas": b",,,,\n" * 100,
    "deep JSON": b"[" * 100_000,
    "a number of ten thousand digits": b"[" + b"1" * 10_000 + b"]",
    "odd records": b'[{"id": {}, "label": [null, {}]}, {}, {"id": NaN}]',
    "odd columns": b'{"id": [1, null], "label": {"0": {}}}',
    "odd coco": b'{"images": [{"id": []}], "annotations": [{"image_id": {}}]}',
    "halves of letters": b'[{"id": "\\ud800", "label": "\\udfff"}]',
}


@pytest.mark.parametrize(
    "name", ["train.csv", "train.csv.gz", "train.tsv", "train.txt", "train.json", "train.jsonl", "more.csv", "more.json"]
)
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_table_is_an_error_or_none(kind: str, name: str, tmp_path: Path) -> None:
    import gzip

    content = gzip.compress(ODD[kind]) if name.endswith(".gz") else ODD[kind]
    tree = usual(CYCLE, CYCLE[:4])
    if name.startswith("train"):
        del tree["train.csv"]
    try:
        load(CompetitionConfig(source=str(put(tmp_path / "data", {**tree, name: content}))))
    except CompetitionError:
        assert name.startswith("train")


RECIPES = {
    "a pickle": None,
    "code": "name = \"__import__('os').system('touch mark')\"",
    "a step": "[augment]\nextra = [\"__import__('pathlib').Path('mark').touch()\"]",
    "a lambda": "[augment]\nextra = [\"Lambda(image=lambda x: open('mark', 'w'))\"]",
    "an attribute": '[augment]\nextra = ["__class__.__mro__(p=1)"]',
    "a path of a name": 'name = "../../mark"',
    "an absolute name": 'name = "/tmp/mark"',
    "a deep list": "name = " + "[" * 20_000,
    "odd types": 'name = 5\nseed = "x"\nfolds = []\n[model]\nbackbone = {}\n',
    "a hub": '[model]\nbackbone = "hf-hub:someone/evil"',
}


@pytest.mark.parametrize("kind", RECIPES)
def test_a_recipe(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = RECIPES[kind]
    (tmp_path / "a.toml").write_bytes(pickle.dumps(Mark(tmp_path / "mark")) if content is None else content.encode())

    def used() -> None:
        config = train_config(["--recipe", "a.toml"])
        if config.augment.extra:
            pipeline("light", 32, "none", config.augment.extra)
        else:
            build(config.model.backbone, 2, input_spec(config.model.backbone, 32, 3))

    with pytest.raises((InputError, SystemExit)):
        used()
    assert [path.name for path in tmp_path.rglob("*")] == ["a.toml"]
    assert not (tmp_path.parent.parent / "mark").exists()
    assert not Path("/tmp/mark").exists()  # noqa: S108 - it is where nothing must have been made


@pytest.mark.parametrize("name", ["a.csv", "b.csv"])
def test_a_file_of_groups_or_corrections(name: str, tmp_path: Path) -> None:
    from folds.corrections import corrected

    contest = make_competition("multiclass")
    for kind, content in pickles(tmp_path / "mark").items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            corrected(contest, str(tmp_path / name)) if name == "a.csv" else assign_folds(
                contest, FoldsConfig(groups=str(tmp_path / name), scheme="group")
            )
        assert not (tmp_path / "mark").exists(), kind


def test_what_we_write_holds_no_pickle(tmp_path: Path) -> None:
    """Every file of a run, its state, weights and loggers, cache, page and submission is read by its own format, and none is a pickle."""
    contest = made_competition("multiclass", rows=24)
    run = made_run(tmp_path / "runs", contest)
    run.write_test(make_table(contest), ("identity",))
    write_report(run, contest)
    write(submission_frame(make_table(contest), contest), run.directory.parent / "submission.csv", contest, Origin((run.name,)))
    pixels(contest.images, contest.train, 16, 3, "area", tmp_path / "cache")
    assign_folds(contest, FoldsConfig(), tmp_path / "cache")
    for name, stopped in (("whole", False), ("stopped", True)):
        job = job_of(tmp_path / "fitted" / name)
        with contextlib.suppress(Stopped):
            fit(job, accelerator_for(job.config.machine), lambda stopped=stopped: stopped)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        read_safely(path)
    kinds = {"events" if path.name.startswith("events") else path.suffix for path in files}
    assert kinds >= {".parquet", ".npz", ".npy", ".json", ".toml", ".csv", ".safetensors", ".html", "events"}


@pytest.mark.parametrize("kind", PICKLES)
@pytest.mark.parametrize(
    "name", ["a.npy", "a.npz", "a.parquet", "a.safetensors", "a.json", "a.toml", "a.bin", "a.pt", "events.out.tfevents.1"]
)
def test_a_pickle_among_what_we_write_would_be_noticed(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickles(tmp_path / "mark")[kind])
    with pytest.raises(Exception):  # noqa: B017, PT011
        read_safely(tmp_path / name)
    assert not (tmp_path / "mark").exists()
