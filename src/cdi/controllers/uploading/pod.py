"""
The upload server of a claim, as it has to be created: its pod, and the Service in front of it.

Nothing here looks anything up: `Context` is what the cluster says. The certificates are mounted
from a Secret of the pod's name, which belongs to the pod (`certificates`).
"""

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from cdi.api import annotations, labels, names, quantity, roles
from cdi.api.workersettings import BLOCK_DEVICE, TLS_DIR
from cdi.api.workorder import UploadOrder
from cdi.controllers import metadata
from cdi.controllers.uploading import requests
from cdi.controllers.working import mounts, pods
from cdi.controllers.working.context import Context
from cdi.controllers.working.mounts import Mount
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.storage import tlsprofile

CONTAINER: Final = "cdi-upload-server"
PORT: Final = 8443
KEY, CERTIFICATE, CLIENTS = "tls.key", "tls.crt", "ca.crt"  # of the Secret
_TLS: Final = "tls-config"
_OPEN_PORTS: Final = json.dumps([{"protocol": "tcp", "port": PORT}])

# People wait for a server, most of all for the next one: it is asked often while it comes up. A
# machine that is short of time may leave some of that unanswered for 15 s, as ever.
_PROBED: Final = {"initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 15}


def is_of(found: Object, claim: Object) -> bool:
    """Whether a pod or a Service was made for exactly this claim, not for a namesake before it."""
    return owners.is_controlled_by(found, claim)


def pod_for(claim: Object, context: Context, deadline: datetime, *, with_scratch: bool) -> Object:
    """The server's pod. An idle server makes way at `deadline`, before certificates end."""
    mounted = _mounts(claim, with_scratch=with_scratch)
    spec: Object = {
        "restartPolicy": "OnFailure",
        "enableServiceLinks": False,
        **pods.placement_for(claim, context),
        **pods.identity_for(claim),
        "securityContext": pods.security_for(mounted),
        "containers": [_container(claim, context, deadline, mounted)],
        "volumes": [mount.volume for mount in mounted],
    }
    if secrets := pods.pull_secrets(context):
        spec["imagePullSecrets"] = secrets
    given = objects.annotations(claim)
    made = _metadata(requests.pod_name_of(claim), claim, context)
    made["labels"][labels.UPLOAD_TARGET] = objects.uid(claim)
    made["annotations"] |= {annotations.OVN_OPEN_PORTS: _OPEN_PORTS, **metadata.passed_on(given)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}


def service_for(claim: Object, context: Context) -> Object:
    """What the server is reached by: a name for the pod's own address."""
    name = service_name_of(claim)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, claim, context),
        "spec": {
            "clusterIP": "None",
            **_found_early(claim),
            "selector": {labels.SERVICE: name},
            "ports": [{"protocol": "TCP", "port": PORT, "targetPort": PORT}],
        },
    }


def _found_early(claim: Object) -> Object:
    """A clone source looks for its server while that comes up, and a name that is not known yet
    stays unknown for a while. Whoever else sends asks the claim whether its server is ready."""
    return {"publishNotReadyAddresses": True} if requests.is_clone_target(claim) else {}


def service_name_of(claim: Object) -> str:
    return names.upload_service_for(objects.name(claim))


def order_for(claim: Object, context: Context, deadline: datetime) -> UploadOrder:
    """What the server is told."""
    profile = tlsprofile.profile_for(context.config.get("spec"))
    asked = objects.get(claim, "spec", "resources", "requests", "storage", default="0")
    given = objects.annotations(claim)
    order = UploadOrder(
        client_name=requests.client_of(claim),
        deadline=deadline,
        tls_key_file=f"{TLS_DIR}{KEY}",
        tls_cert_file=f"{TLS_DIR}{CERTIFICATE}",
        client_cert_file=f"{TLS_DIR}{CLIENTS}",
        tls_ciphers=profile.ciphers,
        tls_min_version=profile.minimum,
        image_size=quantity.parse(asked),
        filesystem_overhead=Decimal(context.overhead),
        preallocation=given.get(annotations.PREALLOCATION_REQUESTED) == annotations.TRUE,
        claim_uid=objects.uid(claim),
    )
    return replace(order, destination=BLOCK_DEVICE) if mounts.is_block(claim) else order


def _metadata(name: str, claim: Object, context: Context) -> Object:
    """Users' labels stay on the claim; those of the Service's selector are on the pod."""
    return {
        "name": name,
        "namespace": objects.namespace(claim),
        "labels": {
            labels.APP: labels.APP_VALUE,
            labels.COMPONENT: labels.UPLOAD_SERVER,
            labels.SERVICE: service_name_of(claim),
            **metadata.recommended_labels(context.settings),
        },
        "annotations": {annotations.CREATED_BY_UPLOAD_CONTROLLER: "yes"},
        "ownerReferences": [owners.owner_reference(claim)],
    }


def _mounts(claim: Object, *, with_scratch: bool) -> list[Mount]:
    certificates = mounts.of_secret(requests.pod_name_of(claim))
    found = [Mount(_TLS, certificates, TLS_DIR), mounts.data(claim)]
    if with_scratch:
        found.append(mounts.scratch(claim))
    if mounts.is_block(claim):
        found.append(mounts.state())
    return found


def _container(claim: Object, context: Context, deadline: datetime, mounted: list[Mount]) -> Object:
    settings = context.settings
    probe = {"path": "/healthz", "port": PORT, "scheme": "HTTPS"}
    return {
        **pods.container(CONTAINER, settings.server_image, context),
        "command": roles.command_of(roles.UPLOAD_SERVER),
        "args": [f"-v={settings.verbosity}"],
        "env": [
            *order_for(claim, context, deadline).to_pod_env(),
            *pods.worker_settings(settings),
        ],
        "readinessProbe": {"httpGet": probe, **_PROBED},
        **mounts.in_container(mounted),
    }
