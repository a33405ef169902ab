"""What whoever runs the controllers decides, and no API object says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.storage.config import Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation."""

    worker_image: str  # of importer pods
    upload_image: str = ""  # of upload server pods; empty: the same
    namespace: str = "cdi"  # of the installation itself: its ConfigMaps and leases
    pull_policy: str = "IfNotPresent"
    verbosity: int = 1
    operated: bool = False  # an operator looks after the CDI object, and says when it counts
    spread_polls: bool = True  # pollers of one minute wait, each for a different time
    nodes_pull: bool = True  # nodes have a container runtime, which pulls images by itself
    stall_timeout: float | None = None  # seconds; None: as the workers have it
    require_walls: bool = False  # workers' tools do not run where walls around them are missing
    vddk_image: str = ""  # with VMware's library, where neither a claim nor the ConfigMap names one
    upload: Upload = field(default_factory=Upload)  # where the proxy is, if nobody has to look
    # `app.kubernetes.io/part-of` and `/version`, as the installer wants them on what we create.
    installer_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def server_image(self) -> str:
        """That of upload server pods."""
        return self.upload_image or self.worker_image
