"""The error of this room."""


class SubmissionError(ValueError):
    """Tables cannot be blended or made into a submission, or a submission would be refused. Scripts print it and exit 2."""
