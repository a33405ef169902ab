"""What has to be written so that the cluster holds what is wanted, object by object. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdi.api import annotations as known
from cdi.api import labels, names
from cdi.kube import objects, owners
from cdi.kube.installing.ref import Ref, ref_of
from cdi.kube.installing.steps import Maker, Remove, step_for
from cdi.kube.objects import Object, Objects
from cdi.operator import definitions, managed, strategy, takeover
from cdi.operator.inventory import marks, webhooks
from cdi.operator.plan import Inject, Migrate, Step
from cdi.operator.seen import Seen

_OLD_REGISTRIES: Final = "cdi-insecure-registries"
# Kinds that an older version may have left behind.
_LEFTOVERS: Final = frozenset(
    {
        "CustomResourceDefinition",
        "ClusterRoleBinding",
        "ClusterRole",
        "Deployment",
        "Service",
        "RoleBinding",
        "Role",
        "ServiceAccount",
        "APIService",
        webhooks.VALIDATING,
        webhooks.MUTATING,
    }
)


def claim_for(seen: Seen) -> Object:
    """The ConfigMap that says whose the installation is."""
    return _config_map(seen, names.CDI_CONFIG_MAP)


def _config_map(seen: Seen, name: str) -> Object:
    given = {**marks.common_labels(seen.cdi), labels.OPERATOR: ""}
    made = marks.named("v1", "ConfigMap", name, given, seen.settings.namespace)
    made["metadata"]["ownerReferences"] = [owners.owner_reference(seen.cdi)]
    return made


def steps(seen: Seen, wanted: Objects) -> tuple[Step, ...]:
    """What differs, in the order in which it is to be written."""
    found: list[Step] = []
    maker = Maker(seen.cdi, seen.settings.version, managed.MARKS)
    for each in (*wanted, claim_for(seen)):
        current = seen.current.get(ref_of(each))
        if each["kind"] == "CustomResourceDefinition":
            each = definitions.with_stored_versions(each, current)  # noqa: PLW2901
        step = step_for(each, takeover.released(current) if current else None, maker)
        found += [step] if step else []
    found += _dumped(seen, wanted)
    stored = [seen.own_definition, *_definitions_of(seen)]
    found += [
        Migrate(each) for each in stored if each is not None and definitions.needs_migration(each)
    ]
    names_wanted = {ref_of(each) for each in wanted}
    found += [
        Remove(each)
        for ref, each in seen.current.items()
        if ref not in names_wanted and _is_switched_off(each, seen)
    ]
    found += _injected(seen)
    return tuple(found)


def _dumped(seen: Seen, wanted: Objects) -> Sequence[Step]:
    if not seen.settings.dump:
        return ()
    shell = _config_map(seen, strategy.NAME)
    return strategy.steps(wanted, shell, seen.current.get(ref_of(shell)))


def _definitions_of(seen: Seen) -> Objects:
    return [
        each
        for ref, each in seen.current.items()
        if ref.kind == "CustomResourceDefinition" and owners.is_controlled_by(each, seen.cdi)
    ]


def _is_switched_off(obj: Object, seen: Seen) -> bool:
    """Whether the CDI object, as it is now, has no use for it."""
    if ref_of(obj) == Ref("ConfigMap", seen.settings.namespace, _OLD_REGISTRIES):
        return not objects.is_deleting(obj)
    switched = (
        obj["kind"] == "PodDisruptionBudget"
        or objects.name(obj) == webhooks.RENDERING.configuration
    )
    mine = owners.is_controlled_by(obj, seen.cdi)
    return switched and mine and not objects.is_deleting(obj)


def leftovers(seen: Seen, wanted: Objects) -> tuple[Step, ...]:
    """What an older version has made and this one does not want."""
    keep = {ref_of(each) for each in wanted}
    return tuple(
        Remove(each)
        for ref, each in seen.current.items()
        if ref.kind in _LEFTOVERS
        and ref not in keep
        and managed.is_managed_by(each, seen.cdi)
        and not objects.is_deleting(each)
    )


def _injected(seen: Seen) -> list[Step]:
    """Routes of users that want the authority of the upload proxy filled in."""
    found: list[Step] = []
    for route in seen.routes:
        tls = objects.get(route, "spec", "tls")
        asked = objects.annotations(route).get(known.INJECT_UPLOAD_PROXY_CERT) == "true"
        authority = seen.facts.proxy_authority
        if not asked or tls is None or not authority:
            continue
        if tls.get("destinationCACertificate") != authority:
            spec = {**route["spec"], "tls": {**tls, "destinationCACertificate": authority}}
            found.append(Inject({**route, "spec": spec}))
    return found
