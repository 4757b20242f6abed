"""Competitions known by name: each a module with `load(ask: CompetitionConfig) -> Competition`, imported when it is asked for.

metrics.py: what competitions that detection understands by itself are scored by.
"""

CATALOGUE: dict[str, str] = {
    "digits": "competition.catalogue.digits",
}
