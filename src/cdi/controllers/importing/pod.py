"""
The importer pod of a claim, as it has to be created.

`pod_for` joins fragments: metadata, placement, containers, the volumes of `mounts` and the order
of `cdi.api.workorder`. Nothing here looks anything up; `PodContext` is what the cluster says.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from cdi.api import annotations, labels, names, quantity, roles
from cdi.api.workersettings import (
    CERT_DIR,
    METRICS_PORT,
    METRICS_PORT_NAME,
    PROXY_CERT_DIR,
    SHARED_DIR,
)
from cdi.api.workorder import WorkOrder, content_type_of
from cdi.controllers import metadata
from cdi.controllers.importing import mounts, requests
from cdi.controllers.working import pods
from cdi.controllers.working.context import Context
from cdi.controllers.working.mounts import Mount, in_container, is_block
from cdi.kube import objects, owners
from cdi.kube.objects import Object

CONTAINER: Final = "importer"
_READY_FILE: Final = f"{SHARED_DIR}/ready"
_DONE_FILE: Final = f"{SHARED_DIR}/done"
_SERVER: Final = f"{SHARED_DIR}/server"
_SERVED: Final = "http://localhost:8100/disk.img"
_CREDENTIALS: Final = "/google/credentials.json"


class CannotImport(ValueError):
    """The annotations do not say what an importer has to know."""


class BadArguments(CannotImport):
    """The ConfigMap of VDDK arguments makes no sense; whoever mends it need not start anew."""


@dataclass(frozen=True, slots=True)
class PodContext(Context):
    """What is to be known for importer pods in particular."""

    target: Object | None = None  # the claim that the prime is for, if it is a prime
    vddk_image: str = ""
    vddk_nodes: str = ""  # nodes on which the VDDK library may run: a node selector as JSON

    @property
    def proxy_ca(self) -> bool:
        return bool(objects.get(self.config, "status", "importProxy", "trustedCAProxy"))


def pod_name_of(claim: Object) -> str:
    """The name that the importer pod of a claim has or will have."""
    given = objects.annotations(claim)
    known = given.get(annotations.IMPORT_POD)
    checkpoint = given.get(annotations.CHECKPOINT_CURRENT, "")
    return known or names.importer_for(objects.name(claim), checkpoint)


def is_image_stream(claim: Object) -> bool:
    return metadata.is_true(claim, annotations.REGISTRY_IMAGE_STREAM)


def is_of(found: Object, claim: Object) -> bool:
    """Whether a pod was made for exactly this claim, not for a namesake before it.

    The pod of an ImageStream has no owner; it carries the claim's UID instead. One without it,
    from another controller, counts if it is no older than the claim.
    """
    if not is_image_stream(claim):
        return owners.is_controlled_by(found, claim)
    uid = objects.annotations(found).get(annotations.OWNER_UID)
    if uid is not None:
        return uid == objects.uid(claim)
    made, since = (str(objects.metadata(x).get("creationTimestamp") or "") for x in (found, claim))
    return made >= since


def pod_for(claim: Object, context: PodContext, *, with_scratch: bool) -> Object:
    """The importer pod. Raises CannotImport."""
    mounted = mounts.mounts_for(claim, with_scratch=with_scratch, proxy_ca=context.proxy_ca)
    spec: Object = {
        "restartPolicy": "OnFailure",
        "enableServiceLinks": False,
        **_placement(claim, context),
        **pods.identity_for(claim),
        "securityContext": pods.security_for(mounted),
        "containers": _containers(claim, context, mounted),
        "volumes": [mount.volume for mount in mounted],
    }
    if before := _init_containers(claim, context):
        spec["initContainers"] = before
    if secrets := _pull_secrets(claim, context):
        spec["imagePullSecrets"] = secrets
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(claim, context),
        "spec": spec,
    }


def order_for(claim: Object, context: PodContext) -> WorkOrder:
    """What the importer of a claim is told. Raises CannotImport."""
    given = objects.annotations(claim)
    source = requests.source_of(claim)
    asked = objects.get(claim, "spec", "resources", "requests", "storage", default="0")
    order: dict[str, Any] = {
        "source": source,
        "content_type": content_type_of(given.get(annotations.CONTENT_TYPE)),
        "image_size": quantity.parse(asked),
        "owner_uid": _owner_uid(claim),
        "claim_uid": objects.uid(claim) if is_block(claim) else "",
        "filesystem_overhead": Decimal(context.overhead),
        "preallocation": given.get(annotations.PREALLOCATION_REQUESTED) == annotations.TRUE,
        "direct_io": given.get(annotations.REQUIRES_DIRECT_IO) == annotations.TRUE,
    }
    if source != requests.BLANK:
        order |= _way_to_source(claim, context)
    return WorkOrder(**order)


def _way_to_source(claim: Object, context: PodContext) -> dict[str, Any]:
    given = objects.annotations(claim)
    source = requests.source_of(claim)
    if not given.get(annotations.ENDPOINT):
        raise CannotImport(
            f"annotation {annotations.ENDPOINT} is missing: a source of kind {source} needs a URL"
        )
    proxy = objects.get(context.config, "status", "importProxy", default={})
    order = {
        "endpoint": given[annotations.ENDPOINT],
        "checksum": given.get(annotations.CHECKSUM, ""),
        "architecture": given.get(annotations.REGISTRY_ARCHITECTURE, ""),
        "disk_id": given.get(annotations.DISK_ID, ""),
        "uuid": given.get(annotations.UUID, ""),
        "backing_file": given.get(annotations.BACKING_FILE, ""),
        "thumbprint": given.get(annotations.THUMBPRINT, ""),
        "current_checkpoint": given.get(annotations.CHECKPOINT_CURRENT, ""),
        "previous_checkpoint": given.get(annotations.CHECKPOINT_PREVIOUS, ""),
        "final_checkpoint": given.get(annotations.CHECKPOINT_FINAL) == annotations.TRUE,
        "insecure_tls": _is_insecure(claim, context.config),
        "http_proxy": proxy.get("HTTPProxy") or "",
        "https_proxy": proxy.get("HTTPSProxy") or "",
        "no_proxy": proxy.get("noProxy") or "",
        "cert_dir": CERT_DIR if given.get(annotations.CERT_CONFIG_MAP) else "",
        "proxy_cert_dir": PROXY_CERT_DIR if context.proxy_ca else "",
        "extra_headers": tuple(mounts.numbered(claim, annotations.EXTRA_HEADERS)),
    }
    if source == requests.GCS and given.get(annotations.SECRET):
        order["google_credentials"] = _CREDENTIALS
    if mounts.is_node_pull(claim):
        order |= {
            "source": requests.HTTP,
            "endpoint": _SERVED,
            "pull_method": "node",
            "ready_file": _READY_FILE,
            "done_file": _DONE_FILE,
        }
    return order


def _is_insecure(claim: Object, config: Object) -> bool:
    if requests.source_of(claim) in (requests.HTTP, requests.IMAGEIO):
        return metadata.is_true(claim, annotations.INSECURE_SKIP_VERIFY)
    url = urlsplit(objects.annotations(claim).get(annotations.ENDPOINT, ""))
    registries = objects.get(config, "spec", "insecureRegistries", default=[])
    return url.scheme == "docker" and url.netloc in registries


def _owner_uid(claim: Object) -> str:
    """Under whose UID progress is published: the one owner's, or the claim's own."""
    references = owners.references_of(claim)
    return str(references[0]["uid"]) if len(references) == 1 else objects.uid(claim)


def _metadata(claim: Object, context: PodContext) -> Object:
    given = objects.annotations(claim)
    own_labels = {
        labels.APP: labels.APP_VALUE,
        labels.COMPONENT: labels.IMPORTER,
        labels.PROMETHEUS: annotations.TRUE,
        **metadata.recommended_labels(context.settings),
    }
    created = {annotations.CREATED_BY_CONTROLLER: "yes", **metadata.passed_on(given)}
    if is_image_stream(claim):
        created[annotations.RESOLVE_NAMES] = "*"
        created[annotations.OWNER_UID] = objects.uid(claim)
    found: Object = {
        "name": pod_name_of(claim),
        "namespace": objects.namespace(claim),
        # Ours last: selectors for importers and their metrics must find the pod.
        "labels": {**objects.labels(_labelled(claim, context)), **own_labels},
        "annotations": created,
    }
    if not is_image_stream(claim):
        found["ownerReferences"] = [owners.owner_reference(claim)]
    return found


def _labelled(claim: Object, context: PodContext) -> Object:
    """Whose labels the pod carries: the claim's own, or those of the claim that a prime is for."""
    if not metadata.has(claim, annotations.POPULATOR_KIND):
        return claim
    if context.target is None:
        raise CannotImport("the claim is a populator's, but no claim is its controller")
    return context.target


def _placement(claim: Object, context: PodContext) -> Object:
    """As for every worker, and where the source's architecture and the VDDK library are."""
    given = objects.annotations(claim)
    spec = pods.placement_for(claim, context)
    selector = dict(spec.get("nodeSelector") or {})
    if mounts.is_node_pull(claim) and given.get(annotations.REGISTRY_ARCHITECTURE):
        selector["kubernetes.io/arch"] = given[annotations.REGISTRY_ARCHITECTURE]
    selector |= parse_node_selector(context.vddk_nodes)
    return spec | ({"nodeSelector": selector} if selector else {})


def _pull_secrets(claim: Object, context: PodContext) -> list[Object]:
    """Those of the installation; where the node pulls the source, the source's own as well."""
    secrets = pods.pull_secrets(context)
    own = {"name": objects.annotations(claim).get(annotations.SECRET, "")}
    if mounts.is_node_pull(claim) and own["name"] and own not in secrets:
        secrets.append(own)
    return secrets


def _containers(claim: Object, context: PodContext, mounted: list[Mount]) -> list[Object]:
    secret = objects.annotations(claim).get(annotations.SECRET, "")
    in_files = (requests.BLANK, *requests.OF_POPULATORS)
    if requests.source_of(claim) in in_files or mounts.is_node_pull(claim):
        secret = ""
    importer = {
        **pods.container(CONTAINER, context.settings.worker_image, context),
        "command": roles.command_of(roles.IMPORTER),
        "args": [f"-v={context.settings.verbosity}"],
        "ports": [{"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "env": order_for(claim, context).to_pod_env(secret)
        + pods.worker_settings(context.settings),
    }
    return [importer | in_container(mounted), *_server(claim, context)]


def _server(claim: Object, context: PodContext) -> list[Object]:
    """The image itself, which hands its disk to the importer beside it."""
    if not mounts.is_node_pull(claim):
        return []
    server = pods.container("server", _image_of(claim), context)
    server["command"] = [
        _SERVER, "-p", "8100", "-image-dir", "/disk",
        "-ready-file", _READY_FILE, "-done-file", _DONE_FILE,
    ]  # fmt: skip
    server["volumeMounts"] = [{"name": mounts.SHARED, "mountPath": SHARED_DIR}]
    return [server]


def _image_of(claim: Object) -> str:
    endpoint = objects.annotations(claim).get(annotations.ENDPOINT, "")
    if is_image_stream(claim):
        return endpoint
    url = urlsplit(endpoint)
    return f"{url.netloc}{url.path}"


def _init_containers(claim: Object, context: PodContext) -> list[Object]:
    if mounts.is_node_pull(claim):
        before = pods.container("init", context.settings.worker_image, context)
        # The server is a script, and the image need not hold anything that could run it.
        copied = f"cp /usr/bin/cdi-containerimage-server {_SERVER}"
        before["command"] = ["sh", "-c", f"{copied} && cp /bin/busybox {SHARED_DIR}/busybox"]
        before["volumeMounts"] = [{"name": mounts.SHARED, "mountPath": SHARED_DIR}]
        return [before]
    if requests.source_of(claim) == requests.VDDK:
        before = pods.container("vddk-side-car", context.vddk_image, context)
        before["volumeMounts"] = [{"name": "vddk-vol-mount", "mountPath": "/opt"}]
        return [before]
    return []


def parse_node_selector(text: str) -> dict[str, str]:
    """The node selector that a ConfigMap of VDDK arguments holds as JSON. Raises BadArguments."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise BadArguments(f"vddk-node-selector is not JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise BadArguments("vddk-node-selector is not a JSON object of texts")
    return found
