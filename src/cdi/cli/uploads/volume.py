"""
Finding or making the volume of `cdi image-upload`, and waiting until somebody takes bytes for it.

What is decided about objects is in `documents` and `existing`. Lines for people go to standard
output, as those of `virtctl` do. Times are in seconds. Raises Failed and what `kube.client` raises.
"""

from dataclasses import dataclass, field
from typing import Final

from cdi.api import annotations
from cdi.cli.uploads import documents, existing, kinds
from cdi.cli.uploads.arguments import Kind, Wanted
from cdi.cli.uploads.failure import Failed
from cdi.kube import errors, objects
from cdi.kube.client import Client, Patch
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object
from cdi.kube.resource import EVENTS, STORAGE_CLASSES, Resource

PAUSE: Final = 2.0  # between two looks
LONGEST: Final = 24 * 3600.0  # that a conversion may take
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_WAITS: Final = ("WaitForFirstConsumer", "PendingPopulation")
_SUCCEEDED: Final = "Succeeded"
_BEING_CHANGED: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


@dataclass(frozen=True, slots=True)
class Volume:
    """Looks after one volume."""

    client: Client
    namespace: str
    wanted: Wanted
    clock: Clock = field(default_factory=SystemClock)

    async def ensure(self) -> None:
        """Use the volume that is there, or make it."""
        claim = await self._read(kinds.CLAIMS, self.wanted.name)
        if claim is None and self.wanted.flags.no_create:
            claim = await self.client.get(kinds.CLAIMS, self.wanted.name, self.namespace)
        if claim is None:
            await self._make()
            return
        await self._use(claim)

    async def await_server(self) -> None:
        """Return once bytes are taken for the volume."""
        print(f"Waiting for PVC {self.wanted.name} upload pod to be ready...", flush=True)
        until = self.clock.now() + self.wanted.flags.wait_seconds
        while not await self._takes_bytes():
            if self.clock.now() + PAUSE > until:
                raise Failed(
                    f"timed out after {self.wanted.flags.wait_seconds:g} s waiting for the upload "
                    f"pod of {self._named()}; `cdi explain {self._short()} {self.wanted.name} -n "
                    f"{self.namespace}` says what it waits for"
                )
            await self._look_for_trouble()
            await self.clock.sleep(PAUSE)
        print("Pod now ready", flush=True)

    async def await_content(self) -> None:
        """Return once the volume has its content."""
        until = self.clock.now() + LONGEST
        while not await self.is_finished():
            if self.clock.now() > until:
                raise Failed(
                    f"timed out waiting for {self._named()} to be processed; look at its upload pod"
                )
            await self.clock.sleep(PAUSE)

    async def is_finished(self) -> bool:
        """Whether the volume has its content. Raises Failed if it never will."""
        claim = await self.client.get(kinds.CLAIMS, self.wanted.name, self.namespace)
        return objects.annotations(claim).get(annotations.POD_PHASE) == _SUCCEEDED

    async def token(self) -> str:
        """A token for an upload, good for some minutes."""
        asked = {
            "metadata": {"generateName": "token-for-virtctl-", "namespace": self.namespace},
            "spec": {"pvcName": self.wanted.name},
        }
        answer = await self.client.create(kinds.TOKEN_REQUESTS, asked)
        return str(objects.get(answer, "status", "token", default=""))

    async def uid(self) -> str:
        """Of the claim; empty while there is none."""
        claim = await self._read(kinds.CLAIMS, self.wanted.name)
        return objects.uid(claim) if claim else ""

    async def publish(self) -> None:
        """A DataSource that leads to the volume."""
        made = documents.data_source(self.wanted, self.namespace)
        try:
            await self.client.create(kinds.DATA_SOURCES, made)
        except errors.AlreadyExists:
            marks = made["metadata"]["labels"]
            source = {**made["spec"]["source"], "snapshot": None, "dataSource": None}
            change: Object = {"spec": {"source": source}}
            if marks:
                change["metadata"] = {"labels": marks}
            await self.client.patch(
                kinds.DATA_SOURCES, self.wanted.name, self.namespace, change, Patch.MERGE
            )
            print(f"Updated an existing DataSource {self._named_only()}", flush=True)
        else:
            print(f"Created a new DataSource {self._named_only()}", flush=True)

    async def _make(self) -> None:
        documents.check(self.wanted)
        print(f"PVC {self._named_only()} not found", flush=True)
        if self.wanted.flags.storage_class:
            await self.client.get(STORAGE_CLASSES, self.wanted.flags.storage_class)
        made = documents.volume_for(self.wanted, self.namespace)
        await self.client.create(self._resource(), made)
        print(f"{self.wanted.kind.value} {self._named_only()} created", flush=True)

    async def _use(self, claim: Object) -> None:
        is_volume = self.wanted.kind is Kind.DATA_VOLUME
        volume = await self._read(kinds.DATA_VOLUMES, self.wanted.name) if is_volume else None
        existing.check_data_volume(self.wanted, claim, volume)
        if existing.is_populated(volume):
            await self._use_prime(claim)
        else:
            existing.check_claim(self.wanted, claim)
        if annotations.UPLOAD_TARGET not in objects.annotations(claim) and not is_volume:
            await self._annotate(kinds.CLAIMS, {annotations.UPLOAD_TARGET: ""})
        print(f"Using existing PVC {self._named_only()}", flush=True)

    async def _use_prime(self, claim: Object) -> None:
        name = existing.prime_of(self.wanted, claim)
        if not name:
            # There is none before somebody says where the volume may be: here, at once.
            for resource in (kinds.DATA_VOLUMES, kinds.CLAIMS):
                await self._annotate(resource, {annotations.BIND_IMMEDIATE: ""})
            return
        try:
            prime = await self.client.get(kinds.CLAIMS, name, self.namespace)
        except errors.NotFound as error:
            raise Failed(f"Unable to get PVC Prime {name}: {error}") from error
        existing.check_claim(self.wanted, prime)

    async def _annotate(self, resource: Resource, notes: dict[str, str]) -> None:
        change = {"metadata": {"annotations": notes}}
        await self.client.patch(resource, self.wanted.name, self.namespace, change, Patch.MERGE)

    async def _takes_bytes(self) -> bool:
        if self.wanted.kind is Kind.CLAIM:
            claim = await self._read(kinds.CLAIMS, self.wanted.name)
            if claim is None:
                return False
            notes = objects.annotations(claim)
            if notes.get(annotations.POD_PHASE) == _SUCCEEDED:
                raise Failed(f"PVC {self.wanted.name} already successfully imported/cloned/updated")
            return notes.get(annotations.POD_READY, "") in _TRUE
        volume = await self._read(kinds.DATA_VOLUMES, self.wanted.name)
        return volume is not None and self._is_upload_ready(volume)

    def _is_upload_ready(self, volume: Object) -> bool:
        phase = str(objects.get(volume, "status", "phase", default=""))
        if phase in _WAITS and not self.wanted.flags.force_bind:
            raise Failed(
                f"cannot upload to DataVolume in {phase} phase, make sure the PVC is Bound, or use "
                "force-bind flag"
            )
        if phase in (_SUCCEEDED, "Failed"):
            raise Failed(f"DataVolume {self._named_only()} is {phase}: it takes no upload")
        return phase == "UploadReady"

    async def _look_for_trouble(self) -> None:
        """Tell people at once what would only time out."""
        claim = await self._read(kinds.CLAIMS, self.wanted.name)
        volume = (
            await self._read(kinds.DATA_VOLUMES, self.wanted.name)
            if self.wanted.kind is Kind.DATA_VOLUME
            else None
        )
        known = {objects.uid(each) for each in (claim, volume) if each is not None}
        try:
            found = await self.client.list(EVENTS, self.namespace)
        except errors.Forbidden:
            return
        for event in found:
            if objects.get(event, "involvedObject", "uid") in known:
                _raise_trouble(event)

    async def _read(self, resource: Resource, name: str) -> Object | None:
        try:
            return await self.client.get(resource, name, self.namespace)
        except errors.NotFound:
            return None

    def _resource(self) -> Resource:
        return kinds.CLAIMS if self.wanted.kind is Kind.CLAIM else kinds.DATA_VOLUMES

    def _short(self) -> str:
        return "pvc" if self.wanted.kind is Kind.CLAIM else "dv"

    def _named(self) -> str:
        return f"{self.wanted.kind.value} {self._named_only()}"

    def _named_only(self) -> str:
        return f"{self.namespace}/{self.wanted.name}"


def _raise_trouble(event: Object) -> None:
    reason, message = event.get("reason"), str(event.get("message", ""))
    kind = objects.get(event, "involvedObject", "kind")
    if kind == "DataVolume" and reason == "ErrClaimNotValid":
        raise Failed(f"Claim not valid: {message}")
    failed = kind == "PersistentVolumeClaim" and reason == "ProvisioningFailed"
    if failed and _BEING_CHANGED not in message:
        raise Failed(f"Provisioning failed: {message}")
