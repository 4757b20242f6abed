"""The only file that imports the kaggle client: a process of its own that answers the questions of ask_kaggle.py.

Standard input: a JSON object a line, {"verb": NAME, ...}. Standard output: JSON lines, {"stage": NAME} and {"total_bytes": N} on the way
and {"answer": ...} or {"failure": {...}} at the end of each question.

Importing the client authenticates, may call the network without a timeout, prints, and may end the process; its command exits 0 where
nothing was submitted and 1 where something was, and drops the server's reason. So it is used by its Python functions, here, where it can
be killed, and what it prints goes nowhere: with some settings that is the password.

It is started by its path and imports nothing of ours.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

PAGE = 100
MOST_PAGES = 50
SENDING = "sending"  # from here on the server may have accepted the submission, whatever becomes of the answer
Words = dict[str, Any]


def look(api: Any, ask: Words) -> Words:
    """The submissions so far; and, where they can be had, what the competition says of itself and the limits of the day."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    seen: Words = {"submissions": listed(api, {"pages": 1, **ask}), "contest": None, "limits": None}
    try:
        limits = api.competition_get_submission_limits(ask["competition"])
        seen["limits"] = {"today": limits.num_today, "total": limits.num_total, "left": limits.num_allowed_now}
        seen["limits"]["by_total"] = limits.limited_by_total
        with api.build_kaggle_client() as kaggle:
            request = ApiGetCompetitionRequest()
            request.competition_name = ask["competition"]
            contest = kaggle.competitions.competition_api_client.get_competition(request)
        seen["contest"] = {"notebooks_only": contest.is_kernels_submissions_only, "closed": contest.submissions_disabled}
    except Exception as error:  # what is not known beforehand, the server says when the file is submitted
        seen["unknown"] = failure_of(error)
    return seen


def listed(api: Any, ask: Words) -> list[Words]:
    """The submissions, newest first: at most `pages` pages of them."""
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    found: list[Words] = []
    with api.build_kaggle_client() as kaggle:
        token = ""
        for _ in range(ask.get("pages", MOST_PAGES)):
            request = ApiListSubmissionsRequest()
            request.competition_name = ask["competition"]
            request.page_size, request.page_token = PAGE, token
            if not token:
                request.page = 1
            page = kaggle.competitions.competition_api_client.list_submissions(request)
            found += [plain(one) for one in page.submissions or []]
            token = page.next_page_token
            if not token:
                break
    return found


def submit(api: Any, ask: Words) -> Words:
    """The number of the submission. Stage by stage, so that whoever waits knows what may have been accepted."""
    from kaggle.api.kaggle_api_extended import ResumableUploadResult
    from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest, ApiStartSubmissionUploadRequest

    path = Path(ask["file"])
    with api.build_kaggle_client() as kaggle:
        service = kaggle.competitions.competition_api_client
        tell(stage="uploading")
        begin = ApiStartSubmissionUploadRequest()
        begin.competition_name, begin.file_name = ask["competition"], path.name
        begin.content_length, begin.last_modified_epoch_seconds = path.stat().st_size, int(path.stat().st_mtime)
        place = service.start_submission_upload(begin)
        if api.upload_complete(str(path), place.create_url, True) != ResumableUploadResult.COMPLETE:
            raise UploadError
        create = ApiCreateSubmissionRequest()
        create.competition_name, create.blob_file_tokens = ask["competition"], place.token
        create.submission_description = ask["message"]
        tell(stage=SENDING)
        return {"ref": service.create_submission(create).ref}


def submit_code(api: Any, ask: Words) -> Words:
    """The number of the submission of a notebook's version."""
    tell(stage=SENDING)
    made = api.competition_submit_code(
        ask["file"], ask["message"], ask["competition"], kernel=ask["kernel"], kernel_version=ask["version"], quiet=True
    )
    return {"ref": made.ref}


def scored(api: Any, ask: Words) -> Words:
    """One submission as it stands."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionRequest

    with api.build_kaggle_client() as kaggle:
        request = ApiGetSubmissionRequest()
        request.ref = ask["ref"]
        return plain(kaggle.competitions.competition_api_client.get_submission(request))


def download(api: Any, ask: Words) -> Words:
    """The competition's zip at `part`, gone on with where a part of the same one lies there; or same: true, where `have` is what it is."""
    from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with api.build_kaggle_client() as kaggle:
        request = ApiDownloadDataFilesRequest()
        request.competition_name = ask["competition"]
        response = kaggle.competitions.competition_api_client.download_data_files(request)
        total = int(response.headers.get("Content-Length") or 0)
        changed = response.headers.get("Last-Modified")
        since = parsedate_to_datetime(changed).timestamp() if changed else 0.0
        have = ask.get("have")
        if have and have["bytes"] == total and have["time"] + 1 >= since:
            response.close()
            return {"same": True, "bytes": total, "time": since}
        tell(total_bytes=total)
        api.download_file(response, ask["part"], kaggle.http_client(), True, True)
    return {"same": False, "bytes": total, "time": since}


def _end_with(parent: int) -> None:
    """Ends this process once the one that asked is gone: the next command would write to the same file."""
    while os.getppid() == parent:
        sleep(1)
    os._exit(1)


def whoami(api: Any, ask: Words) -> Words:
    """The user's name at Kaggle."""
    return {"user": api.config_values.get(api.CONFIG_NAME_USER, "")}


def dataset(api: Any, ask: Words) -> Words:
    """The address of the dataset that was made of a folder, or of its new version."""
    import requests

    try:
        api.dataset_status(ask["id"])
        made = api.dataset_create_version(ask["folder"], ask["message"], quiet=True, convert_to_csv=False)
    except requests.HTTPError as error:  # 403 and 404 both say that there is none
        if error.response is None or error.response.status_code not in (403, 404):
            raise
        made = api.dataset_create_new(ask["folder"], public=False, quiet=True, convert_to_csv=False)
    return {"url": made.url, "status": made.status, "error": made.error}


def dataset_status(api: Any, ask: Words) -> Words:
    """What Kaggle is doing with a dataset: "ready" when it can be used."""
    return {"status": api.dataset_status(ask["id"])}


def dataset_files(api: Any, ask: Words) -> list[str]:
    """The names of a dataset's files. The client leaves out those whose upload failed, and says nothing."""
    names: list[str] = []
    token = None
    for _ in range(MOST_PAGES):
        page = api.dataset_list_files(ask["id"], page_token=token, page_size=PAGE)
        names += [file.name for file in page.files or []]
        token = page.next_page_token
        if not token:
            break
    return names


def kernel(api: Any, ask: Words) -> Words:
    """The version of the notebook that was pushed and is being run, its errors, and the sources that Kaggle does not know."""
    made = api.kernels_push(ask["folder"])
    unknown = [*made.invalid_dataset_sources, *made.invalid_competition_sources, *made.invalid_kernel_sources, *made.invalid_model_sources]
    return {"version": made.version_number, "url": made.url, "error": made.error, "unknown": unknown}


def kernel_status(api: Any, ask: Words) -> Words:
    """How the run of a notebook stands."""
    found = api.kernels_status(ask["id"])
    return {"status": found.status.name, "error": found.failure_message}


def plain(one: Any) -> Words:
    """A submission in our words; scores are text at Kaggle, and times are UTC without saying so."""
    return {
        "ref": one.ref,
        "status": one.status.name.lower(),
        "public": number(one.public_score),
        "private": number(one.private_score),
        "error": one.error_description or "",
        "message": one.description or "",
        "name": one.file_name or "",
        "time": (one.date or datetime.now(UTC)).replace(tzinfo=UTC).isoformat(timespec="seconds"),
    }


def number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


class UploadError(Exception):
    """The file did not arrive; the client swallows why."""


def failure_of(error: BaseException) -> Words:
    """What went wrong, in plain values and without addresses: those of uploads are signed, and good for whoever reads them."""
    import requests

    response = getattr(error, "response", None)
    if response is not None:  # `if response` is false for every 4xx and 5xx
        return {
            "kind": "http",
            "status": response.status_code,
            "reason": reason_of(response),
            "retry_after": response.headers.get("Retry-After", ""),
            "call": response.url.partition("?")[0].rpartition("/")[2],
        }
    if isinstance(error, UploadError):
        return {"kind": "upload"}
    if isinstance(error, SystemExit):  # what authenticate() ends with
        return {"kind": "credentials"}
    if isinstance(error, ImportError):
        return {"kind": "client", "module": error.name or str(error)}
    if isinstance(error, requests.RequestException | ConnectionError | TimeoutError):
        causes = [type(error).__name__]
        inner: Any = error
        while (inner := getattr(inner, "reason", None) or (inner.args[0] if getattr(inner, "args", ()) else None)) is not None:
            if isinstance(inner, BaseException) and type(inner).__name__ not in causes:
                causes.append(type(inner).__name__)
        return {"kind": "network", "what": ", ".join(causes)}
    if isinstance(error, OSError):
        return {"kind": "file", "what": f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)}
    if isinstance(error, ValueError):
        return {"kind": "refused_here", "what": str(error)}
    return {"kind": "bug", "what": f"{type(error).__name__}: {error}"}


def reason_of(response: Any) -> str:
    """The server's own words: nested in "error" as api.kaggle.com does it, or beside a "code"; the client looks for the latter alone."""
    try:
        body = response.json()
        nested = body.get("error")
        said = nested.get("message") if isinstance(nested, dict) else body.get("message")
    except (ValueError, AttributeError):
        return ""
    return " ".join(str(said or "").split())


VERBS: dict[str, Callable[[Any, Words], Any]] = {
    "look": look,
    "listed": listed,
    "submit": submit,
    "submit_code": submit_code,
    "scored": scored,
    "download": download,
    "whoami": whoami,
    "dataset": dataset,
    "dataset_status": dataset_status,
    "dataset_files": dataset_files,
    "kernel": kernel,
    "kernel_status": kernel_status,
}


def tell(**line: Any) -> None:
    print(json.dumps(line), file=TO_PARENT, flush=True)


def signed_in() -> Any:
    """The client, authenticated. Importing it has tried that already, and swallowed why it failed."""
    import kaggle

    api = kaggle.api
    if api.CONFIG_NAME_AUTH_METHOD not in api.config_values:
        api.authenticate()
    return api


def main() -> None:
    for line in sys.stdin:
        ask = json.loads(line)
        tell(stage="begun")
        try:
            answer = VERBS[ask["verb"]](signed_in(), ask)
        except (Exception, SystemExit) as error:
            tell(failure=failure_of(error))
        else:
            tell(answer=answer)


if __name__ == "__main__":
    TO_PARENT = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    main()
