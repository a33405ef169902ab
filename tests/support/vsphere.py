"""
A vCenter that knows a few machines, spoken to by the real pyvmomi over real TLS.

It understands what the importer asks: the service content, login and logout, searching by UUID,
properties of machines and snapshots, changed areas. `Server.calls` lists the methods called.

    with vsphere.Server(context) as server:
        server.machines.append(vsphere.Machine("vm-1", "uuid-1", disks=[...]))
"""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import SoapAdapter, vim, vmodl
from pyVmomi.VmomiSupport import F_OPTIONAL, DataObject, Object

VERSION = "vim.version.version9"
NAMESPACE = "urn:vim25"
USER, PASSWORD = "administrator@vsphere.local", "s3cret-of-vsphere"
MOST_AREAS = 2000  # in one answer, as vSphere does it


@dataclass
class Disk:
    """One disk in a machine's hardware or in a snapshot's."""

    file: str
    capacity: int = 1 << 20
    object_id: str = "1-2000"
    key: int = 2000
    parents: Sequence[str] = ()
    change_id: str = ""


@dataclass
class Snapshot:
    id: str
    name: str
    disks: Sequence[Disk]
    children: Sequence[Snapshot] = ()

    def all(self) -> list[Snapshot]:
        return [self, *(one for child in self.children for one in child.all())]


@dataclass
class Machine:
    id: str
    instance_uuid: str
    disks: Sequence[Disk]
    bios_uuid: str = ""
    roots: Sequence[Snapshot] = ()
    # by snapshot and change id: areas (start, length) that changed
    changes: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)

    def snapshots(self) -> list[Snapshot]:
        return [one for root in self.roots for one in root.all()]


class Server:
    """Serves on a free port of loopback."""

    def __init__(self, context: ssl.SSLContext, host: str = "127.0.0.1") -> None:
        self.machines: list[Machine] = []
        self.calls: list[str] = []
        self.sessions: set[str] = set()
        self.forget_sessions_at = ""  # the method at which all sessions have ended, once
        self.drop: list[str] = []  # methods whose next call gets no answer, once for each entry
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.drops(body):
                    self.close_connection = True
                    return
                status, answer, cookie = outer.answer(body, self.headers.get("Cookie", ""))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.send_header("Content-Length", str(len(answer)))
                if cookie:
                    self.send_header("Set-Cookie", f'vmware_soap_session="{cookie}"; Path=/')
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer((host, 0), Handler)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return "https://{}:{}".format(*self._http.server_address[:2])

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def drops(self, body: bytes) -> bool:
        method = _request(body)[0]
        if method not in self.drop:
            return False
        self.drop.remove(method)
        return True

    def answer(self, body: bytes, cookie: str) -> tuple[int, bytes, str]:
        """Status, body and new cookie for one request."""
        method, this, arguments = _request(body)
        self.calls.append(method)
        try:
            if method == "Login":
                return 200, _result(method, *self._login(arguments)), "session-1"
            if method == self.forget_sessions_at:
                self.forget_sessions_at = ""
                self.sessions.clear()
            if method != "RetrieveServiceContent" and not self._is_known(cookie):
                raise vim.fault.NotAuthenticated
            return 200, _result(method, *self._carried_out(method, this, arguments)), ""
        except vmodl.MethodFault as fault:
            return 500, _fault(fault), ""

    def _is_known(self, cookie: str) -> bool:
        return any(session in cookie for session in self.sessions)

    def _login(self, given: dict[str, str]) -> tuple[Any, Any]:
        if (given.get("userName"), given.get("password")) != (USER, PASSWORD):
            raise vim.fault.InvalidLogin(msg="Cannot complete login")
        self.sessions.add("session-1")
        return None, None

    def _carried_out(self, method: str, this: str, given: dict[str, str]) -> tuple[Any, Any]:
        match method:
            case "RetrieveServiceContent":
                return _content(), vim.ServiceInstanceContent
            case "Logout":
                self.sessions.clear()
                return None, None
            case "FindAllByUuid":
                return self._found(given), vim.ManagedEntity.Array
            case "Fetch":
                return self._property(this, given["prop"])
            case "QueryChangedDiskAreas":
                return self._changed(this, given), vim.VirtualMachine.DiskChangeInfo
        raise vmodl.fault.NotSupported(msg=method)

    def _found(self, given: dict[str, str]) -> Any:
        by_instance = given.get("instanceUuid") == "true"
        found = [
            vim.VirtualMachine(one.id)
            for one in self.machines
            if given["uuid"] == (one.instance_uuid if by_instance else one.bios_uuid)
        ]
        return vim.ManagedEntity.Array(found) if found else None

    def _machine(self, this: str) -> Machine:
        return next(one for one in self.machines if one.id == this)

    def _property(self, this: str, name: str) -> tuple[Any, Any]:
        for machine in self.machines:
            if machine.id == this and name == "config":
                return _config(machine.disks), vim.vm.ConfigInfo
            if machine.id == this and name == "snapshot":
                return _tree(machine), vim.vm.SnapshotInfo
            for snapshot in machine.snapshots():
                if snapshot.id == this and name == "config":
                    return _config(snapshot.disks), vim.vm.ConfigInfo
        raise vmodl.fault.ManagedObjectNotFound(msg=f"{this} is gone")

    def _changed(self, this: str, given: dict[str, str]) -> Any:
        machine, start = self._machine(this), int(given["startOffset"])
        areas = machine.changes.get((given["snapshot"], given["changeId"]))
        if areas is None:
            raise vim.fault.FileFault(msg="Error caused by file", file=given["changeId"])
        snapshot = next(one for one in machine.snapshots() if one.id == given["snapshot"])
        disk = next(one for one in snapshot.disks if one.key == int(given["deviceKey"]))
        later = [area for area in areas if area[0] >= start]
        told = later[:MOST_AREAS]
        end = sum(told[-1]) if len(later) > MOST_AREAS else disk.capacity
        extent = vim.VirtualMachine.DiskChangeInfo.DiskChangeExtent
        return vim.VirtualMachine.DiskChangeInfo(
            startOffset=start,
            length=end - start,
            changedArea=[extent(start=low, length=length) for low, length in told],
        )


def _content() -> Any:
    about = _filled(vim.AboutInfo(apiType="VirtualCenter", apiVersion="8.0.2.0", version="8.0.2"))
    return vim.ServiceInstanceContent(
        rootFolder=vim.Folder("group-d1"),
        propertyCollector=vmodl.query.PropertyCollector("propertyCollector"),
        sessionManager=vim.SessionManager("SessionManager"),
        searchIndex=vim.SearchIndex("SearchIndex"),
        about=about,
    )


def _config(disks: Sequence[Disk]) -> Any:
    devices = [vim.vm.device.VirtualCdrom(key=3000), *map(_disk, disks)]
    hardware = vim.vm.VirtualHardware(device=[_filled(device) for device in devices])
    return _filled(vim.vm.ConfigInfo(hardware=_filled(hardware)))


def _disk(disk: Disk) -> Any:
    backing: Any = None
    for file in [*reversed(disk.parents), disk.file]:
        backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
            fileName=file, diskMode="persistent", parent=backing
        )
    backing.changeId = disk.change_id or None
    return vim.vm.device.VirtualDisk(
        key=disk.key,
        backing=backing,
        capacityInKB=disk.capacity >> 10,
        capacityInBytes=disk.capacity,
        diskObjectId=disk.object_id,
    )


def _tree(machine: Machine) -> Any:
    if not machine.roots:
        return None
    return vim.vm.SnapshotInfo(rootSnapshotList=[_node(machine, one) for one in machine.roots])


def _node(machine: Machine, snapshot: Snapshot) -> Any:
    return _filled(
        vim.vm.SnapshotTree(
            snapshot=vim.vm.Snapshot(snapshot.id),
            vm=vim.VirtualMachine(machine.id),
            name=snapshot.name,
            childSnapshotList=[_node(machine, child) for child in snapshot.children],
        )
    )


def _filled(obj: Any) -> Any:
    """An object with everything that has to be there and nobody here reads."""
    for info in obj._GetPropertyList():
        if getattr(obj, info.name) is None and not info.flags & F_OPTIONAL:
            setattr(obj, info.name, _anything(info.type))
    return obj


def _anything(kind: Any) -> Any:
    if issubclass(kind, str):
        values = getattr(kind, "values", None)
        return values[0] if values else "x"
    if issubclass(kind, datetime.datetime):
        return datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC)
    return _filled(kind()) if issubclass(kind, DataObject) else kind(0)


# SOAP.


def _request(body: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, object and arguments of a request."""
    envelope = ET.fromstring(body)
    call = next(child for child in envelope if child.tag.endswith("}Body"))[0]
    given = {child.tag.rpartition("}")[2]: child.text or "" for child in call}
    return call.tag.rpartition("}")[2], given.pop("_this", ""), given


def _enveloped(content: str) -> bytes:
    return (
        f"{SoapAdapter.XML_HEADER}\n{SoapAdapter.SOAP_START}{content}{SoapAdapter.SOAP_END}"
    ).encode()


def _result(method: str, value: Any, kind: Any) -> bytes:
    returned = ""
    if value is not None:
        info = Object(name="returnval", type=kind, version=VERSION, flags=0)
        returned = SoapAdapter.SerializeToStr(value, info, VERSION)
    return _enveloped(f'<{method}Response xmlns="{NAMESPACE}">{returned}</{method}Response>')


def _fault(fault: Any) -> bytes:
    name = type(fault).__name__.rpartition(".")[2]
    text = fault.msg or "fault"
    return _enveloped(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode>"
        f"<faultstring>{text}</faultstring>"
        f'<detail><{name}Fault xmlns="{NAMESPACE}" xsi:type="{name}"/></detail></soapenv:Fault>'
    )
