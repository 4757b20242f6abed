import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import engines
from models.backbones import build, input_spec
from models.engines import ready
from models.errors import ModelError
from models.joint import join_columns

# slow: OpenVINO's threads stay in the process that they were started in, which is not to be the one that runs all other tests
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("openvino") is None, reason="the extra `cpu` is not installed")]


def network_of(seed: int = 0, columns: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = build("small/resnet9-8", 3, input_spec("small/resnet9-8", 16))
    if columns:
        join_columns(network, "head", columns, 4, 3)
    return network.eval().to(memory_format=torch.channels_last)


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)).contiguous(memory_format=torch.channels_last)


def by_torch(found: list[engines.Forward]) -> bool:
    return all(isinstance(forward, nn.Module) for forward in found)


def test_the_same_numbers_for_batches_of_any_size(tmp_path: Path) -> None:
    networks = [network_of(0), network_of(1)]
    found = ready(networks, [(images(4),)] * 2, "openvino", 100, 1, [tmp_path / "0", tmp_path / "1"])
    assert not by_torch(found)
    for network, forward in zip(networks, found, strict=True):
        for count in (1, 2, 7):
            with torch.inference_mode():
                expected, given = network(images(count)).softmax(1), forward(images(count)).softmax(1)
            assert np.abs(expected.numpy() - given.numpy()).max() < 1e-5


def test_columns_are_a_second_input(tmp_path: Path) -> None:
    network, columns = network_of(columns=5), torch.randn(4, 5)
    (forward,) = ready([network], [(images(4), columns)], "openvino", 100, 1, [tmp_path])
    with torch.inference_mode():
        assert torch.allclose(network(images(3), columns[:3]), forward(images(3), columns[:3]), atol=1e-4)


def test_a_converted_network_is_kept_until_its_weights_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(network: nn.Module) -> torch.Tensor:
        (forward,) = ready([network], [(images(4),)], "openvino", 100, 1, [tmp_path])
        return forward(images(4))

    first = ask(network_of(0))
    (kept,) = tmp_path.glob("*.xml")
    with monkeypatch.context() as patched:
        patched.setattr(engines, "_read", None)
        assert torch.equal(ask(network_of(0)), first)
    assert not torch.equal(ask(network_of(1)), first)
    (other,) = tmp_path.glob("*.xml")
    assert other != kept
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{other.stem}.bin", f"{other.stem}.xml"]


def test_auto_converts_only_what_takes_long(tmp_path: Path) -> None:
    networks = [network_of()]
    assert by_torch(ready(networks, [(images(4),)], "auto", 10, 1, [tmp_path]))
    assert by_torch(ready(networks, [(images(4),)], "torch", 10**9, 1, [tmp_path]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_auto_takes_what_was_measured_to_be_faster(times: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a watch on which OpenVINO is so many times as fast as torch."""
    real = engines._timed

    def timed(forward: engines.Forward, given: engines.Given) -> tuple[torch.Tensor, float]:
        return real(forward, given)[0], 1.0 if isinstance(forward, nn.Module) else 1.0 / times

    monkeypatch.setattr(engines, "_timed", timed)
    networks = [network_of()]
    assert by_torch(ready(networks, [(images(4),)], "auto", 10**6, 1, [tmp_path])) == (times < 1)


def test_other_numbers_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = engines._converted
    monkeypatch.setattr(engines, "_converted", lambda *given: lambda *images: real(*given)(*images) + 0.01)
    monkeypatch.setattr(engines, "WORTH_SECONDS", 0)
    networks = [network_of()]
    assert by_torch(ready(networks, [(images(4),)], "auto", 10, 1, [tmp_path]))
    assert "computing by torch, since OpenVINO gives other numbers" in capsys.readouterr().out
    with pytest.raises(ModelError, match="OpenVINO gives other numbers than torch"):
        ready(networks, [(images(4),)], "openvino", 10, 1, [tmp_path])


def test_a_network_that_it_cannot_run_stays_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) if float(x.sum()) > 0 else x.amax((2, 3))  # what it does depends on the values

    monkeypatch.setattr(engines, "WORTH_SECONDS", 0)
    networks = [Odd().eval()]
    assert by_torch(ready(networks, [(images(4),)], "auto", 10, 1, [tmp_path]))
    assert "since OpenVINO cannot run this network" in capsys.readouterr().out
    with pytest.raises(ModelError, match="OpenVINO cannot run this network"):
        ready(networks, [(images(4),)], "openvino", 10, 1, [tmp_path])


def test_where_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    networks = [network_of()]
    with pytest.raises(ModelError, match=r"pip install 'podium\[cpu\]'"):
        ready(networks, [(images(4),)], "openvino", 10, 1, [tmp_path])
    assert by_torch(ready(networks, [(images(4),)], "auto", 10**7, 1, [tmp_path]))
    assert "OpenVINO is often faster: pip install 'podium[cpu]'" in capsys.readouterr().out
