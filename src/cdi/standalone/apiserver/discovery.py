"""
What clients learn about the served kinds: legacy and aggregated discovery.

Here: documents from the catalog. Elsewhere: schemas of the kinds (`openapi`). Documents are made
again only when the set of kinds has changed.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cdi.standalone.apiserver import scaling
from cdi.standalone.apiserver.catalog import Catalog
from cdi.standalone.apiserver.subresources import Subresource, Subresources
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """What discovery says of a subresource."""

    kind: str
    group: str
    version: str


_VERSION = re.compile(r"^v(?P<major>\d+)(?:(?P<stage>alpha|beta)(?P<minor>\d+))?$")
_SCALE = Described(scaling.KIND, scaling.GROUP, scaling.VERSION)
_STAGES = {None: 2, "beta": 1, "alpha": 0}


def version_rank(version: str) -> tuple[int, int, int]:
    """Sorts versions as Kubernetes prefers them: v2, v1, v1beta2, v1alpha1."""
    found = _VERSION.match(version)
    if not found:
        return (-1, 0, 0)
    return (_STAGES[found["stage"]], int(found["major"]), int(found["minor"] or 0))


class Discovery:
    """The discovery documents of a catalog."""

    def __init__(self, catalog: Catalog, subresources: Subresources) -> None:
        self._catalog = catalog
        self._subresources = subresources
        self._made_for = (-1, -1)
        self._kept: dict[str, Document] = {}

    def core_versions(self, address: str) -> Document:
        """/api."""
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }

    def groups(self) -> Document:
        """/apis."""
        return self._keep("groups", self._groups)

    def group(self, name: str) -> Document | None:
        """/apis/GROUP."""
        for group in self.groups()["groups"]:
            if group["name"] == name:
                return {"kind": "APIGroup", "apiVersion": "v1", **group}
        return None

    def resources(self, group: str, version: str) -> Document | None:
        """/api/v1 and /apis/GROUP/VERSION."""
        group_version = f"{group}/{version}" if group else version
        return self._keep(group_version, lambda: self._resources(group, version)) or None

    def aggregated(self, *, core: bool, version: str) -> Document:
        """/api or /apis for clients that want all in one document."""
        name = f"aggregated {version} {'core' if core else 'groups'}"
        return self._keep(name, lambda: self._aggregated(core=core, version=version))

    def _keep(self, name: str, make: Callable[[], Document]) -> Document:
        current = (self._catalog.generation, self._subresources.generation)
        if self._made_for != current:
            self._made_for = current
            self._kept.clear()
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _kinds(self) -> list[KindInfo]:
        return [kind for kind in self._catalog.kinds() if kind.served]

    def _versions(self) -> dict[str, list[str]]:
        """Versions by group, preferred first; groups in the order they were added."""
        found: dict[str, list[str]] = {}
        for kind in self._kinds():
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        for versions in found.values():
            versions.sort(key=version_rank, reverse=True)
        return found

    def _groups(self) -> Document:
        groups = []
        for name, versions in self._versions().items():
            if name:
                listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
                groups.append({"name": name, "versions": listed, "preferredVersion": listed[0]})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _resources(self, group: str, version: str) -> Document:
        kinds = [k for k in self._kinds() if (k.group, k.version) == (group, version)]
        if not kinds:
            return {}
        resources = []
        for kind in kinds:
            resources.append(_legacy(kind))
            resources.extend(self._legacy_subresources(kind))
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": kinds[0].api_version,
            "resources": resources,
        }

    def _legacy_subresources(self, kind: KindInfo) -> Iterable[Document]:
        for name, own, verbs in self._subresources_of(kind):
            entry: Document = {
                "name": f"{kind.plural}/{name}",
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": own.kind if own else kind.kind,
                "verbs": sorted(verbs),
            }
            if own and own.group:
                entry |= {"group": own.group, "version": own.version}
            yield entry

    def _subresources_of(
        self, kind: KindInfo
    ) -> Iterable[tuple[str, Subresource | Described | None, tuple[str, ...]]]:
        handled = self._subresources.of(kind.resource)
        for name in sorted(kind.subresources | handled.keys()):
            own = handled.get(name)
            if own:
                yield name, own, own.verbs
            elif name == "status":
                yield name, None, ("get", "patch", "update")
            elif name == scaling.NAME and kind.scale:
                yield name, _SCALE, scaling.VERBS

    def _aggregated(self, *, core: bool, version: str) -> Document:
        items = []
        for group, versions in self._versions().items():
            if core == (not group):
                listed = [self._aggregated_version(group, v) for v in versions]
                metadata: Document = {"name": group} if group else {}
                metadata["creationTimestamp"] = None
                items.append({"metadata": metadata, "versions": listed})
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }

    def _aggregated_version(self, group: str, version: str) -> Document:
        kinds = [k for k in self._kinds() if (k.group, k.version) == (group, version)]
        return {
            "version": version,
            "freshness": "Current",
            "resources": [self._aggregated_resource(kind) for kind in kinds],
        }

    def _aggregated_resource(self, kind: KindInfo) -> Document:
        entry: Document = {
            "resource": kind.plural,
            "responseKind": _response_kind(kind.group, kind.version, kind.kind),
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": sorted(kind.verbs),
        }
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        subresources = [
            {
                "subresource": name,
                "responseKind": _response_kind(
                    (own and own.group) or kind.group,
                    (own and own.version) or kind.version,
                    own.kind if own else kind.kind,
                ),
                "verbs": sorted(verbs),
            }
            for name, own, verbs in self._subresources_of(kind)
        ]
        if subresources:
            entry["subresources"] = subresources
        return entry


def _legacy(kind: KindInfo) -> Document:
    entry: Document = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry


def _response_kind(group: str, version: str, kind: str) -> Document:
    return {"group": group, "version": version, "kind": kind}
