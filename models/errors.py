"""The error of this room."""

from competition.errors import InputError


class ModelError(InputError):
    """A backbone, weights, a checkpoint or training settings are not usable as they are."""
