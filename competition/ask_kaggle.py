"""Questions to Kaggle: the client runs in a process of its own (kaggle_child.py), which is killed when an answer takes too long.

The client's calls have no timeout of their own, and it is not to be trusted with this process: see kaggle_child.py. The process is started
by the first question and answers the next ones too; after a failure that leaves it in doubt there is a new one.
"""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Any

CHILD = Path(__file__).with_name("kaggle_child.py")
SENDING = "sending"  # the stage of the child from which on the server may have accepted what was sent
NOT_PASSED_ON = (
    "VERBOSE",  # with either of these two the client prints the password
    "VERBOSE_OUTPUT",
    "KAGGLE_COMPETITION_SUBMISSION_MODEL_VERSION_ID",  # makes another kind of submission
)
TICK_SECONDS = 0.2
LAST_CHANCE_SECONDS = 20.0  # after Ctrl-C, for the answer to what may have been accepted
Words = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came back: an answer, or a failure that `kaggle_failures.told` puts into words.

    stage: how far it came; SENDING: what was sent may have been accepted. interrupted: Ctrl-C came while that was open.
    """

    answer: Any = None
    failure: Words | None = None
    stage: str = ""
    interrupted: bool = False

    @property
    def may_be_accepted(self) -> bool:
        """Whether something was sent of which nobody said that it was refused."""
        unclear = self.failure is not None and (self.failure["kind"] != "http" or self.failure["status"] >= 500)
        return self.stage == SENDING and unclear


@dataclass(frozen=True)
class Watch:
    """Looks after a long question. heard: called with each line of the child that is no answer. moved: a number that changes while there
    is progress; the time then begins anew."""

    heard: Callable[[Words], None] = lambda line: None
    moved: Callable[[], int] = lambda: 0


@dataclass(frozen=True)
class Child:
    """A process that runs, with the environment that it was started in and what it says, None at the end."""

    process: "subprocess.Popen[str]"
    environment: dict[str, str]
    lines: "Queue[Words | None]"
    reader: Thread


running: list[Child] = []  # one, or none yet


def ask(verb: str, seconds: float, watch: Watch | None = None, **words: Any) -> Reply:
    """The reply to a verb of kaggle_child.VERBS, else, after so many seconds in one stage of it, a failure of the kind "deadline"."""
    child = _child()
    try:
        with suppress(BrokenPipeError):  # it ended before it was asked; the end of its lines tells
            child.process.stdin.write(json.dumps({"verb": verb, **words}) + "\n")  # type: ignore[union-attr]
            child.process.stdin.flush()  # type: ignore[union-attr]
        reply = _reply(child.lines, seconds, watch or Watch())
    except BaseException:
        end()
        raise
    if reply.failure is not None and reply.failure["kind"] in ("deadline", "ended"):
        end()
    return reply


def _reply(lines: "Queue[Words | None]", seconds: float, watch: Watch) -> Reply:
    stage, interrupted, before, until = "", False, watch.moved(), monotonic() + seconds
    while True:
        try:
            line = lines.get(timeout=TICK_SECONDS)
        except Empty:
            line = {}
        except KeyboardInterrupt:
            if stage != SENDING or interrupted:
                raise
            interrupted, until, line = True, min(until, monotonic() + LAST_CHANCE_SECONDS), {}
        if line is None:
            return Reply(None, {"kind": "ended"}, stage, interrupted)
        if "answer" in line or "failure" in line:
            return Reply(line.get("answer"), line.get("failure"), stage, interrupted)
        if "stage" in line:
            stage, until = line["stage"], monotonic() + seconds
        elif line:
            watch.heard(line)
        if (now := watch.moved()) != before:
            before, until = now, monotonic() + seconds
        if monotonic() > until:
            return Reply(None, {"kind": "deadline", "seconds": round(seconds)}, stage, interrupted)


def _child() -> Child:
    """The one that runs, or a new one where none does, or where the environment has changed."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    if running and running[0].environment == environment and running[0].process.poll() is None:
        return running[0]
    end()
    process = subprocess.Popen(
        [sys.executable, "-P", str(CHILD)],  # -P: modules of ours that lie beside it are not in the way of the client's own
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        start_new_session=True,  # Ctrl-C comes to us alone: what is being sent is not to be cut
    )
    lines: Queue[Words | None] = Queue()
    reader = Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    running.append(Child(process, environment, lines, reader))
    return running[0]


def _read(process: "subprocess.Popen[str]", lines: "Queue[Words | None]") -> None:
    for line in process.stdout or ():
        with suppress(ValueError):  # a line that was cut when the process was killed
            lines.put(json.loads(line))
    lines.put(None)


@atexit.register
def end() -> None:
    """Ends the process that runs, where one does."""
    while running:
        child = running.pop()
        child.process.terminate()
        child.process.wait()
        child.reader.join()
        for pipe in (child.process.stdin, child.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
