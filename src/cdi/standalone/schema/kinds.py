"""
One served kind: its names, its schema, how it is printed.

Values only. Where they come from: `builtin` for Kubernetes' own kinds, `crd` for custom ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ALL_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Table answer; custom columns read their cell at `json_path`.

    A priority above 0 means that kubectl shows the column with `-o wide` only.
    """

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    json_path: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a kind keeps what its `scale` subresource shows (JSONPaths as in a CRD)."""

    spec_replicas_path: str
    status_replicas_path: str
    label_selector_path: str = ""


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One kind in one version. `build_schema` is called again for each use: it must be cheap."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    build_schema: Callable[[], dict[str, Any]] = field(compare=False, repr=False)
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column, ...] = ()
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = ALL_VERBS
    storage: bool = True
    served: bool = True
    deprecation: str | None = None
    custom: bool = False
    scale: Scale | None = None
    selectable: tuple[str, ...] = ()
    """Fields of a custom kind that its objects can be selected by: `spec.color`."""
    list_kind: str = ""
    table: str = ""
    """The type table of a built-in kind (`definitions`); empty for custom ones."""
    component: str = ""
    """Name of the schema in OpenAPI documents, e.g. `io.k8s.api.core.v1.Pod`."""

    @property
    def schema(self) -> dict[str, Any]:
        """OpenAPI v3 with the x-kubernetes extensions; shared, never to be changed."""
        return self.build_schema()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name in messages: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
