"""A stand-in for Kaggle's servers on this machine, which the real, unpatched client is led to: written for these tests.

The client has no setting for its address but KAGGLE_API_ENVIRONMENT=LOCALHOST (http://localhost, port 80); with http_proxy the endpoint is
asked as if it were the proxy on the way there, and needs no such port. https_proxy leads here too: what wants to leave the machine arrives
as CONNECT, is refused, and stands in `escapes`.

Errors are nested ({"error": {"message": ...}}) as api.kaggle.com sends them. It is a model of the service, not the service.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

USER, KEY, TOKEN = "someone", "0123456789abcdef", "KGAT_good"
STORE_TIME = "Wed, 04 Nov 2026 10:00:00 GMT"
Tree = dict[str, Any]


@dataclass(frozen=True)
class Fails:
    """Answers so once, with a reason in the body; accepted: after the call was carried out."""

    status: int
    reason: str = ""
    headers: Tree = field(default_factory=dict)
    flat: bool = False  # as older versions of the service put it
    accepted: bool = False


@dataclass(frozen=True)
class Drops:
    """The connection is reset; accepted: after the call was carried out."""

    accepted: bool = False


@dataclass(frozen=True)
class Hangs:
    """No answer, as long as the endpoint lives; accepted: after the call was carried out."""

    accepted: bool = False


Trouble = Fails | Drops | Hangs


def scored(content: bytes) -> Tree:
    """What a grader says of a file: by default, that it is worth 0.9."""
    return {"status": "COMPLETE", "publicScore": "0.90000"}


@dataclass
class Endpoint:
    """What the competition is like, what goes wrong (call -> troubles, one a call; None: it goes well), and what the server received."""

    url: str = ""
    slug: str = "digits"
    joined: bool = True
    notebooks_only: bool = False
    closed: bool = False
    left: int = 5
    made: int = 0  # by other means, today
    left_in_all: bool = False
    grade: Callable[[bytes], Tree] = scored
    pending: int = 0  # how often a submission is asked for before it is scored
    late: int = 0  # how often the list is read before a new submission is in it
    archive: bytes = b""
    archive_holds: int | None = None  # bytes after which the store stops sending, once
    files_in: dict[str, bytes] = field(default_factory=dict)  # of the dataset that was made
    dataset_ready_after: int = 0
    kernel_ends: str = "COMPLETE"
    kernel_error: str = ""
    unknown_sources: list[str] = field(default_factory=list)
    trouble: dict[str, list[Trouble | None]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Trouble] = field(default_factory=dict)  # what goes wrong each time
    calls: list[tuple[str, Tree]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)  # the Authorization of each call
    ranges: list[str] = field(default_factory=list)  # the Range of each look into the store
    blobs: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    submissions: list[Tree] = field(default_factory=list)
    datasets: dict[str, list[Tree]] = field(default_factory=dict)
    kernels: dict[str, list[Tree]] = field(default_factory=dict)
    escapes: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)  # something hangs
    over: threading.Event = field(default_factory=threading.Event)
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def of(self, call: str) -> list[Tree]:
        """The bodies of all calls of a name."""
        return [body for name, body in self.calls if name == call]

    def next_trouble(self, call: str) -> Trouble | None:
        return self.trouble[call].pop(0) if self.trouble[call] else self.always.get(call)

    def accept(self, message: str, content: bytes, name: str) -> Tree:
        """A submission as it is before it is scored."""
        number = 1000 + len(self.submissions)
        made = {
            "ref": number,
            "description": message,
            "fileName": name,
            "date": datetime.now(UTC).isoformat()[:23] + "Z",
            "content": content,
        }
        self.submissions.insert(0, made)
        return made

    def shown(self, made: Tree) -> Tree:
        outside = {key: value for key, value in made.items() if key != "content"}
        self.asked[str(made["ref"])] += 1
        if self.asked[str(made["ref"])] <= self.pending:
            return {**outside, "status": "PENDING"}
        return {**outside, **(self.grade(made["content"]) if "status" not in made else {})}


def answer(endpoint: Endpoint, call: str, body: Tree) -> Tree | Fails:
    """What the service says, by the name of the call."""
    if call == "IntrospectToken":
        return {"active": True, "username": USER} if body.get("token") == TOKEN else Fails(400, "invalid token")
    named = body.get("competitionName")
    if named is not None and named != endpoint.slug:
        return Fails(404, "Competition not found")
    if named is not None and not endpoint.joined:
        return Fails(403, "")
    return ANSWERS[call](endpoint, body)


def list_submissions(endpoint: Endpoint, body: Tree) -> Tree:
    size, begin = body.get("pageSize", 20), int(body.get("pageToken") or 0)
    if endpoint.submissions and endpoint.late:
        endpoint.late -= 1
        return {"submissions": [], "nextPageToken": ""}
    shown = [endpoint.shown(made) for made in endpoint.submissions[begin : begin + size]]
    return {"submissions": shown, "nextPageToken": str(begin + size) if begin + size < len(endpoint.submissions) else ""}


def get_submission(endpoint: Endpoint, body: Tree) -> Tree | Fails:
    made = [one for one in endpoint.submissions if one["ref"] == body["ref"]]
    return endpoint.shown(made[0]) if made else Fails(404, "Submission not found")


def get_limits(endpoint: Endpoint, body: Tree) -> Tree:
    ours = len(endpoint.submissions)
    made = ours + endpoint.made
    return {"numToday": made, "numTotal": made + 20, "numAllowedNow": max(0, endpoint.left - ours), "limitedByTotal": endpoint.left_in_all}


def get_competition(endpoint: Endpoint, body: Tree) -> Tree:
    return {
        "ref": f"https://www.kaggle.com/competitions/{endpoint.slug}",
        "isKernelsSubmissionsOnly": endpoint.notebooks_only,
        "submissionsDisabled": endpoint.closed,
        "userHasEntered": endpoint.joined,
    }


def start_upload(endpoint: Endpoint, body: Tree) -> Tree:
    token = f"blob{len(endpoint.names)}"
    endpoint.names[token] = body.get("fileName") or body.get("name", "")
    return {"token": token, "createUrl": f"http://localhost/store/{token}?signature=secret"}


def create_submission(endpoint: Endpoint, body: Tree) -> Tree:
    token = body["blobFileTokens"]
    made = endpoint.accept(body.get("submissionDescription", ""), endpoint.blobs[token], endpoint.names[token])
    return {"message": "Successfully submitted", "ref": made["ref"]}


def create_code_submission(endpoint: Endpoint, body: Tree) -> Tree | Fails:
    kernel = f"{body.get('kernelOwner')}/{body.get('kernelSlug')}"
    if not body.get("fileName") or len(endpoint.kernels.get(kernel, [])) < body.get("kernelVersion", 1):
        return Fails(400, "the notebook has no such version or file")
    made = endpoint.accept(body.get("submissionDescription", ""), b"", body["fileName"])
    return {"message": "Successfully submitted", "ref": made["ref"]}


def dataset_status(endpoint: Endpoint, body: Tree) -> Tree | Fails:
    name = f"{body['ownerSlug']}/{body['datasetSlug']}"
    if name not in endpoint.datasets:
        return Fails(403, "Permission 'datasets.get' was denied")
    endpoint.asked[name] += 1
    return {"status": "READY" if endpoint.asked[name] > endpoint.dataset_ready_after else "BLOBS_RECEIVED"}


def create_dataset(endpoint: Endpoint, body: Tree) -> Tree:
    return new_version(endpoint, f"{body['ownerSlug']}/{body['slug']}", body)


def create_dataset_version(endpoint: Endpoint, body: Tree) -> Tree:
    return new_version(endpoint, f"{body['ownerSlug']}/{body['datasetSlug']}", body["body"])


def new_version(endpoint: Endpoint, name: str, body: Tree) -> Tree:
    endpoint.datasets.setdefault(name, []).append(body)
    endpoint.files_in = {endpoint.names[file["token"]]: endpoint.blobs[file["token"]] for file in body["files"]}
    return {"url": f"https://www.kaggle.com/datasets/{name}", "status": "ok", "error": ""}


def list_dataset_files(endpoint: Endpoint, body: Tree) -> Tree:
    size, begin, names = body.get("pageSize", 20), int(body.get("pageToken") or 0), sorted(endpoint.files_in)
    files = [{"name": name, "totalBytes": len(endpoint.files_in[name])} for name in names[begin : begin + size]]
    return {"datasetFiles": files, "nextPageToken": str(begin + size) if begin + size < len(names) else ""}


def save_kernel(endpoint: Endpoint, body: Tree) -> Tree:
    versions = endpoint.kernels.setdefault(body["slug"], [])
    versions.append(body)
    return {"versionNumber": len(versions), "url": f"/code/{body['slug']}", "invalidDatasetSources": endpoint.unknown_sources}


def kernel_status(endpoint: Endpoint, body: Tree) -> Tree:
    return {"status": endpoint.kernel_ends, "failureMessage": endpoint.kernel_error}


ANSWERS: dict[str, Callable[[Endpoint, Tree], Tree | Fails]] = {
    "ListSubmissions": list_submissions,
    "GetSubmission": get_submission,
    "GetSubmissionLimits": get_limits,
    "GetCompetition": get_competition,
    "StartSubmissionUpload": start_upload,
    "StartBlobUpload": start_upload,
    "CreateSubmission": create_submission,
    "CreateCodeSubmission": create_code_submission,
    "GetDatasetStatus": dataset_status,
    "ListDatasetFiles": list_dataset_files,
    "CreateDataset": create_dataset,
    "CreateDatasetVersion": create_dataset_version,
    "SaveKernel": save_kernel,
    "GetKernelSessionStatus": kernel_status,
}


class Answers(BaseHTTPRequestHandler):
    """One request of the client."""

    endpoint: Endpoint

    def do_CONNECT(self) -> None:
        self.endpoint.escapes.append(self.path)
        self.send_error(502)

    def do_POST(self) -> None:
        if self._is_elsewhere():
            return
        call = urlsplit(self.path).path.rpartition("/")[2]
        body = json.loads(self._body() or b"{}")
        with self.endpoint.lock:
            self.endpoint.calls.append((call, body))
            self.endpoint.signed.append(self.headers.get("Authorization", ""))
            trouble = self.endpoint.next_trouble(call)
            said = None
            if trouble is None or trouble.accepted:
                if call != "IntrospectToken" and not self._is_signed():
                    said = Fails(401, "Unauthenticated")
                elif call == "DownloadDataFiles":
                    said = Fails(403) if not self.endpoint.joined else None
                else:
                    said = answer(self.endpoint, call, body)
        ends = said if trouble is None else trouble
        if isinstance(ends, Fails):
            self._fails(ends)
        elif isinstance(ends, Drops | Hangs):
            self._breaks(ends)
        elif ends is None:
            self.send_response(302)
            self.send_header("Location", f"http://localhost/store/{self.endpoint.slug}.zip?signature=secret")
            self.end_headers()
        else:
            self._says(200, json.dumps(ends).encode())

    def do_PUT(self) -> None:
        if self._is_elsewhere():
            return
        content = self._body()
        with self.endpoint.lock:
            trouble = self.endpoint.next_trouble("PUT")
            if trouble is None:
                self.endpoint.blobs[urlsplit(self.path).path.rpartition("/")[2]] = content
        if isinstance(trouble, Fails):
            self._fails(trouble)
        elif trouble is not None:
            self._breaks(trouble)
        else:
            self._says(200, b"")

    def do_GET(self) -> None:
        if self._is_elsewhere():
            return
        whole, asked = self.endpoint.archive, self.headers.get("Range", "")
        tag = f'"{md5(whole, usedforsecurity=False).hexdigest()}"'
        self.endpoint.ranges.append(asked)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.headers.get("If-Range", tag) == tag else 0
        self.send_response(206 if begin else 200)
        for name, value in {
            "Content-Length": len(whole) - begin,
            "ETag": tag,
            "Last-Modified": STORE_TIME,
            "Accept-Ranges": "bytes",
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        holds, self.endpoint.archive_holds = self.endpoint.archive_holds, None
        self.wfile.write(whole[begin : None if holds is None else holds])
        self.wfile.flush()
        if holds is not None:
            self._breaks(Hangs())

    def _is_elsewhere(self) -> bool:
        if urlsplit(self.path).hostname == "localhost":
            return False
        self.endpoint.escapes.append(self.path)
        self.send_error(502)
        return True

    def _is_signed(self) -> bool:
        from base64 import b64encode

        good = {f"Bearer {TOKEN}", f"Basic {b64encode(f'{USER}:{KEY}'.encode()).decode()}"}
        return self.headers.get("Authorization") in good

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _fails(self, fails: Fails) -> None:
        error = {"code": fails.status, "message": fails.reason}
        body = error if fails.flat else {"error": error}
        self._says(fails.status, json.dumps(body).encode(), fails.headers)

    def _says(self, status: int, content: bytes, headers: Tree | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(content), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def _breaks(self, trouble: Drops | Hangs) -> None:
        if isinstance(trouble, Hangs):
            self.endpoint.held.set()
            self.endpoint.over.wait(60)
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed breaks its connection: that is meant."""


@contextmanager
def serving(**given: Any) -> Iterator[Endpoint]:
    """An endpoint that is there within the block. When it ends, nothing must have tried to leave the machine."""
    endpoint = Endpoint(**given)
    server = QuietServer(("127.0.0.1", 0), type("Bound", (Answers,), {"endpoint": endpoint}))
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert not endpoint.escapes, f"something was to leave this machine: {endpoint.escapes}"


def lead_to(endpoint: Endpoint, home: Path, monkeypatch: pytest.MonkeyPatch, signed_in: bool = True) -> None:
    """Sets the environment so that the client finds this endpoint, a home of its own, and nothing of whoever runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("KAGGLE") or name.lower().endswith("_proxy") or name in ("XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name)
    home.mkdir(parents=True, exist_ok=True)
    settings = {"HOME": str(home), "KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": endpoint.url, "https_proxy": endpoint.url}
    for name, value in {**settings, "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    if signed_in:
        write_key(home / ".config" / "kaggle" / "kaggle.json")


def write_key(path: Path, user: str = USER, key: str = KEY, mode: int = 0o600) -> None:
    """A kaggle.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"username": user, "key": key}))
    path.chmod(mode)
