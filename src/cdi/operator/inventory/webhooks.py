"""Webhook configurations and the APIService: what Kubernetes' API server asks `cdi apiserver`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdi.api import labels, names, resources
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import marks, services

_REGISTRATION: Final = "admissionregistration.k8s.io/v1"
VALIDATING: Final = "ValidatingWebhookConfiguration"
MUTATING: Final = "MutatingWebhookConfiguration"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One configuration with its one webhook."""

    configuration: str
    name: str  # without the group
    plurals: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")
    mutating: bool = False
    group: str = resources.CDI_GROUP
    version: str = "v1beta1"
    failure_policy: str = "Fail"
    timeout: int = 30  # seconds
    reviews: tuple[str, ...] = ("v1", "v1beta1")
    selector: Mapping[str, str] | None = None  # labels that an object must have


STATIC: Final = (
    Webhook("cdi-api-datavolume-validate", "datavolume-validate", ("datavolumes",)),
    Webhook("cdi-api-datavolume-mutate", "datavolume-mutate", ("datavolumes",), mutating=True),
    Webhook("cdi-api-dataimportcron-validate", "dataimportcron-validate", ("dataimportcrons",)),
    Webhook(
        "cdi-api-populator-validate",
        "populator-validate",
        ("volumeimportsources", "volumeuploadsources"),
    ),
    Webhook("objecttransfer-api-validate", "objecttransfer-validate", ("objecttransfers",)),
    Webhook("cdi-api-validate", "cdi-validate", ("cdis",), ("DELETE",), failure_policy="Ignore"),
)

# Only while claims are rendered by a webhook.
RENDERING: Final = Webhook(
    "cdi-api-pvc-mutate",
    "pvc-mutate",
    ("persistentvolumeclaims",),
    ("CREATE",),
    mutating=True,
    group="",
    version="v1",
    timeout=10,
    reviews=("v1",),
    selector={labels.APPLY_STORAGE_PROFILE: "true"},
)


def webhooks(
    namespace: str, given: Mapping[str, str], authority: str, *, rendering: bool
) -> Objects:
    """All configurations; `authority` is the bundle's base64, empty where there is none yet."""
    wanted = (*STATIC, RENDERING) if rendering else STATIC
    return [_configuration(each, namespace, given, authority) for each in wanted]


def api_service(namespace: str, given: Mapping[str, str], authority: str) -> Object:
    """The aggregated API of upload tokens."""
    spec: Object = {
        "service": {
            "name": services.API,
            "namespace": namespace,
            "port": services.HTTPS_PORT,
        },
        "group": resources.UPLOAD_GROUP,
        "version": "v1beta1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
    }
    if authority:
        spec["caBundle"] = authority
    return marks.named(
        "apiregistration.k8s.io/v1",
        "APIService",
        names.UPLOAD_API_SERVICE,
        {**given, labels.COMPONENT: labels.API},
        spec=spec,
    )


def _configuration(
    webhook: Webhook, namespace: str, given: Mapping[str, str], authority: str
) -> Object:
    # Nothing is said of namespaceSelector: clouds put theirs in, and it stays.
    config: Object = {
        "service": {
            "name": services.API,
            "namespace": namespace,
            "path": f"/{webhook.name}",
            "port": services.HTTPS_PORT,
        }
    }
    if authority:
        config["caBundle"] = authority
    hook: Object = {
        "name": f"{webhook.name}.{resources.CDI_GROUP}",
        "clientConfig": config,
        "rules": [
            {
                "apiGroups": [webhook.group],
                "apiVersions": [webhook.version],
                "resources": list(webhook.plurals),
                "operations": list(webhook.operations),
                "scope": "*",
            }
        ],
        "failurePolicy": webhook.failure_policy,
        "matchPolicy": "Exact",
        "sideEffects": "None",
        "timeoutSeconds": webhook.timeout,
        "admissionReviewVersions": list(webhook.reviews),
        "objectSelector": {"matchLabels": dict(webhook.selector)} if webhook.selector else {},
    }
    if webhook.mutating:
        hook["reinvocationPolicy"] = "Never"
    return marks.named(
        _REGISTRATION,
        MUTATING if webhook.mutating else VALIDATING,
        webhook.configuration,
        {**given, labels.COMPONENT: labels.API},
        webhooks=[hook],
    )
