"""A package tried here as Kaggle would run it: a clean environment, no network, /kaggle/input laid out, another number of test images.

The clean environment is a venv that sees the packages of wheels.IMAGE, linked from here in the place of Kaggle's image (torch alone is
gigabytes), and nothing else: what is not packed is missing there too.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path
from time import monotonic, sleep

import psutil

from competition.console import say
from competition.contest import Competition
from competition.errors import examples
from submissions.errors import SubmissionError
from submissions.lay_out import lay_out
from submissions.offline import MARK, OUTPUT
from submissions.pack import Package
from submissions.wheels import IMAGE, ROOT

FEW = 8  # images of the test by which starting is told from predicting
LOOK_SECONDS = 0.2
TOLERANCE = 1e-6  # numbers that differ by less are the same: threads add in another order
NO_NETWORK = ["unshare", "--net", "--map-root-user"]
BLOCK = """import socket

connect = socket.socket.connect

def refuse(*words):
    raise OSError("the network is off")

def connect_here(self, address):
    return connect(self, address) if isinstance(address, (str, bytes)) else refuse()

socket.socket.connect = socket.socket.connect_ex = connect_here
socket.getaddrinfo = refuse
"""


@dataclass(frozen=True)
class DryRun:
    """What a dry run came to. rows: of the CSV; test_rows: images of its test; differs: rows that are not those of our own CSV.
    seconds, gib: what it took, installing included; network: how it was kept off. each: seconds a further image takes, None where that was
    not asked for."""

    rows: int
    test_rows: int
    differs: int
    seconds: float
    gib: float
    network: str
    csv: Path
    each: float | None = None


def dry_run(package: Package, contest: Competition, work: Path, share: float = 0.5, pace: bool = False) -> DryRun:
    """Lays everything out below `work`, runs the notebook's code, and compares its CSV with ours for the same test.

    pace: runs it once more with few images, so that what each costs is known apart from installing and starting.

    Raises: SubmissionError with the last lines of what failed.
    """
    work = work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    given = work / "kaggle" / "input"
    rows = lay_out(contest, given / contest.name, share)
    shutil.copytree(package.dataset, given / package.name, ignore=shutil.ignore_patterns("dataset-metadata.json"))
    for name in ("home", "tmp"):
        (work / name).mkdir()
    python = clean_environment(work / "venv")
    off, network = network_off(work / "venv" / "image")
    environment = {"PATH": os.defpath, "HOME": str(work / "home"), "TMPDIR": str(work / "tmp"), **_blocked(off)}
    say(f"dry run: {rows:,} of {len(contest.test):,} test images, network off by {network}")
    command = [*off, str(python), str(code_of(package, work))]
    seconds, gib = _measured(command, given, environment)
    ours = _rows(_our_csv(package, given / contest.name, work / "ours"))
    theirs = work / "kaggle" / "working" / OUTPUT
    each = None
    if pace and rows > FEW:
        few = work / "few" / "input"
        less = lay_out(contest, few / contest.name, FEW / len(contest.test))
        (few / package.name).symlink_to(given / package.name)
        each = max(0.0, seconds - _measured(command, few, environment)[0]) / max(1, rows - less)
    for name in ("venv", "tmp", "few"):  # hundreds of megabytes; where it failed they stay, to be looked at
        shutil.rmtree(work / name, ignore_errors=True)
    return DryRun(len(_rows(theirs)) - 1, rows, differing(_rows(theirs), ours), seconds, gib, network, theirs, each)


def report(done: DryRun, contest: Competition, hours: float, gib: float, hidden_rows: int) -> bool:
    """Prints time and memory against the limits, and whether the CSV is ours; whether all is well."""
    say(f"dry run: {done.seconds:,.0f} s of {hours:g} h, {done.gib:.1f} GiB of {gib:g} GiB ({done.test_rows:,} test images)")
    expected = done.seconds
    if done.each is not None:
        expected += done.each * max(0, hidden_rows - done.test_rows)
        say(f"  each further image takes {done.each * 1000:,.1f} ms: a test of {hidden_rows:,} would take about {expected / 3600:.1f} h")
    same = f"{done.rows:,} rows" if not done.differs else f"{done.differs:,} of {done.rows:,} rows differ"
    say(f"  its CSV is {'ours' if not done.differs else 'NOT ours'}: {same} ({done.csv})")
    return not done.differs and expected <= hours * 3600 and done.gib <= gib


def clean_environment(directory: Path) -> Path:
    """The Python of a new venv that sees IMAGE's packages and nothing else of this environment."""
    venv.create(directory, with_pip=True, symlinks=True, clear=True)
    image = directory / "image"
    image.mkdir()
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if not any(fnmatch(plain(name), plain(pattern)) for pattern in IMAGE):
            continue
        for top in {Path(file).parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            target, link = Path(str(distribution.locate_file(top))), image / top
            if target.exists() and not link.exists():
                link.symlink_to(target.resolve())
    (site,) = directory.glob("lib/python*/site-packages")
    (site / "image.pth").write_text(f"{image}\n", encoding="utf-8")
    return directory / "bin" / "python"


def plain(name: str) -> str:
    """A distribution's name as it is compared with another."""
    return name.lower().replace("_", "-").replace(".", "-")


def network_off(image: Path) -> tuple[list[str], str]:
    """What to put before a command so that it has no network, and how that is called. image: a directory that its Python imports from."""
    if shutil.which(NO_NETWORK[0]) and not subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode:
        return NO_NETWORK, "a network namespace of its own (unshare --net)"
    (image / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    return [], "sockets that refuse to connect (unshare is not permitted here)"


def _blocked(off: Sequence[str]) -> dict[str, str]:
    dead = "http://127.0.0.1:9"
    return {} if off else {"http_proxy": dead, "https_proxy": dead, "no_proxy": ""}


def code_of(package: Package, work: Path) -> Path:
    """The notebook's code as a script."""
    facts = json.loads((package.kernel / "kernel-metadata.json").read_text(encoding="utf-8"))
    code = package.kernel / facts["code_file"]
    if code.suffix != ".ipynb":
        return code.resolve()
    cells = json.loads(code.read_text(encoding="utf-8"))["cells"]
    script = work / "notebook.py"
    script.write_text("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"), encoding="utf-8")
    return script


def _measured(command: list[str], given: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and the most memory that the process and all below it held together, GiB. given: the input; it works in working/ beside it.

    Raises: SubmissionError where it fails.
    """
    begun, most = monotonic(), 0
    log, working = given.parent / "log.txt", given.parent / "working"
    working.mkdir()
    told = {**environment, "KAGGLE_INPUT_DIR": str(given)}
    with log.open("w") as out:
        running = subprocess.Popen(command, cwd=working, env=told, stdout=out, stderr=subprocess.STDOUT)
        try:
            while running.poll() is None:
                most = max(most, _held(running.pid))
                sleep(LOOK_SECONDS)
        finally:
            running.kill()
            running.wait()
    if running.returncode:
        last = "\n  ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:])
        raise SubmissionError(f"the dry run failed (exit code {running.returncode}; {log}):\n  {last}")
    return monotonic() - begun, most / 2**30


def _held(process: int) -> int:
    """Bytes of memory."""
    total = 0
    try:
        tree = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in tree:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _our_csv(package: Package, competition: Path, work: Path) -> Path:
    """The CSV of this environment for the same test: the same files of the runs, and predict.py as it is here."""
    facts = json.loads((package.dataset / MARK).read_text(encoding="utf-8"))
    for flat, path in facts["places"].items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).symlink_to((package.dataset / flat).resolve())
    toml = facts["toml"].replace(facts["source_mark"], json.dumps(str(competition)))
    (work / "competition.toml").write_text(toml, encoding="utf-8")
    asked = [*facts["runs"], "--competition", str(competition), "--output", str(work / OUTPUT), *facts["flags"]]
    done = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), *asked], cwd=work, capture_output=True, text=True, check=False, env={**os.environ}
    )
    if done.returncode:
        raise SubmissionError(f"predict.py failed for the laid-out test:\n  {done.stderr.strip()[-1000:]}")
    return work / OUTPUT


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise SubmissionError(f"{path}: the notebook has written no CSV")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def differing(theirs: Sequence[Sequence[str]], ours: Sequence[Sequence[str]]) -> int:
    """How many rows are not the same; of numbers, those that differ by more than TOLERANCE."""
    if len(theirs) != len(ours):
        raise SubmissionError(
            f"the notebook's CSV has {len(theirs) - 1:,} rows, ours {len(ours) - 1:,}: {examples(row[0] for row in theirs[1:])}"
        )
    return sum(not all(map(_same, one, other)) or len(one) != len(other) for one, other in zip(theirs, ours, strict=True))


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return abs(float(one) - float(other)) <= TOLERANCE
    except ValueError:
        return False
