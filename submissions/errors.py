"""The error of this room."""

from competition.errors import InputError


class SubmissionError(InputError):
    """Tables cannot be blended or made into a submission, or a submission would be refused."""
