"""CPU and memory of worker pods: defaults, and what the CDIConfig says instead."""

from collections.abc import Mapping
from typing import Any, Final

from cdi.storage import documents

# A worker holds a few buffers of some MiB each; what it reads and writes is cached outside it
# but counts against its limit, hence the room above.
DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {
    "limits": {"cpu": "750m", "memory": "600M"},
    "requests": {"cpu": "100m", "memory": "60M"},
}


def resources_for(said: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """Return limits and requests; each of the four values can be said by itself."""
    return {
        bound: {name: str(documents.at(said, bound, name) or value) for name, value in of.items()}
        for bound, of in DEFAULTS.items()
    }
