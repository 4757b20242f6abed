"""A package goes to Kaggle: what the server received of the dataset and the notebook, and each way in which that fails."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from competition.atomic import write_json
from competition.errors import InputError
from submissions.errors import SubmissionError
from submissions.log import log_path, read_log
from submissions.message import words_of
from submissions.offline import MARK
from submissions.pack import NOBODY, Package, dataset_metadata, kernel_metadata, package_name, write_notebook, write_script
from submissions.push import entry_of, named, push
from tests.submissions.failures import prepared
from tests.submissions.kaggle_endpoint import USER, Drops, Fails, Tree, lead_to, serving
from tests.submissions.test_failures import CONTEST, QUICK

ENDS = replace(QUICK, retries=(0.0,))


def packed(directory: Path, user: str = NOBODY, notebook: bool = False) -> Package:
    """A package without its wheels and weights."""
    package = Package(directory / "package", package_name(CONTEST.name, ["base-1a2b3c"]), user, CONTEST.name)
    package.dataset.mkdir(parents=True)
    package.kernel.mkdir()
    (package.dataset / "runs--base-1a2b3c--fold0--model.safetensors").write_bytes(b"weights")
    (package.dataset / "predict.py").write_text("print()")
    write_json(package.dataset / MARK, {"runs": ["runs/base-1a2b3c"]})
    write_json(package.dataset / "dataset-metadata.json", dataset_metadata(package))
    code = write_notebook(package.kernel) if notebook else write_script(package.kernel)
    write_json(package.kernel / "kernel-metadata.json", kernel_metadata(package, "t4", code))
    return package


@pytest.mark.parametrize("notebook", [False, True])
def test_dataset_and_notebook_are_uploaded_waited_for_and_submitted(
    notebook: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    package = packed(tmp_path, notebook=notebook)
    with serving(slug=CONTEST.name, notebooks_only=True, dataset_ready_after=2) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        assert push(package, CONTEST, 0.91, "offline", Path("runs"), QUICK) == 0
        name = f"{USER}/leaf-diseases-base-1a2b3c"
        (dataset,) = endpoint.datasets[name]
        assert (dataset["isPrivate"], dataset["licenseName"]) == (True, "CC0-1.0")
        assert endpoint.files_in == {
            path.name: path.read_bytes() for path in package.dataset.iterdir() if path.name != "dataset-metadata.json"
        }
        (kernel,) = endpoint.kernels[name]
        assert kernel["enableInternet"] is False
        assert (kernel["enableGpu"], kernel["machineShape"], kernel["isPrivate"]) == (True, "NvidiaTeslaT4", True)
        assert (kernel["datasetDataSources"], kernel["competitionDataSources"]) == ([name], [CONTEST.name])
        assert kernel["kernelType"] == ("notebook" if notebook else "script")
        assert "--no-index" in kernel["text"]
        (submission,) = endpoint.of("CreateCodeSubmission")
        assert (submission["kernelOwner"], submission["kernelSlug"], submission["kernelVersion"]) == (*name.split("/"), 1)
        assert submission["fileName"] == "submission.csv"
        assert "offline cv=0.91000" in submission["submissionDescription"]
        assert submission["submissionDescription"].endswith(f"run=base-1a2b3c file={entry_of(package, None, '').id}")
    assert "public accuracy 0.90000, out of fold 0.91000" in capsys.readouterr().out
    (row,) = read_log(log_path(Path("runs"), CONTEST.name))
    assert (row.public, row.cv, row.runs) == (0.9, 0.91, ("base-1a2b3c",))


def test_a_lost_answer_is_looked_up_and_a_package_is_submitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(slug=CONTEST.name) as endpoint:
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        endpoint.datasets[f"{USER}/leaf-diseases-base-1a2b3c"] = [{}]
        endpoint.trouble["CreateCodeSubmission"].append(Drops(accepted=True))
        package = packed(tmp_path)
        for _ in range(2):
            assert push(package, CONTEST, None, "", Path("runs"), QUICK) == 0
        assert len(endpoint.of("CreateDataset")) == 0
        assert len(endpoint.of("CreateDatasetVersion")) == 1
        assert len(endpoint.submissions) == len(endpoint.of("CreateCodeSubmission")) == 1
        assert push(package, CONTEST, None, "", Path("runs"), QUICK, again=True) == 0
        assert [words_of(made["description"])["file"] for made in endpoint.submissions] == [
            f"{entry_of(package, None, '').id}{again}" for again in (".2", "")
        ]
        assert [call["kernelVersion"] for call in endpoint.of("CreateCodeSubmission")] == [1, 2]


WRONG: dict[str, tuple[Tree, str]] = {
    "sources": ({"unknown_sources": ["someone/else"]}, r"Kaggle does not know these sources of the notebook: someone/else"),
    "kernel": (
        {"kernel_ends": "ERROR", "kernel_error": "out of memory"},
        r"ended with ERROR: out of memory\n  its log: https://www\.kaggle\.com/code/",
    ),
    "upload": ({"always": {"CreateDataset": Fails(500)}}, r"Kaggle has an error of its own \(500\)"),
    "blob": (
        {"trouble": {"PUT": [Fails(403)]}},
        r"Kaggle did not take the dataset .*: 1 of 3 files did not arrive: '(podium-package|predict|runs--)",
    ),
    "rules": ({"always": {"CreateCodeSubmission": Fails(403)}}, r"https://www\.kaggle\.com/competitions/leaf-diseases/rules"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_is_told_and_nothing_is_submitted(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, told = WRONG[case]
    with serving(slug=CONTEST.name) as endpoint:
        prepared(endpoint, given)
        lead_to(endpoint, tmp_path / "home", monkeypatch)
        with pytest.raises(InputError, match=told):
            push(packed(tmp_path), CONTEST, None, "", tmp_path / "runs", QUICK)
        assert endpoint.submissions == []


def test_a_package_of_somebody_else_is_not_pushed(tmp_path: Path) -> None:
    package = packed(tmp_path, "somebody")
    with pytest.raises(SubmissionError, match=r"is made for somebody, the credentials are those of me: pack it again"):
        named(package, "me")
    assert json.loads((package.dataset / "dataset-metadata.json").read_text())["id"] == "somebody/leaf-diseases-base-1a2b3c"


def test_names_fit_what_kaggle_allows() -> None:
    assert package_name("a", ["b"]) == "a-b000"
    assert package_name("Leaf_Diseases", ["base-1a2b3c"]) == "leaf-diseases-base-1a2b3c"
    assert 6 <= len(package_name("x" * 60, ["y"])) <= 50
    long = "ranzcr-clip-catheter-line-classification"
    assert package_name(long, ["baseline-1a2b3c"]) == f"{long}-ba-1a2b3c"
    several = {package_name(long, [f"run-{number:06x}" for number in range(count)]) for count in range(1, 9)}
    assert len(several) == 8
    assert max(map(len, several)) <= 50
