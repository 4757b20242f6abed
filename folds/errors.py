"""The error of this room."""

from competition.errors import InputError


class FoldError(InputError):
    """The folds cannot be cut as asked, or a run directory does not fit."""
