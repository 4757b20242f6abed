"""Any text as a terminal, a log or a page may show it: what would steer them is written out, and secrets are stars."""

import os
import re

# Control characters but tab and line end, marks that turn the direction of writing, line ends of other kinds, halves of letters.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")
SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")  # KAGGLE_KEY, KAGGLE_API_TOKEN, WANDB_API_KEY, HF_TOKEN, ...
FEWEST_SECRET = 8  # letters; what is shorter is found in any text
IN_ADDRESS = re.compile(
    r"(?<=://)[^/\s@]+(?=@)"  # https://USER:PASSWORD@host
    r"|(?<=[?&])((?:[\w-]*(?:token|signature|password|secret)|(?:api_?)?key)=)[^&\s'\"]+",
    re.IGNORECASE,
)
STARS = "***"


def plain(text: str) -> str:
    """The text, lines and tabs as they are: `\\x1b` stands for an escape, `***` for a password in an address and for what the environment
    holds under a name like HF_TOKEN."""
    text = STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    for secret in _secrets():
        text = text.replace(secret, STARS)
    return IN_ADDRESS.sub(lambda found: (found[1] or "") + STARS, text) if "://" in text else text


def _secrets() -> list[str]:
    named = [value for name, value in os.environ.items() if len(value) >= FEWEST_SECRET and SECRET_VARIABLE.search(name)]
    return [value for value in named if not os.access(value, os.F_OK)]  # KAGGLE_API_TOKEN may name a file
