"""
Clusters as their users see them: through stock kubectl.

`Cluster` is any Kubernetes on which CDI runs, opened by a kubeconfig. `Machine` is one that we
started ourselves with `cdi up`: its files can be looked at and its processes killed. Nothing here
sleeps: whatever a test waits for, `kubectl wait`, a watch or the end of a process tells.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import apiserver, manifests

DEADLINE = 90  # seconds that anything in a test may take before it counts as hung

Object = dict[str, Any]


class Refused(AssertionError):
    """kubectl failed; the text is what it said."""


@dataclass
class Cluster:
    """Some Kubernetes. `host` is the address under which it reaches servers of the tests."""

    kubeconfig: Path
    host: str = "127.0.0.1"

    @property
    def bind(self) -> str:
        """Where servers of the tests have to listen, to be reached under `host`."""
        return self.host if self.host == "127.0.0.1" else ""

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        environment: dict[str, str] | None = None,
        deadline: float = DEADLINE,
    ) -> str:
        """Run kubectl and return its output. Raises Refused with its errors."""
        done = subprocess.run(
            [apiserver.kubectl(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=deadline,
            env={**self.environment(), **(environment or {})},
        )
        if done.returncode:
            raise Refused(f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def cdi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of cdi against this cluster."""
        return subprocess.run(
            [sys.executable, "-m", "cdi", *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=self.environment(),
        )

    @contextmanager
    def following(self, *arguments: str) -> Iterator[Watch]:
        """Run a command of cdi that does not end by itself, while the block runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cdi", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )
        with _ended(process):
            yield Watch(process)

    def environment(self) -> dict[str, str]:
        """Return what makes kubectl speak to this cluster, and nothing else do."""
        home = str(self.kubeconfig.parent)
        wanted = {"KUBECONFIG": str(self.kubeconfig), "HOME": home, "KUBECTL_KUBERC": "false"}
        return {**os.environ, **wanted}

    @contextmanager
    def namespace(self) -> Iterator[Namespace]:
        """A namespace of its own; it goes with the block."""
        name = f"e2e-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        try:
            yield Namespace(self, name)
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")

    def trust(self, registry: str) -> None:
        """Have CDI ask a registry without checking its certificate, beside those it trusts so.

        Where an operator keeps CDIConfig, its CDI object says so.
        """
        found = self.kubectl("get", "cdi", "-ojsonpath={.items[*].metadata.name}").split()
        what, path = ("cdi", "config") if found else ("cdiconfig", "")
        name = found[0] if found else "config"
        while not self._listed(what, name, path, registry):
            pass  # somebody else has changed it meanwhile
        config = Namespace(self, "default")
        with config.watch("cdiconfig", "{.spec.insecureRegistries}") as watch:
            watch.until(lambda lines: any(f'"{registry}"' in line for line in lines))

    def _listed(self, what: str, name: str, path: str, registry: str) -> bool:
        now = json.loads(self.kubectl("get", what, name, "-ojson"))
        spec = now.get("spec") or {}
        given = (spec.get(path) or {}) if path else spec
        listed = {"insecureRegistries": [*(given.get("insecureRegistries") or ()), registry]}
        version = {"resourceVersion": now["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "spec": {path: listed} if path else listed}
        try:
            self.kubectl("patch", what, name, "--type=merge", "-p", json.dumps(patch))
        except Refused as refusal:
            if "the object has been modified" not in str(refusal):
                raise
            return False
        return True

    def waiting_phase(self, storage_class: str) -> str:
        """The phase of a DataVolume whose class waits for a consumer, until there is one.

        Where populators can fill its volumes, they do; others are filled where they are.
        """
        populated = self.is_populated(storage_class)
        return "PendingPopulation" if populated else "WaitForFirstConsumer"

    def is_populated(self, storage_class: str) -> bool:
        """Whether the volumes of a class can be filled before they are bound, and cloned."""
        path = "-ojsonpath={.provisioner}"
        driver = self.kubectl("get", "storageclass", storage_class, path)
        drivers = self.kubectl("get", "csidrivers", "-ojsonpath={.items[*].metadata.name}").split()
        return driver in drivers

    def complete_profile(self, storage_class: str) -> None:
        """Say of a class that it has block volumes, too, as an administrator who knows does."""
        profile = json.loads(self.kubectl("get", "storageprofile", storage_class, "-ojson"))
        known = profile.get("status", {}).get("claimPropertySets", [])
        if any(each["volumeMode"] == "Block" for each in known):
            return
        block = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}
        file = [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]
        patch = json.dumps({"spec": {"claimPropertySets": [*(known or file), block]}})
        what = ("storageprofile", storage_class)
        self.kubectl("patch", *what, "--type=merge", "-p", patch)
        modes = 'jsonpath={.status.claimPropertySets[?(@.volumeMode=="Block")].volumeMode}=Block'
        self.kubectl("wait", "/".join(what), f"--for={modes}", "--timeout=60s")

    def default_class(self) -> str:
        """The class of claims that name none."""
        found = json.loads(self.kubectl("get", "storageclass", "-ojson"))["items"]
        marked = "storageclass.kubernetes.io/is-default-class"
        (name,) = (
            each["metadata"]["name"]
            for each in found
            if each["metadata"].get("annotations", {}).get(marked) == "true"
        )
        return str(name)

    def disk_of(self, claim: Object) -> Path | None:
        """Where the bytes of a claim are, if that is on this machine."""
        name = claim["spec"]["volumeName"]
        spec = json.loads(self.kubectl("get", "pv", name, "-ojson"))["spec"]
        path = Path((spec.get("hostPath") or spec.get("local") or {}).get("path", "/nowhere"))
        if path.is_dir():
            return path / "disk.img"
        return path if path.exists() else None


@dataclass
class Namespace:
    """One namespace of a cluster."""

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """Run kubectl in this namespace; see `Cluster.kubectl`."""
        return self.cluster.kubectl("-n", self.name, *arguments, **options)

    def apply(self, *wanted: Object) -> str:
        """Apply objects as a user does."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": list(wanted)}
        return self.kubectl("apply", "-f-", stdin=json.dumps(bundle))

    def get(self, kind: str, name: str) -> Object:
        return dict(json.loads(self.kubectl("get", kind, name, "-ojson")))

    def names(self, kind: str) -> set[str]:
        """The names of all objects of a kind."""
        found = self.kubectl("get", kind, "-ojsonpath={.items[*].metadata.name}")
        return set(found.split())

    def wait_phase(self, name: str, phase: str, *, kind: str = "dv", seconds: int = 60) -> Object:
        """Wait for a phase and return the object."""
        self.wait(f"{kind}/{name}", f"jsonpath={{.status.phase}}={phase}", seconds)
        return self.get(kind, name)

    def wait(self, what: str, condition: str, seconds: int = 60) -> None:
        """`kubectl wait`, also for what is not made yet; on failure say what was there instead."""
        try:
            self._wait(what, condition, seconds)
        except Refused as refusal:
            state = self.kubectl("get", "dv,pvc,pod,events", "-oyaml")
            raise AssertionError(f"{refusal}\n{state}") from None

    def _wait(self, what: str, condition: str, seconds: int) -> None:
        wait, limit = ("wait", what, f"--timeout={seconds}s"), seconds + DEADLINE
        try:
            self.kubectl(*wait, f"--for={condition}", deadline=limit)
        except Refused as refusal:
            if "(NotFound)" not in str(refusal):
                raise
            self.kubectl(*wait, "--for=create", deadline=limit)
            self.kubectl(*wait, f"--for={condition}", deadline=limit)

    def only(self, kind: str, *names: str) -> None:
        """Wait until no others of a kind are left; what goes may take its time."""
        for other in self.names(kind) - set(names):
            self.gone(f"{kind}/{other}")
        assert self.names(kind) == set(names)

    def gone(self, *what: str) -> None:
        """Wait until objects do not exist."""
        for each in what:
            self.wait(each, "delete")

    def until_event(self, what: str, reason: str) -> None:
        """Wait for an event about an object, however long ago it was."""
        name = what.partition("/")[2]
        with self.watch("events", "{.involvedObject.name} {.reason}") as watch:
            watch.until(lambda lines: f"{name} {reason}" in lines)

    @contextmanager
    def watch(self, kind: str, jsonpath: str) -> Iterator[Watch]:
        """Record what a watch tells of every object of a kind, while the block runs."""
        with self.following("get", kind, "--watch", f'-ojsonpath={jsonpath}{{"\\n"}}') as watch:
            yield watch

    @contextmanager
    def following(self, *arguments: str) -> Iterator[Watch]:
        """Run a kubectl that does not end by itself, while the block runs."""
        process = subprocess.Popen(
            [apiserver.kubectl(), "-n", self.name, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=self.cluster.environment(),
        )
        with _ended(process):
            yield Watch(process)

    def consume(self, claim: str) -> None:
        """Be the first consumer of a claim, as virtual machines are: there, and out of the way.

        Where the claim is filled in place, nothing is written into it while a pod uses it.
        """
        self.apply(manifests.consumer("app", claim))
        self.wait(f"pvc/{claim}", "jsonpath={.spec.volumeName}")
        self.kubectl("delete", "pod", "app", "--grace-period=0", "--force")

    def conditions(self, name: str) -> dict[str, Object]:
        """The conditions of a DataVolume, by type."""
        found = self.get("dv", name)["status"]["conditions"]
        return {each["type"]: each for each in found}

    def claim_disk(self, name: str) -> Path | None:
        """Where the bytes of a claim are, if that is on this machine."""
        return self.cluster.disk_of(self.get("pvc", name))


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


class Watch:
    """Lines of a watch, as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.strip())
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def until(self, holds: Callable[[list[str]], bool], seconds: float = DEADLINE) -> list[str]:
        """Wait until `holds` of the lines so far."""
        with self._news:
            done = self._news.wait_for(lambda: holds(self.lines) or self._over, seconds)
            assert done, f"waited in vain; so far: {self.lines}"
            assert holds(self.lines), f"the watch ended early; so far: {self.lines}"
            return list(self.lines)


@dataclass
class Machine(Cluster):
    """`cdi up` over a directory of its own."""

    directory: Path = field(default=Path())
    process: subprocess.Popen[str] | None = None
    options: tuple[str, ...] = ()

    @classmethod
    def over(cls, directory: Path, *options: str) -> Machine:
        """Return a machine that is not running yet; `options` are those of `cdi up`."""
        return cls(kubeconfig=directory / "kubeconfig", directory=directory, options=options)

    def start(self) -> list[str]:
        """Start `cdi up` and wait until it is ready; return what it printed."""
        log = self.directory.with_name(f"{self.directory.name}.stderr")
        with log.open("a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cdi", "up"),
                    *("--data-dir", str(self.directory), "--listen", "127.0.0.1:0"),
                    *self.options,
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        printed = []
        for line in self.process.stdout:
            printed.append(line.rstrip("\n"))
            if printed[-1] == "ready":
                return printed
        raise AssertionError(f"cdi up ended early: {log.read_text(encoding='utf-8')}")

    def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status

    @contextmanager
    def running(self) -> Iterator[Machine]:
        """Start it, and stop it after the block if it still runs."""
        self.start()
        try:
            yield self
        finally:
            if self.process is not None:
                self.stop()

    def workers(self, module: bytes = b"cdi.workers.importer") -> list[int]:
        """The process ids of the workers that run on this machine's volumes."""
        found = []
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = status.read_bytes().split(b"\0")
                place = (status.parent / "cwd").readlink()
                if module in words and place.is_relative_to(self.directory):
                    found.append(int(status.parent.name))
        return found

    def volumes(self) -> set[str]:
        """The names of the directories with data."""
        place = self.directory / "volumes"
        return {each.name for each in place.iterdir()} if place.exists() else set()

    def is_populated(self, storage_class: str) -> bool:
        return True

    def disk_of(self, claim: Object) -> Path | None:
        return self.directory / "volumes" / claim["spec"]["volumeName"] / "disk.img"
