"""
What a worker's container runs: the one image, and the module that is the worker.

Controllers name it in a pod's command; whoever runs pods as processes knows the worker by it.
"""

from __future__ import annotations

from typing import Final

IMPORTER: Final = "cdi.workers.importer"
POLLER: Final = "cdi.workers.poller"
UPLOAD_SERVER: Final = "cdi.workers.uploadserver"
CLONE_SOURCE: Final = "cdi.workers.clonesource"
COPIER: Final = "cdi.workers.copier"  # copies one volume into another on the same node
IMAGE_SIZE: Final = "cdi.workers.imagesize"  # says how large the disk in a volume is
SOURCE_SIZE: Final = "cdi.workers.sourcesize"  # says how large the disk at a source is
PREP: Final = "cdi.workers.prep"  # does nothing: that it uses a claim is enough


def command_of(role: str) -> list[str]:
    """The command of a container in that role."""
    return ["python3", "-m", role]
