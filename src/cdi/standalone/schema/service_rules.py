"""Rules for services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes, names
from cdi.standalone.schema.causes import FieldError

Object = dict[str, Any]

HIGHEST_PORT = 65535
PORT_RULE = f"must be between 1 and {HIGHEST_PORT}, inclusive"


def service(obj: Object, old: Object | None) -> Iterator[FieldError]:
    """Ports, names, and that an address once given stays."""
    spec = obj.get("spec") or {}
    external = spec.get("type") == "ExternalName"
    ports = spec.get("ports") or []
    if external and not spec.get("externalName"):
        yield causes.required("spec.externalName")
    if not ports and not external and spec.get("clusterIP") != "None":
        yield causes.required("spec.ports")
    yield from _ports(ports)
    if old is not None:
        yield from _address(spec, old.get("spec") or {})


def _ports(ports: list[Object]) -> Iterator[FieldError]:
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            yield causes.required(f"{path}.name")
        elif name and (objections := names.label(name)):
            yield from (causes.invalid(f"{path}.name", name, each) for each in objections)
        elif name and name in seen_names:
            yield causes.duplicate(f"{path}.name", name)
        seen_names.add(name)
        number = port.get("port", 0)
        if not 1 <= number <= HIGHEST_PORT:
            yield causes.invalid(f"{path}.port", number, PORT_RULE)
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= HIGHEST_PORT:
            yield causes.invalid(f"{path}.targetPort", target, PORT_RULE)
        key = (port.get("protocol"), number)
        if key in seen_ports:
            shown = {"protocol": key[0], "port": key[1]}
            yield causes.duplicate(path, shown)
        seen_ports.add(key)


def _address(spec: Object, before: Object) -> Iterator[FieldError]:
    was, now = before.get("clusterIP"), spec.get("clusterIP")
    if was and was != now and "ExternalName" not in (before.get("type"), spec.get("type")):
        addresses = spec.get("clusterIPs") or [now]
        yield causes.invalid("spec.clusterIPs[0]", addresses, "may not change once set")
