"""
What is asked of vSphere, as plain values: the only module that knows pyvmomi.

A session that has run out is renewed once a call, and a call that got no answer is made again.
Every call blocks, at most TIMEOUT seconds for each answer. Whom the answers are believed from is
in `access`.

Raises Cancelled, NotFound, AccessDenied, CertificateInvalid, SourceRefused, SourceUnavailable,
InvalidRequest.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyVmomi import SoapStubAdapter, vim, vmodl

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.http import retry
from cdi.images.sources.vddk import access
from cdi.images.sources.vddk.access import Address, Credentials
from cdi.images.sources.vddk.values import Answer, Disk, Machine, Snapshot

log = logging.getLogger(__name__)

T = TypeVar("T")
TIMEOUT = 60.0
_RETRIES = retry.Policy(tries=4, base=1.0)
_LONGEST_CHAIN = 25  # files that a disk builds on
_DEEPEST = 64  # snapshots upon snapshots; vSphere allows 32


class Vsphere(Closing):
    """A session. Use as a context manager; the constructor logs in, the end logs out."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        halt: threading.Event | None = None,
        retries: retry.Policy = _RETRIES,
    ) -> None:
        self._halt, self._retries = halt or threading.Event(), retries
        self._shown = f"https://{address.host}"
        self._credentials = credentials
        self._lock = threading.Lock()  # one call at a time: a renewal must not meet another
        self._stub = SoapStubAdapter(
            host=address.host,
            port=address.port,
            path=address.path,
            sslContext=access.context_for(credentials),
            httpConnectionTimeout=TIMEOUT,
        )
        self._stub.scheme = access.pinned(access.digits_of(credentials.thumbprint), self._shown)
        root: Any = vim.ServiceInstance("ServiceInstance", self._stub)
        self._content: Any = self._persistently(root.RetrieveContent)
        self._persistently(self._login)

    def machine(self, uuid: str) -> Machine:
        """Return the machine with this instance UUID, or else with this BIOS UUID."""
        return self._call(lambda: self._machine(uuid))

    def changed(self, machine: str, snapshot: str, key: int, start: int, since: str) -> Answer:
        """Ask what changed of a disk from `start` on: since a change id, until a snapshot."""
        return self._call(lambda: self._changed(machine, snapshot, key, start, since))

    def close(self) -> None:
        """Log out; a server that does not answer ends the session by itself, later."""
        with contextlib.suppress(Exception), self._lock:
            self._content.sessionManager.Logout()
        self._stub.DropConnections()

    def _login(self) -> None:
        given = self._credentials
        self._content.sessionManager.Login(userName=given.user, password=given.password)

    def _call(self, work: Callable[[], T]) -> T:
        return self._persistently(lambda: self._in_session(work))

    def _in_session(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except vim.fault.NotAuthenticated:
            log.info("the vSphere session has ended and is renewed")
            self._login()
            return work()

    def _persistently(self, work: Callable[[], T]) -> T:
        """Ask, and ask again where no answer came: nothing that is asked changes anything."""
        budget = retry.Budget(self._retries, self._retries.tries, random.random)
        while True:
            try:
                with self._lock, self._translated():
                    return work()
            except errors.SourceUnavailable as failure:
                delay = budget.pause_after(failure)
                if delay is None:
                    raise
                log.info("vSphere is asked again", extra={"cause": str(failure), "delay": delay})
                if self._halt.wait(delay):
                    raise errors.Cancelled("the transfer was asked to stop") from None

    def _machine(self, uuid: str) -> Machine:
        for instance in (True, False):
            # Without a datacenter, all of them are searched.
            seen = self._content.searchIndex.FindAllByUuid(
                uuid=uuid, vmSearch=True, instanceUuid=instance
            )
            found = list(seen or ())
            if len(found) > 1:
                raise errors.InvalidRequest(
                    f"several virtual machines have UUID {uuid}; give the instance UUID of one"
                )
            if found:
                return _machine_of(found[0])
        raise errors.NotFound(
            f"{self._shown} has no virtual machine with UUID {uuid}, or user "
            f"{self._credentials.user} may not see it"
        )

    def _changed(self, machine: str, snapshot: str, key: int, start: int, since: str) -> Answer:
        seen = vim.VirtualMachine(machine, self._stub).QueryChangedDiskAreas(
            snapshot=vim.vm.Snapshot(snapshot, self._stub),
            deviceKey=key,
            startOffset=start,
            changeId=since,
        )
        areas = tuple((int(area.start), int(area.length)) for area in seen.changedArea or ())
        return Answer(int(seen.startOffset), int(seen.length), areas)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except errors.TransferError:
            raise
        except Exception as failure:  # pyvmomi raises what its parsers raise
            raise _error_for(self._shown, failure) from failure


def _machine_of(found: Any) -> Machine:
    tree = found.snapshot
    return Machine(
        id=found._moId,  # noqa: SLF001 - the documented name of a reference's id
        disks=_disks_in(found.config),
        roots=tuple(_snapshot_of(root, 0) for root in (tree.rootSnapshotList if tree else ())),
    )


def _snapshot_of(node: Any, depth: int) -> Snapshot:
    if depth > _DEEPEST:
        raise errors.SourceRefused("the virtual machine's snapshots are nested too deeply")
    return Snapshot(
        id=node.snapshot._moId,  # noqa: SLF001
        name=node.name,
        disks=_disks_in(node.snapshot.config),
        children=tuple(_snapshot_of(child, depth + 1) for child in node.childSnapshotList or ()),
    )


def _disks_in(config: Any) -> tuple[Disk, ...]:
    if config is None:  # a machine that cannot be reached just now
        raise errors.SourceUnavailable("vSphere does not know the virtual machine's hardware now")
    return tuple(
        _disk_of(device)
        for device in config.hardware.device
        if isinstance(device, vim.vm.device.VirtualDisk)
    )


def _disk_of(device: Any) -> Disk:
    backing = device.backing
    size = device.capacityInBytes or (device.capacityInKB or 0) * 1024
    return Disk(
        key=int(device.key),
        object_id=device.diskObjectId or str(device.key),
        file=getattr(backing, "fileName", None) or "",
        capacity=int(size),
        parents=tuple(_parents(backing)),
        change_id=getattr(backing, "changeId", None) or "",
    )


def _parents(backing: Any) -> Iterator[str]:
    parent = getattr(backing, "parent", None)
    for _ in range(_LONGEST_CHAIN):
        if parent is None:
            return
        yield parent.fileName or ""
        parent = getattr(parent, "parent", None)


# Errors.


def _error_for(shown: str, failure: Exception) -> errors.TransferError:
    said = getattr(failure, "msg", None) or getattr(failure, "strerror", None) or str(failure)
    match failure:
        case vim.fault.InvalidLogin() | vim.fault.NotAuthenticated():
            return errors.AccessDenied(f"{shown} refuses the login; check user and password")
        case vim.fault.NoPermission() | vmodl.fault.SecurityError():
            return errors.AccessDenied(f"{shown}: {said}; give the user the missing rights")
        case vmodl.fault.ManagedObjectNotFound():
            return errors.NotFound(f"{shown}: {said}; it may have been removed")
        case vim.fault.FileFault():
            return errors.SourceRefused(f"{shown}: {said}; changes since then are not known")
        case vmodl.fault.InvalidArgument():
            return errors.InvalidRequest(f"{shown}: {said}; check the checkpoints")
        case vmodl.MethodFault():
            return errors.SourceUnavailable(f"{shown}: {said}")
        case ssl.SSLCertVerificationError():
            return errors.CertificateInvalid(
                f"{shown}: the certificate is not trusted: {failure.verify_message}; "
                "give its authority as a CA certificate, or its thumbprint"
            )
        case OSError() | http.client.HTTPException():
            return errors.SourceUnavailable(f"{shown}: no answer: {said}; check address and port")
        case _:
            return errors.SourceRefused(f"{shown} gives an answer that makes no sense: {said}")
