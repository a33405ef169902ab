"""
What looks for new versions in a registry or on a web server: a CronJob, its first Job, and their
pods.

They are in the namespace of the installation, with the Secrets and ConfigMaps that the source
names; where those are not there, a pod beside the cron looks instead, as importers read them there.
A pod says what it has found in its termination message, which is read here: it holds no credentials
for the cluster. The first Job makes the first look at once; it is there as long as nobody has
looked yet.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cdi.api import annotations, labels, names, roles, schedules
from cdi.api.termination import Termination
from cdi.api.workersettings import (
    CERT_DIR,
    EXTRA_HEADERS_DIR,
    PROXY_CERT_DIR,
    REGISTRY_DIR,
)
from cdi.api.workorder import PollOrder
from cdi.controllers import metadata
from cdi.controllers.dataimportcron import marks, template
from cdi.controllers.dataimportcron.seen import Seen
from cdi.controllers.working.report import is_left_behind
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import CRON_JOBS, JOBS, PODS

CONTAINER: Final = "cdi-source-update-poller"
ACCOUNT: Final = "cdi-cronjob"
_PROXY_CA: Final = "cdi-proxy-cert-vol"
_RETRIES: Final = 2  # pods after the first of a Job
# A Job stays until its answer has been read, also by a controller that is being replaced.
_KEPT: Final = 120  # seconds
# Pollers that start in one minute ask within so long, or within a tenth of the schedule's pause.
_SPREAD: Final = timedelta(seconds=30)
_SPREAD_SHARE: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """How a poller ended."""

    at: datetime  # whole seconds, as a kubelet tells them
    exactly: datetime = marks.NEVER  # by its own clock
    version: str = ""
    failure: str = ""


def latest_answer(pods: tuple[Object, ...]) -> Answer | None:
    """What the pod that ended last has said; None if none has.

    Which of those that ended within one second was the last, they say themselves.
    """
    ended = [answer for pod in pods if (answer := _answer_of(pod)) is not None]
    return max(ended, key=lambda each: (each.at, each.exactly), default=None)


def _answer_of(pod: Object) -> Answer | None:
    for status in objects.get(pod, "status", "containerStatuses", default=[]):
        ended = objects.get(status, "state", "terminated")
        if status.get("name") != CONTAINER or not ended:
            continue
        at = marks.parsed(str(ended.get("finishedAt") or ""))
        code = int(ended.get("exitCode") or 0)
        said = Termination.from_message(str(ended.get("message") or ""), code)
        exactly = marks.parsed(said.ended_at)
        if code == 0 and said.version:
            return Answer(at, exactly, version=said.version)
        if code == 0 and not _is_ours(pod):
            return None  # it wrote what it found on the cron itself
        return Answer(at, exactly, failure=said.message or f"the poller ended with {code}")
    return None


def _is_ours(pod: Object) -> bool:
    return any(
        each.get("name") == CONTAINER and each.get("command") == roles.command_of(roles.POLLER)
        for each in objects.get(pod, "spec", "containers", default=[])
    )


def left_behind(seen: Seen) -> list[Object]:
    """Jobs whose pollers wait for an image that is gone; nothing new is asked while they do."""
    waiting = [
        pod
        for pod in seen.pollers
        if is_left_behind(pod, CONTAINER, seen.settings.worker_image)
        and not objects.is_deleting(pod)
    ]
    owning = [(pod, owners.controller_of(pod)) for pod in waiting]
    return [
        {"metadata": {"namespace": objects.namespace(pod), **_named(owner)}}
        for pod, owner in owning
        if owner is not None and owner.get("kind") == JOBS.kind
    ]


def _named(reference: Object) -> Object:
    return {"name": reference["name"], "uid": reference["uid"]}


def cron_job_for(seen: Seen) -> Object:
    """The CronJob that looks for new versions."""
    return {
        "apiVersion": CRON_JOBS.api_version,
        "kind": CRON_JOBS.kind,
        "metadata": _metadata(seen, names.cron_job_for(seen.name, objects.uid(seen.cron))),
        "spec": {
            "schedule": seen.spec["schedule"],
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {
                "metadata": {"labels": _labels(seen)},
                "spec": _job_spec(seen, _delay(seen)),
            },
        },
    }


def first_job_for(seen: Seen, cron_job: Object) -> Object:
    """The Job that looks for the first time; it goes with the CronJob."""
    made: Object = {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": _metadata(seen, names.initial_job_for(objects.name(cron_job))),
        "spec": _job_spec(seen, 0.0),
    }
    made["metadata"]["ownerReferences"] = [owners.owner_reference(cron_job, controller=False)]
    return made


def pod_beside(seen: Seen) -> Object:
    """A pod in the cron's namespace that looks once; it goes with the cron."""
    spec = _pod_spec(seen, _delay(seen))
    del spec["serviceAccountName"]  # which is the installation's; this pod needs none
    name = names.poller_for(seen.name, objects.uid(seen.cron))
    for volume in spec.get("volumes", ()):
        if volume["name"] == _PROXY_CA:
            volume["configMap"] = _authorities_beside(seen, name)
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": name,
            "namespace": seen.namespace,
            "labels": {
                **metadata.recommended_labels(seen.settings),
                **_labels(seen),
                labels.DATA_IMPORT_CRON_POLLER: "",
            },
            "annotations": {annotations.REQUIRED_SCC: "restricted-v2"},
            "ownerReferences": [owners.owner_reference(seen.cron)],
        },
        "spec": spec,
    }


def _authorities_beside(seen: Seen, pod: str) -> Object:
    """The copy that is made for a pod; one of what does not exist is not waited for."""
    there = seen.beside.authorities is not None
    return {"name": names.proxy_certificates_for(pod), "optional": not there}


def covers(found: Any, wanted: Any) -> bool:
    """Whether an object says all that is wanted, whatever else a server has filled in."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            covers(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(covers(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted) or (not found and not wanted)


def _metadata(seen: Seen, name: str) -> Object:
    found: Object = {
        "name": name,
        "namespace": seen.settings.namespace,
        "labels": {**metadata.recommended_labels(seen.settings), **_labels(seen)},
    }
    if seen.installation is not None:
        found["ownerReferences"] = [owners.owner_reference(seen.installation)]
    return found


def _labels(seen: Seen) -> dict[str, str]:
    return {
        labels.DATA_IMPORT_CRON: seen.name,
        labels.DATA_IMPORT_CRON_NAMESPACE: seen.namespace,
    }


def _job_spec(seen: Seen, delay: float) -> Object:
    return {
        "backoffLimit": _RETRIES,
        "ttlSecondsAfterFinished": _KEPT,
        "template": {
            "metadata": {
                "labels": {**_labels(seen), labels.DATA_IMPORT_CRON_POLLER: ""},
                "annotations": {annotations.REQUIRED_SCC: "restricted-v2"},
            },
            "spec": _pod_spec(seen, delay),
        },
    }


def _pod_spec(seen: Seen, delay: float) -> Object:
    order, secret = order_for(seen, delay)
    placement = objects.get(seen.installation, "spec", "workload", default={})
    volumes = _volumes(seen)
    container: Object = {
        "name": CONTAINER,
        "image": seen.settings.worker_image,
        "imagePullPolicy": seen.settings.pull_policy,
        "command": roles.command_of(roles.POLLER),
        "env": order.to_pod_env(secret),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    resources = objects.get(seen.config, "status", "defaultPodResourceRequirements", default={})
    if known := {key: resources[key] for key in ("limits", "requests") if resources.get(key)}:
        container["resources"] = known
    if volumes:
        container["volumeMounts"] = [{"name": name, "mountPath": at} for name, at, _ in volumes]
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        **{
            key: placement[key]
            for key in ("nodeSelector", "tolerations", "affinity")
            if placement.get(key)
        },
    }
    if volumes:
        spec["volumes"] = [{"name": name, **source} for name, _, source in volumes]
    if secrets := objects.get(seen.config, "status", "imagePullSecrets"):
        spec["imagePullSecrets"] = secrets
    return spec


def order_for(seen: Seen, delay: float) -> tuple[PollOrder, str]:
    """What a poller is told, and the Secret that its credentials are in."""
    kind, given = template.source_of(seen.cron)
    proxy = objects.get(seen.config, "status", "importProxy", default={})
    order = PollOrder(
        source=kind,
        endpoint=str(given.get("url", "")),
        insecure_tls=_is_insecure(seen, kind, given),
        http_proxy=proxy.get("HTTPProxy") or "",
        https_proxy=proxy.get("HTTPSProxy") or "",
        no_proxy=proxy.get("noProxy") or "",
        cert_dir=CERT_DIR if given.get("certConfigMap") else "",
        proxy_cert_dir=PROXY_CERT_DIR if proxy.get("trustedCAProxy") else "",
        extra_headers=tuple(given.get("extraHeaders") or ()),
        checksum_file=objects.annotations(seen.cron).get(annotations.CHECKSUM_FILE, ""),
        delay=delay,
    )
    return order, str(given.get("secretRef") or "")


def _is_insecure(seen: Seen, kind: str, given: Object) -> bool:
    if kind == template.HTTP:
        return given.get("insecureSkipVerify") is True
    registries = objects.get(seen.config, "spec", "insecureRegistries", default=[])
    return urlsplit(str(given.get("url", ""))).netloc in registries


def _volumes(seen: Seen) -> list[tuple[str, str, Object]]:
    """Name, mount path and source of each volume."""
    kind, given = template.source_of(seen.cron)
    proxy_ca = objects.get(seen.config, "status", "importProxy", "trustedCAProxy")
    found: list[tuple[str, str, Object]] = []
    if name := given.get("certConfigMap"):
        found.append(("cdi-cert-vol", CERT_DIR, {"configMap": {"name": str(name)}}))
    if proxy_ca:
        found.append((_PROXY_CA, PROXY_CERT_DIR, {"configMap": {"name": str(proxy_ca)}}))
    if kind == template.REGISTRY and given.get("secretRef"):
        # All of it, which may be one that container tools read.
        source = {"secret": {"secretName": str(given["secretRef"])}}
        found.append(("cdi-registry-secret-vol", REGISTRY_DIR, source))
    for number, name in enumerate(given.get("secretExtraHeaders") or ()):
        source = {"secret": {"secretName": str(name)}}
        path = f"{EXTRA_HEADERS_DIR}/{number}"
        found.append((f"cdi-secret-extra-headers-vol-{number}", path, source))
    return found


def _delay(seen: Seen) -> float:
    """How long the poller of this cron waits, the same every time; seconds."""
    if not seen.settings.spread_polls:
        return 0.0
    return delay_for(str(seen.spec["schedule"]), objects.uid(seen.cron))


def delay_for(schedule: str, uid: str) -> float:
    """The share of the spread that falls to a cron: whole seconds, evenly among all crons."""
    first = schedules.next_after(schedule, datetime(2024, 1, 1, tzinfo=UTC))
    second = schedules.next_after(schedule, first) if first else None
    pause = second - first if first and second else _SPREAD
    window = min(_SPREAD, pause / _SPREAD_SHARE).total_seconds()
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4], "big")
    return float(int(window * number / 2**32))
