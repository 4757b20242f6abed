"""Competitions of very many folders or archives."""

import sys
from pathlib import Path
from time import perf_counter

import pytest

from competition.image_groups import grouped
from competition.spans import FileSpan


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_more_archives_than_files_may_be_open(tmp_path: Path) -> None:
    import resource

    (tmp_path / "a").write_bytes(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        spans = [FileSpan(tmp_path / "a") for _ in range(300)]
        assert {span.at(0, 1) for span in spans} == {b"x"}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_masks_beside_the_images_of_many_cases() -> None:
    paths = sorted(f"train/p{case:05d}/{kind}/{case}.png" for case in range(8000) for kind in ("image", "mask"))
    begin = perf_counter()
    groups = grouped(paths)
    assert perf_counter() - begin < 20, "each case was compared with each other"
    assert sum(len(group.paths) for group in groups.values() if group.beside) == 8000
