"""Runs the scripts one after another in one process beside the tests, so that torch is imported once for all of them.

A test about a process itself (its start, its end by a signal) starts one of its own instead.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Walker:
    """run(): a script as if it were started by itself; its exit code and what it said."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, name: str, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        if self._process is None:
            command = [sys.executable, str(Path(__file__))]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        given, told = self._process.stdin, self._process.stdout
        if given is None or told is None:
            raise RuntimeError("it was started with pipes")
        given.write(json.dumps([str(ROOT / name), list(flags), str(cwd)]) + "\n")
        given.flush()
        code, out, err = json.loads(told.readline())
        return subprocess.CompletedProcess([name, *flags], code, out, err)

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()  # ends with its input


def _walk(script: str, flags: list[str], cwd: str) -> tuple[int, str, str]:
    import contextlib
    import io
    import os
    import runpy
    import traceback

    os.chdir(cwd)
    sys.argv = [script, *flags]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # what a process of its own would end by
            traceback.print_exc()
            code = 1
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # as for the scripts themselves
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(_walk(*json.loads(line))) + "\n")
        answers.flush()
