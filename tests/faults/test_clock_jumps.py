"""A wall clock that jumps by hours, days and years, back and forth, at each look: by a small library that stands before the C library's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
TRAIN = (
    "train.py",
    "--competition",
    "digits",
    "--fold",
    "0,1",
    "--folds.count",
    "2",
    "--model.backbone",
    "small/resnet9-8",
    "--data.size-px",
    "8",
)
TRAIN += ("--optim.epochs", "2", "--machine.threads", "1", "--machine.save-seconds", "0", "--machine.no-audit")
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static long jump(void) { /* seconds */
    static const long by[] = {0, -86400, 3600, 400L * 86400, -7, -10L * 365 * 86400, 90};
    static volatile unsigned look;
    return by[look++ % 7];
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += jump();
    return code;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int code = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec, now->tv_usec = precise.tv_nsec / 1000;
    return code;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clock")
    (place / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"], cwd=place, check=True)
    return place / "clock.so"


def walked(place: Path, *flags: str, clock: Path | None = None) -> Path:
    """The directory in which both folds were trained and a submission was made."""
    place.mkdir()
    environment = os.environ | ({"LD_PRELOAD": str(clock)} if clock else {})
    for words in ((*TRAIN, *flags), ("predict.py", "--output", "submission.csv")):
        done = subprocess.run(
            [sys.executable, str(ROOT / words[0]), *words[1:]], cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    return place


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walked(tmp_path_factory.mktemp("steady") / "place")


def test_the_library_makes_the_clock_jump(clock: Path) -> None:
    code = "import time; looks = [time.time() for _ in range(7)]; print(max(looks) - min(looks) > 400 * 86400)"
    assert subprocess.check_output([sys.executable, "-c", code], env=os.environ | {"LD_PRELOAD": str(clock)}, text=True) == "True\n"


@pytest.mark.parametrize(
    "flags", [(), pytest.param(("--machine.workers", "1"), marks=pytest.mark.slow)], ids=["threads", "processes that prepare batches"]
)
def test_a_clock_that_jumps_changes_no_number_and_no_duration(flags: tuple[str, ...], clock: Path, steady: Path, tmp_path: Path) -> None:
    found = walked(tmp_path / "jumping", *flags, clock=clock)
    assert (found / "submission.csv").read_bytes() == (steady / "submission.csv").read_bytes()
    weights = sorted(steady.glob("runs/digits/*/fold*/model.safetensors"))
    assert len(weights) == 2
    for path in weights:
        assert (found / path.relative_to(steady)).read_bytes() == path.read_bytes()
    for path in found.glob("runs/digits/*/fold*/history.csv"):
        assert pd.read_csv(path)["seconds"].between(0, 3600).all(), path
    assert pd.read_csv(found / "runs" / "ledger.csv")["folds_done"].tolist() == [2]
