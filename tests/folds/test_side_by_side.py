"""How many folds at once, and what each of them is started with. The scripts are small; what they are started by is real."""

from dataclasses import replace
from pathlib import Path

import pytest

from competition.config import Config, MachineConfig
from competition.errors import CompetitionError
from competition.machines import Host, Lanes, shared_out
from competition.settings import write_toml
from folds.run import Run
from folds.side_by_side import LOG, apart, lanes_of, train_side_by_side, why_ended

SMALL = {"model": {"backbone": "small/resnet9-16"}, "data": {"size_px": 32}}
WIDE = {"model": {"backbone": "small/resnet9-16"}, "data": {"size_px": 96}}
LARGE = {"model": {"backbone": "timm/convnext_tiny"}, "data": {"size_px": 64}}
HEAVY = {"model": {"backbone": "timm/convnext_tiny"}, "data": {"size_px": 224}, "optim": {"batch": 32}}  # 4.5e9 bytes a fold
PROBE = {"optim": {"method": "probe"}}
RAY = {"machine": {"engine": "ray"}}
LANES: dict[str, tuple[dict, int, str, list[Host], Lanes]] = {
    "a core a fold": ({}, 5, "cpu", [Host(4)], Lanes(4, 1, elastic=True)),
    "cores that fewer folds share": ({}, 2, "cpu", [Host(4)], Lanes(2, 2, elastic=True)),
    "one fold has all cores": ({}, 1, "cpu", [Host(4)], Lanes(1, 4, elastic=True)),
    "no fold is left": ({}, 0, "cpu", [Host(4)], Lanes(1, 4, elastic=True)),
    "threads that were asked for": ({"machine": {"threads": 2}}, 5, "cpu", [Host(4)], Lanes(2, 2, elastic=True)),
    "more threads than cores": ({"machine": {"threads": 8}}, 5, "cpu", [Host(4)], Lanes(1, 8, elastic=True)),
    "more folds than cores, as asked": ({"machine": {"parallel_folds": 3}}, 5, "cpu", [Host(2)], Lanes(3, 1)),
    "as many as memory holds, on all cores": (HEAVY, 5, "cpu", [Host(4, memory=11e9)], Lanes(2, 2)),
    "half as many again at the end, where it holds them": (HEAVY, 5, "cpu", [Host(2, memory=14e9)], Lanes(2, 1, elastic=True)),
    "one fold, where memory holds none": (HEAVY, 5, "cpu", [Host(4, memory=1e9)], Lanes(1, 4)),
    "more folds than memory holds, as asked": (HEAVY | {"machine": {"parallel_folds": 3}}, 5, "cpu", [Host(4, memory=5e9)], Lanes(3, 1)),
    "memory of the machine is not a GPU's": (HEAVY, 5, "cuda", [Host(8, 2, memory=5e9)], Lanes(2, 4, 2)),
    "a probe looks once": (PROBE, 5, "cpu", [Host(4)], Lanes(1, 4)),
    "a probe on several GPUs, too": (PROBE, 5, "cuda", [Host(16, 4)], Lanes(1, 16, 4)),
    "another device": (SMALL, 5, "mps", [Host(8)], Lanes(1, 8)),
    "a fold a GPU": (LARGE, 5, "cuda", [Host(16, 4)], Lanes(4, 4, 4)),
    "a small fold a GPU": (SMALL, 5, "cuda", [Host(16, 4)], Lanes(4, 4, 4)),
    "more GPUs than folds": (LARGE, 2, "cuda", [Host(16, 4)], Lanes(2, 8, 4)),
    "more GPUs than cores": (LARGE, 5, "cuda", [Host(2, 4)], Lanes(4, 1, 4)),
    "a large network has the GPU": (LARGE, 5, "cuda", [Host(16, 1)], Lanes(1, 16, 1)),
    "so have large images": (WIDE, 5, "cuda", [Host(16, 1)], Lanes(1, 16, 1)),
    "so has what is not settled yet": ({}, 5, "cuda", [Host(16, 1)], Lanes(1, 16, 1)),
    "small networks share a GPU": (SMALL, 5, "cuda", [Host(16, 1)], Lanes(3, 5, 1)),
    "as far as there are cores": (SMALL, 5, "cuda", [Host(4, 1)], Lanes(2, 2, 1)),
    "down to one": (SMALL, 5, "cuda", [Host(1, 1)], Lanes(1, 1, 1)),
    "two a GPU, as asked": (LARGE | {"machine": {"parallel_folds": 4}}, 5, "cuda", [Host(16, 2)], Lanes(4, 4, 2)),
    "a cluster": (RAY, 5, "cpu", [Host(2), Host(3)], Lanes(5, 1)),
    "threads that fit on its machines": (RAY, 3, "cpu", [Host(2), Host(9)], Lanes(3, 3)),
    "GPUs and the cores beside them": (LARGE, 5, "cuda", [Host(64), Host(8, 1), Host(16, 1)], Lanes(2, 8, 2)),
}


@pytest.mark.parametrize("case", LANES)
def test_how_many_folds_at_once(case: str) -> None:
    settings, folds, device, hosts, lanes = LANES[case]
    assert lanes_of(Config.model_validate(settings), folds, device, hosts) == lanes


CORES = [(folds, cores, elastic) for folds in range(1, 11) for cores in range(1, 7) for elastic in (False, True)]


def all_at_work(lanes: Lanes, folds: int) -> list[float]:
    """Each fold's seconds of a core, of a budget of one second: all that run at once share the cores."""
    ends, done, waiting, running, now = lanes.ends(folds), [0.0] * folds, list(range(folds)), list[int](), 0.0
    while waiting or running:
        while waiting and len(running) < lanes.now(len(waiting) + len(running)):
            running.append(waiting.pop(0))
        until = min(ends[fold] for fold in running)
        for fold in running:
            done[fold] += (until - now) * min(1.0, lanes.at_once / len(running))
        now, running = until, [fold for fold in running if ends[fold] > until]
    return done


@pytest.mark.parametrize(("folds", "cores", "elastic"), CORES)
def test_a_budget_is_shared_out_to_its_end(folds: int, cores: int, elastic: bool) -> None:
    lanes = replace(shared_out([Host(cores)], folds, MachineConfig(threads=1), "auto"), elastic=elastic)
    ends, done = lanes.ends(folds), all_at_work(lanes, folds)
    assert sum(done) == pytest.approx(lanes.at_once), "no core is idle"
    assert sorted(ends)[-lanes.at_once :] == [1.0] * lanes.at_once
    assert min(done) == pytest.approx(lanes.part(folds)), "what the plan counts on"


def test_the_last_folds_share_the_cores() -> None:
    lanes = Lanes(2, 1, elastic=True)
    assert [lanes.now(left) for left in (5, 4, 3, 2, 1)] == [2, 2, 3, 2, 2]
    assert lanes.ends(5) == [0.4, 0.4, 1, 1, 1]
    assert all_at_work(lanes, 5) == pytest.approx([0.4] * 5)
    assert Lanes(2, 1).ends(5) == [1 / 3, 1 / 2, 2 / 3, 1, 1], "one after the other in each lane"


def test_a_lane_has_its_share_of_a_gpu() -> None:
    assert [Lanes(at_once, 1, 2).gpu_share for at_once in (1, 2, 3, 4, 5)] == [1, 1, 1 / 2, 1 / 2, 1 / 3]
    assert Lanes(4, 1).gpu_share == 0


def test_machines_without_the_gpu_that_is_asked_for_are_an_error() -> None:
    with pytest.raises(CompetitionError, match=r"none of the machines has a GPU: --machine.device cpu"):
        lanes_of(Config(), 5, "cuda", [Host(4), Host(4)])


def test_folds_have_processes_of_their_own_where_several_are_trained_or_elsewhere() -> None:
    assert not apart(Config(), Lanes(1, 2))
    assert apart(Config(), Lanes(2, 1))
    assert apart(Config.model_validate(RAY), Lanes(1, 2))
    assert not apart(Config.model_validate(RAY | PROBE), Lanes(1, 2))


FAKE = """
import os, signal, sys, time
from pathlib import Path
fold, recipe = (sys.argv[sys.argv.index(flag) + 1] for flag in ("--fold", "--recipe"))
place, gpus = Path(recipe).parent, os.environ.get("CUDA_VISIBLE_DEVICES", "")
def wait(ready):
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)
signals = []
signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
(place / f"gpu{fold}.part").write_text(gpus)
(place / f"gpu{fold}.part").rename(place / f"gpu{fold}")
print(f"fold {fold}  epoch 1/1", *sys.argv[1:], flush=True)
print("not for the display", flush=True)
"""
RELEASED = "fold == '0' and wait((place / 'gpu2').exists)"
FAILING = "sys.exit(3 if fold == '1' else 0)"
STOPPED = "wait(lambda: signals); time.sleep(0.5); (place / f'signals{fold}').write_text(str(len(signals))); sys.exit(143)"


def fake_run(where: Path, script: str, settings: dict | None = None) -> tuple[Path, Run]:
    """A script in place of train.py, and a run."""
    run = Run(where / "run", Config.model_validate(settings or {"optim": {"epochs": 1}}))
    run.directory.mkdir()
    write_toml(run.directory / "config.toml", run.config)
    (where / "fake.py").write_text(FAKE + script, encoding="utf-8")
    return where / "fake.py", run


@pytest.mark.parametrize(("visible", "names"), [(None, ["0", "1"]), ("6,3,GPU-1f", ["6", "3"])])
def test_a_freed_gpu_goes_to_the_next_fold(
    visible: str | None, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fold 0 keeps its GPU until fold 2 has begun, so that is on the one that fold 1 left."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    script, run = fake_run(tmp_path, RELEASED)
    assert train_side_by_side(script, run, [0, 1, 2], Lanes(2, 5, 2), lambda: False) == {}
    assert [(run.directory / f"gpu{fold}").read_text() for fold in range(3)] == [names[0], names[1], names[1]]
    told = capsys.readouterr().out
    assert "--machine.threads 5" in told
    assert "display" not in told
    assert "not for the display" in (run.fold_directory(1) / LOG).read_text()


@pytest.mark.parametrize("gpus", [0, 1])
def test_what_is_visible_stays_so_where_there_is_nothing_to_share_out(gpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    script, run = fake_run(tmp_path, "")
    assert train_side_by_side(script, run, [0, 1], Lanes(2, 1, gpus), lambda: False) == {}
    assert [(run.directory / f"gpu{fold}").read_text() for fold in range(2)] == ["5,7", "5,7"]


def test_a_fold_that_fails_is_named_and_the_others_are_trained(tmp_path: Path) -> None:
    script, run = fake_run(tmp_path, FAILING)
    assert train_side_by_side(script, run, [0, 1, 2], Lanes(2, 1), lambda: False) == {1: 3}
    assert (run.directory / "gpu2").is_file()


def test_a_stop_reaches_each_fold_once(tmp_path: Path) -> None:
    """A second signal would have it stop without saving its state."""
    script, run = fake_run(tmp_path, STOPPED)

    def both_begun() -> bool:
        return all((run.fold_directory(fold) / LOG).is_file() and (run.directory / f"gpu{fold}").is_file() for fold in (0, 1))

    assert train_side_by_side(script, run, [0, 1, 2], Lanes(2, 1), both_begun) == {0: 143, 1: 143}
    assert [(run.directory / f"signals{fold}").read_text() for fold in (0, 1)] == ["1", "1"]
    assert not (run.directory / "gpu2").exists(), "none is begun after it"


@pytest.mark.parametrize("code", [-9, 137])
def test_a_fold_that_was_killed_is_told_what_takes_less_memory(code: int, tmp_path: Path) -> None:
    assert "killed, as systems do where memory runs out; fewer at once (--machine.parallel-folds)" in why_ended(code, tmp_path / LOG)
    assert why_ended(1, tmp_path / LOG) == f"{tmp_path / LOG} tells why"
