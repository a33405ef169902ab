"""What is asked of a source at most, whatever its kind."""

from typing import Final

CONNECTIONS: Final = 16  # at a time
