"""What ends `cdi image-upload`, for a person."""


class Failed(Exception):
    """It did not work; says what happened, to what, and what to do."""
