"""Scripts as processes of their own that start at once: on Linux they are forked from one that has imported the large packages.

Elsewhere they are started anew, and import them themselves.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
PACKAGES = ["torch", "timm", "albumentations", "accelerate", "pandas", "sklearn.metrics"]  # none starts CUDA, which no fork survives
CONTEXT: Any = multiprocessing.get_context("forkserver" if LINUX else "spawn")


@dataclass(frozen=True)
class Script:
    """A script that was started."""

    process: BaseProcess

    def poll(self) -> int | None:
        """The exit code, below 0 where a signal ended it; None while it runs."""
        return self.process.exitcode

    def terminate(self) -> None:
        self.process.terminate()


def import_ahead() -> None:
    """Has the packages imported, beside what goes on here, for the scripts that will be started."""
    if LINUX:
        multiprocessing.set_forkserver_preload(PACKAGES)
        forkserver.ensure_running()


def start_script(script: Path, words: Sequence[str], log: Path, environment: dict[str, str]) -> Script:
    """`python SCRIPT WORDS` in this working directory, with this process's environment and more; what it says is added to the log.

    It can tell by multiprocessing.parent_process() whether this process is still there.
    """
    import_ahead()
    log.parent.mkdir(parents=True, exist_ok=True)
    given = ([str(script), *words], log.absolute(), dict(os.environ) | environment, Path.cwd())
    process = CONTEXT.Process(target=_run, args=given)
    process.start()
    return Script(process)


def _run(words: list[str], log: Path, environment: dict[str, str], place: Path) -> None:
    """In the new process. It has a session of its own: Ctrl-C reaches it through terminate() alone."""
    if LINUX:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).parent))
    runpy.run_path(words[0], run_name="__main__")
