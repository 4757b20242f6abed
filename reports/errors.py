"""The error of this room."""

from competition.errors import InputError


class ReportError(InputError):
    """A run, or what lies in its directory, cannot be drawn."""
