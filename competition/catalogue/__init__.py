"""Competitions known by name: each a module with `load(ask: CompetitionConfig) -> Competition`, imported when it is asked for."""

CATALOGUE: dict[str, str] = {
    "digits": "competition.catalogue.digits",
}
