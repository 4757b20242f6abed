import json
from pathlib import Path

import pytest

from competition.credentials import find_credentials


def put(path: Path, text: str = json.dumps({"username": "me", "key": "k"}), mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_order_is_that_of_the_client(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    assert find_credentials(environment).used == ""
    oauth = put(tmp_path / ".kaggle" / "credentials.json", "{}")
    assert find_credentials(environment).used == f"{oauth} (kaggle auth login)"
    key = put(tmp_path / ".kaggle" / "kaggle.json")
    assert (find_credentials(environment).used, find_credentials(environment).user) == (str(key), "me")
    environment |= {"KAGGLE_USERNAME": "you", "KAGGLE_KEY": "x"}
    assert find_credentials(environment).used == "KAGGLE_USERNAME and KAGGLE_KEY"
    token = put(tmp_path / ".kaggle" / "access_token", "KGAT_x")
    found = find_credentials(environment)
    assert (found.used, found.remove) == (str(token), f"rm {token}")
    found = find_credentials({**environment, "KAGGLE_API_TOKEN": "KGAT_y"})
    assert (found.used, found.remove) == ("the environment variable KAGGLE_API_TOKEN", "unset KAGGLE_API_TOKEN")
    assert found.passed_over == (str(token), "KAGGLE_USERNAME and KAGGLE_KEY", f"{oauth} (kaggle auth login)")


def test_the_environment_goes_over_a_part_of_the_file(tmp_path: Path) -> None:
    key = put(tmp_path / ".config" / "kaggle" / "kaggle.json", '{"username": "me"}')
    found = find_credentials({"HOME": str(tmp_path), "KAGGLE_KEY": "x"})
    assert (found.used, found.remove, found.user) == (f"KAGGLE_KEY and {key}", "unset KAGGLE_KEY", "me")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_noted_with_the_command_that_mends_it(mode: int, tmp_path: Path) -> None:
    key = put(tmp_path / ".kaggle" / "kaggle.json", mode=mode)
    assert find_credentials({"HOME": str(tmp_path)}).notes == (f"{key} can be read by others on this machine: chmod 600 {key}",)


@pytest.mark.parametrize(
    ("text", "noted"),
    [("username, key", "is no JSON"), ("[]", "is no JSON"), ('{"username": "me"}', "lacks key"), ("{}", "lacks username and key")],
)
def test_a_key_that_is_none_is_noted(text: str, noted: str, tmp_path: Path) -> None:
    put(tmp_path / ".config" / "kaggle" / "kaggle.json", text)
    found = find_credentials({"HOME": str(tmp_path)})
    assert found.used == ""
    assert noted in found.notes[0]


def test_an_empty_directory_hides_a_key(tmp_path: Path) -> None:
    key = put(tmp_path / ".config" / "kaggle" / "kaggle.json")
    (tmp_path / ".kaggle").mkdir()
    found = find_credentials({"HOME": str(tmp_path)})
    assert (found.used, found.notes) == (
        "",
        (f"{key} is not looked at, because {tmp_path / '.kaggle'} is there: mv {key} {tmp_path / '.kaggle' / 'kaggle.json'}",),
    )
    moved = find_credentials({"HOME": str(tmp_path), "KAGGLE_CONFIG_DIR": str(key.parent)})
    assert moved.used == str(key)
