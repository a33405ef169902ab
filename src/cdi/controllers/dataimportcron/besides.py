"""
A poller beside its cron: what it finds there, and what it is waiting for, as those in the
installation's namespace may be, too. Pure, but for `observe`.

Its Secrets and ConfigMaps are its user's; authorities of an import proxy are the installation's,
and are copied for each of its pods, with which they go.
"""

from __future__ import annotations

from typing import Final

from cdi.api import names, phases
from cdi.controllers import plan
from cdi.controllers.dataimportcron import template
from cdi.controllers.dataimportcron.seen import Beside, Seen
from cdi.kube import errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, EVENTS, SECRETS, Resource

LOOK_AGAIN: Final = 15.0  # seconds; what a pod waits for is not watched
_WAITS: Final = "the poller waits for"


async def observe(
    client: Client, cron: Object, pod: Object | None, authorities: Object | None
) -> Beside:
    """What concerns a poller beside its cron; `authorities` is the ConfigMap to copy, if any."""
    if pod is None or not is_waiting(pod):
        return Beside(authorities=authorities)
    secrets, maps = template.named_by(cron)
    needed = [(SECRETS, each) for each in secrets] + [(CONFIG_MAPS, each) for each in maps]
    lacks, hidden = [], False
    for resource, name in needed:
        there = await _is_there(client, resource, name, objects.namespace(cron))
        hidden = hidden or there is None
        if there is False:
            lacks.append(f"{resource.kind} {name}")
    copied = authorities is not None and await _is_there(
        client, CONFIG_MAPS, copy_for(pod), objects.namespace(cron)
    )
    warning = await _last_warning(client, pod) if hidden and not lacks else ""
    return Beside(tuple(lacks), warning, authorities, copied=bool(copied))


def is_waiting(pod: Object) -> bool:
    """Whether a pod has not started."""
    return objects.get(pod, "status", "phase") in (None, "", phases.Pod.PENDING)


def copy_for(pod: Object) -> str:
    """The name of the ConfigMap with authorities."""
    return names.proxy_certificates_for(objects.name(pod))


def authorities_for(seen: Seen, pod: Object) -> plan.Plan:
    """The copy that a pod mounts; `pod` as the server has it."""
    found = seen.beside.authorities
    if found is None or seen.beside.copied:
        return plan.NOTHING
    owner = {"apiVersion": "v1", "kind": "Pod", **pod}
    made = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {
            "name": copy_for(pod),
            "namespace": seen.namespace,
            "ownerReferences": [owners.owner_reference(owner)],
        },
        "data": found.get("data") or {},
    }
    return plan.Plan((plan.Create(CONFIG_MAPS, made),))


def trouble(seen: Seen) -> str:
    """Why a poller has not started, in its users' words; empty if nothing is known."""
    lacks, warning = seen.beside.lacks, seen.beside.warning
    if lacks:
        exist = "does not exist" if len(lacks) == 1 else "do not exist"
        return (
            f"{_WAITS} {' and '.join(lacks)} in namespace {seen.namespace}, which "
            f"{exist}; create what is missing"
        )
    return f"the poller in namespace {seen.namespace} has not started: {warning}" if warning else ""


def trouble_at_home(seen: Seen) -> str:
    """Why pollers in the installation's namespace will not start; empty where they will."""
    name = objects.get(seen.config, "status", "importProxy", "trustedCAProxy", default="")
    if not name or seen.beside.authorities is not None:
        return ""
    return (
        f"{_WAITS} ConfigMap {name} in namespace {seen.settings.namespace} "
        "(importProxy.trustedCAProxy), which does not exist; create what is missing"
    )


def is_waiting_said(failure: str) -> bool:
    """Whether a failure is what pollers waited for, and not what one of them has said."""
    return failure.startswith(_WAITS)


async def _is_there(client: Client, resource: Resource, name: str, namespace: str) -> bool | None:
    """None where it is not ours to see: Secrets of users are their own."""
    try:
        await client.get(resource, name, namespace)
    except errors.NotFound:
        return False
    except errors.Forbidden:
        return None
    return True


async def _last_warning(client: Client, pod: Object) -> str:
    """What the kubelet or the scheduler has said last of a pod."""
    about = f"involvedObject.uid={objects.uid(pod)},type=Warning"
    found = await client.list(EVENTS, objects.namespace(pod), fields=about)
    last = max(found, key=_told_at, default={})
    return str(last.get("message") or "")


def _told_at(event: Object) -> str:
    """RFC 3339, all in UTC."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
