"""A cluster that runs pods, with CDI installed by its operator from manifests of this project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from support import apiserver

LONG = 180  # seconds that Kubernetes may take for a whole installation
OLD, NEW = "v0.0.9", "v0.1.0"
NAMESPACE = "cdi"


@dataclass(frozen=True)
class Cluster:
    """kubectl, and manifests of this project."""

    kubeconfig: str
    image: str

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        found = subprocess.run(
            [apiserver.kubectl(), "--kubeconfig", self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONG + 60,
        )
        if check and found.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {found.stderr}")
        return found.stdout + found.stderr

    def get(self, *what: str) -> dict:
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def manifests(self, part: str, version: str = NEW) -> str:
        command = [sys.executable, "-m", "cdi", "manifests", part, "--image", self.image]
        found = subprocess.run(
            [*command, "--version", version], capture_output=True, text=True, check=True
        )
        return found.stdout

    def apply(self, text: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=text)

    def wait(self, what: str, condition: str, *options: str) -> None:
        self.kubectl("wait", what, f"--for={condition}", f"--timeout={LONG}s", *options)

    def install(self, version: str = NEW) -> None:
        self.apply(self.manifests("operator", version))
        self.apply(self.manifests("cr"))
        self.wait("cdi/cdi", f"jsonpath={{.status.observedVersion}}={version}")
        self.wait("cdi/cdi", "condition=Available")

    def remove(self) -> None:
        """The CDI object, and with it everything but the operator."""
        self.kubectl("delete", "cdi", "--all", f"--timeout={LONG}s")

    def conditions(self, name: str = "cdi") -> dict[str, str]:
        found = self.get("cdi", name)["status"]["conditions"]
        return {each["type"]: each["status"] for each in found}
