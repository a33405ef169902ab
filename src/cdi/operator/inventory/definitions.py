"""CustomResourceDefinitions that the operator installs; that of CDI itself comes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.api import crds, labels, resources
from cdi.kube.objects import Object, Objects

_GROUPS: Final = (resources.CDI_GROUP, resources.FORKLIFT_GROUP)

MANAGED: Final = tuple(
    each for each in resources.ALL if each.stored and each.group in _GROUPS and each.kind != "CDI"
)


def definitions(given: Mapping[str, str]) -> Objects:
    """The definitions, labelled."""
    return [_labelled(crds.definition_of(each), given) for each in MANAGED]


def own_definition() -> Object:
    """The definition of CDI, which has to be there before the operator works."""
    return _labelled(crds.crd_for("CDI"), {labels.OPERATOR: ""})


def _labelled(definition: Object, given: Mapping[str, str]) -> Object:
    metadata = {**definition["metadata"], "labels": dict(given)}
    return {**definition, "metadata": metadata}
