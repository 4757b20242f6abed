"""The wheels of a package: our own, built from this checkout, and those of what predicting imports and Kaggle's image lacks.

Versions are those installed here, so that a notebook computes what was computed here. What has compiled libraries that fit each other and
the machine's drivers (torch, numpy and their like) is taken from Kaggle's image, which has all of IMAGE. That image was not looked at from
here: its list is from public knowledge; `--with NAME` packs more.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from submissions.errors import SubmissionError

ROOT = Path(__file__).parents[1]
SCRIPTS = ("predict.py",)
SETUPTOOLS = 77  # what pyproject.toml asks for
NOT_PACKED = ("tests", "benchmarks")

LACKING: tuple[str, ...] = (  # by Kaggle's image, or there in another version
    "pandas",  # 3; the image has 2
    "timm",
    "albumentations",
    "albucore",
    "simsimd",
    "stringzilla",
    "pydantic",
    "pydantic_core",
    "annotated-types",
    "typing-inspection",
    "typing_extensions",
    "tyro",
    "typeguard",
    "docstring_parser",
    "tomli_w",
    "safetensors",
    "accelerate",
    "filelock",
    "psutil",
    "rich",
    "markdown-it-py",
    "mdurl",
    "Pygments",
)

IMAGE: tuple[str, ...] = (  # what a clean environment is given here, in the place of Kaggle's image
    "torch",
    "torchvision",
    "triton",
    "sympy",
    "mpmath",
    "networkx",
    "Jinja2",
    "MarkupSafe",
    "fsspec",
    "setuptools",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "threadpoolctl",
    "narwhals",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
    "PyYAML",
    "python-dateutil",
    "tzdata",
    "packaging",
    "requests",
    "urllib3",
    "idna",
    "certifi",
    "charset-normalizer",
    "tqdm",
    "huggingface_hub",
    "hf-xet",
    "httpx2",
    "httpcore2",
    "h11",
    "anyio",
    "truststore",
    "click",
    "nvidia-*",
    "cuda-*",
)


def put_wheels(directory: Path, more: Sequence[str], python: str) -> list[Path]:
    """Our wheel and those of LACKING and `more`, for a Python ("3.11") on x86-64 Linux.

    Raises: SubmissionError with pip's last words where one cannot be had.
    """
    with tempfile.TemporaryDirectory() as copied:
        _copy_sources(Path(copied))
        _pip("wheel", "--no-deps", *_isolation(), "--wheel-dir", str(directory), copied)
    platforms = [f"--platform={name}" for name in ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")]
    target = ["--only-binary=:all:", "--no-deps", f"--python-version={python}", "--implementation=cp", *platforms]
    _pip("download", *target, "--dest", str(directory), *map(_pinned, [*LACKING, *more]))
    return sorted(directory.glob("*.whl"))


def _copy_sources(to: Path) -> None:
    """The packages without what an earlier build left beside them: that would get into the wheel."""
    for path in ROOT.iterdir():
        if path.name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy2(path, to / path.name)
        elif (path / "__init__.py").is_file() and path.name not in NOT_PACKED:
            shutil.copytree(path, to / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    if not (to / "pyproject.toml").is_file():
        raise SubmissionError(f"{ROOT}: has no pyproject.toml: pack from a checkout of the code, not from where pip installed it")


def _isolation() -> list[str]:
    """A setuptools that is here and new enough need not be fetched."""
    try:
        enough = int(version("setuptools").split(".")[0]) >= SETUPTOOLS
    except PackageNotFoundError:
        enough = False
    return ["--no-build-isolation"] if enough else []


def _pinned(name: str) -> str:
    if "=" in name:
        return name
    try:
        return f"{name}=={version(name)}"
    except PackageNotFoundError:
        raise SubmissionError(f"--with {name}: is not installed here, so its version is not known; say NAME==VERSION") from None


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip().startswith("ERROR")] or done.stderr.splitlines()
        told = "\n  ".join(line.strip()[:300] for line in lines[-3:])
        raise SubmissionError(f"pip {words[0]} failed (wheels come from PyPI, and need a network here):\n  {told}")
