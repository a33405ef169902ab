"""
/openapi/v3: an index of one document per group and version, each with a hash in its address.

Here: when documents are made and how clients may keep them. Elsewhere: their content
(`schema.registry`); /openapi/v2 (`openapi_v2`).
"""

import hashlib

import cdi
from cdi.standalone.apiserver.catalog import Catalog
from cdi.standalone.schema import registry
from cdi.standalone.store.record import encode_plain


class OpenApi:
    """The documents of a catalog, made when first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._made_for = -1
        self._tagged_for = -1
        self._tag = ""
        self._documents: dict[str, bytes] = {}

    def index(self) -> dict[str, object]:
        """/openapi/v3. The hash in each address changes with the kinds served."""
        paths = {}
        for path in self._group_versions():
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={self.tag()}"}
        return {"paths": paths}

    def document(self, path: str) -> bytes | None:
        """/openapi/v3/PATH as JSON, or None."""
        api_version = self._group_versions().get(path)
        if api_version is None:
            return None
        if self._made_for != self._catalog.generation:
            self._made_for = self._catalog.generation
            self._documents.clear()
        if path not in self._documents:
            kinds = [k for k in self._catalog.kinds() if k.served]
            made = registry.openapi_v3(kinds, api_version)
            self._documents[path] = encode_plain(made)
        return self._documents[path]

    def tag(self) -> str:
        """Names the set of kinds, across restarts, without making the documents."""
        if self._tagged_for != self._catalog.generation:
            self._tagged_for = self._catalog.generation
            names = sorted(
                f"{kind.api_version} {kind.kind} {hash_of(kind)}"
                for kind in self._catalog.kinds()
                if kind.custom
            )
            content = "\n".join((cdi.__version__, *names))
            self._tag = hashlib.sha256(content.encode()).hexdigest().upper()
        return self._tag

    def _group_versions(self) -> dict[str, str]:
        """apiVersion by path."""
        found = {}
        for kind in self._catalog.kinds():
            if kind.served:
                prefix = "apis" if kind.group else "api"
                found[f"{prefix}/{kind.api_version}"] = kind.api_version
        return found


def hash_of(kind: registry.KindInfo) -> str:
    """A short name for one kind's schema."""
    return hashlib.sha256(encode_plain(kind.schema)).hexdigest()[:16]
