"""The pod that reads the size of the disk at the source of an import, and what it has said."""

from typing import Final

from cdi.api import annotations, labels, names, roles
from cdi.controllers import metadata
from cdi.controllers.datavolume.operations.operation import Changes
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.importing import mounts
from cdi.controllers.importing.pod import PodContext, order_for
from cdi.controllers.working import pods, podspec
from cdi.controllers.working.report import Report, report_of
from cdi.kube import objects, owners
from cdi.kube.objects import Object

CONTAINER: Final = "size-detection-source"


def pod_for(seen: Seen, request: Changes) -> Object:
    """The pod to create; `request` are the annotations that ask for the import.

    It is told what an importer is told, and mounts the same, but for a volume. Raises CannotImport.
    """
    claim, context = _as_claim(seen, request), _context(seen)
    secret = objects.annotations(claim).get(annotations.SECRET, "")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": objects.name(claim),
            "namespace": objects.namespace(claim),
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.COMPONENT: labels.IMPORTER,
                **metadata.recommended_labels(seen.settings),
            },
            "annotations": metadata.passed_on(objects.annotations(seen.volume)),
            "ownerReferences": [owners.owner_reference(seen.volume)],
        },
        "spec": podspec.spec_for(
            CONTAINER,
            roles.command_of(roles.SOURCE_SIZE),
            mounts.of_source(claim, proxy_ca=context.proxy_ca),
            context,
            about=claim,
            env=order_for(claim, context).to_pod_env(secret)
            + pods.worker_settings(context.settings),
        ),
    }


def proxy_certificates_for(seen: Seen) -> Object | None:
    """A copy of the import proxy's CA for the pod, where there is one; it goes with the volume."""
    if seen.proxy_ca is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.proxy_certificates_for(_name(seen)),
            "namespace": objects.namespace(seen.volume),
            "ownerReferences": [owners.owner_reference(seen.volume)],
        },
        "data": seen.proxy_ca.get("data") or {},
    }


def report(pod: Object) -> Report:
    """What a pod says of its measuring."""
    return report_of(pod, CONTAINER)


def _name(seen: Seen) -> str:
    return names.size_detection_pod_for(objects.uid(seen.volume))


def _as_claim(seen: Seen, request: Changes) -> Object:
    """The claim that is to be, as far as it concerns the way to its source.

    An image is fetched from its registry even where its node is to pull it: a pull shows no size.
    """
    asked = {
        key: value
        for key, value in request.items()
        if value is not None and key != annotations.REGISTRY_IMPORT_METHOD
    }
    spec = seen.volume["spec"]
    own = {
        annotations.CONTENT_TYPE: spec.get("contentType"),
        annotations.PRIORITY_CLASS: spec.get("priorityClassName"),
        annotations.SERVICE_ACCOUNT: spec.get("serviceAccountName"),
    }
    return {
        "metadata": {
            "name": _name(seen),
            "namespace": objects.namespace(seen.volume),
            "uid": objects.uid(seen.volume),
            "annotations": {**{key: value for key, value in own.items() if value}, **asked},
        },
        "spec": {},
    }


def _context(seen: Seen) -> PodContext:
    return PodContext(
        settings=seen.settings,
        config=seen.storage.config or {},
        placement=objects.get(seen.installation, "spec", "workload", default={}),
    )
