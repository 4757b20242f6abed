"""What a notebook at Kaggle runs, without internet: it installs the wheels of the package, lays its runs out and predicts.

It imports nothing of ours, as it is what brings ours there; `pack` copies it as it is.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

INPUT = Path(os.environ.get("KAGGLE_INPUT_DIR", "/kaggle/input"))
MARK = "podium-package.json"
OUTPUT = "submission.csv"


def main() -> int:
    """The exit code of predict.py; the CSV stands in the working directory."""
    package = find(MARK)
    facts = json.loads((package / MARK).read_text(encoding="utf-8"))
    competition = find_competition(facts["competition"])
    print(f"package {package}, competition {competition}", flush=True)
    work = Path(tempfile.mkdtemp(prefix="podium-"))
    wheels = [str(path) for path in sorted(package.glob("*.whl"))]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--find-links", str(package), "--target", str(work / "site"), *wheels], check=True)
    for flat, path in facts["places"].items():  # datasets are uploaded without folders
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).symlink_to(package / flat)
    toml = facts["toml"].replace(facts["source_mark"], json.dumps(str(competition)))
    (work / "competition.toml").write_text(toml, encoding="utf-8")
    asked = [*facts["runs"], "--competition", str(competition), "--output", str(Path.cwd() / OUTPUT), *facts["flags"]]
    environment = {**os.environ, "PYTHONPATH": str(work / "site"), "NO_ALBUMENTATIONS_UPDATE": "1"}
    return subprocess.run([sys.executable, "predict.py", *asked], cwd=work, env=environment, check=False).returncode


def find(name: str) -> Path:
    """The folder below the input that holds a file of this name."""
    found = [path.parent for depth in range(1, 5) for path in INPUT.glob("/".join(["*"] * depth) + f"/{name}")]
    if not found:
        sys.exit(f"{INPUT}: no {name} is below it: attach the dataset of the package to this notebook")
    return found[0]


def find_competition(slug: str) -> Path:
    """Where the competition's files lie."""
    places = [place for place in (INPUT / slug, INPUT / "competitions" / slug) if place.is_dir()]
    if not places:
        sys.exit(f"{INPUT}: there is no {slug}: attach the competition's data to this notebook")
    return places[0]


if __name__ == "__main__":
    code = main()
    if code:
        sys.exit(code)
