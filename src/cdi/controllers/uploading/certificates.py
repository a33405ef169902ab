"""
The Secret of an upload server: its certificate and key, and whose clients it believes.

Keys are made here, so two calls differ; nothing is read or written. The Secret belongs to the pod
and goes with it, and is never renewed: the pod makes way for another one before either side's
certificates end (`Issuer.deadline`). Raises CannotIssue.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdi import pki
from cdi.api import annotations, labels, names
from cdi.controllers import plan
from cdi.controllers.uploading import pod
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.pki import Pair, Use
from cdi.storage.lifetimes import Lifetimes

_TYPE: Final = "kubernetes.io/tls"


class CannotIssue(plan.NotYet):
    """The installation lacks what certificates are made with; the text says what helps."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """What the installation has to make certificates with, as it is found."""

    namespace: str  # of the installation
    signer: Object | None  # a Secret
    clients: Object | None  # a ConfigMap
    lifetimes: Lifetimes

    def deadline(self, now: datetime) -> datetime:
        """Until when a server that is made now may wait for somebody to send."""
        return now + min(self.lifetimes.server.refresh, self.lifetimes.client.refresh)

    def why_not(self) -> str:
        """What is missing; empty where certificates can be made."""
        lacks = [
            f"{kind} {name}"
            for kind, name, found in (
                ("Secret", names.UPLOAD_SERVER_SIGNER, self.signer),
                ("ConfigMap", names.UPLOAD_CLIENT_BUNDLE, self.clients),
            )
            if not (found or {}).get("data")
        ]
        if not lacks:
            return ""
        return (
            f"the upload server waits for {' and '.join(lacks)} in namespace {self.namespace}; "
            "the operator makes them: see that `cdi operator` runs"
        )


def secret_for(found: Object, claim: Object, issuer: Issuer, now: datetime) -> Object:
    """The Secret of a pod, with keys that are made for it. Raises CannotIssue."""
    if why := issuer.why_not():
        raise CannotIssue(why)
    service, namespace = pod.service_name_of(claim), objects.namespace(claim)
    hosts = sorted((service, f"{service}.{namespace}", f"{service}.{namespace}.svc"))
    try:
        made = pki.issue(
            _pair(issuer.signer), hosts[0], Use.SERVER, now, issuer.lifetimes.server.life,
            hosts=hosts,
        )  # fmt: skip
    except pki.BrokenPem as error:
        raise CannotIssue(
            f"Secret {names.UPLOAD_SERVER_SIGNER} in namespace {issuer.namespace} cannot be used: "
            f"{error}"
        ) from error
    clients = objects.get(issuer.clients, "data", names.BUNDLE_KEY, default="")
    data = {pod.KEY: made.key, pod.CERTIFICATE: made.certificate, pod.CLIENTS: str(clients)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": _TYPE,
        "metadata": _metadata(found),
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def _metadata(found: Object) -> Object:
    kept = {key: value for key, value in objects.labels(found).items() if key in _LABELS}
    return {
        "name": objects.name(found),
        "namespace": objects.namespace(found),
        "labels": kept,
        "annotations": {annotations.CREATED_BY_UPLOAD_CONTROLLER: "yes"},
        "ownerReferences": [owners.owner_reference(found)],
    }


_LABELS: Final = frozenset({labels.APP, labels.COMPONENT, labels.MANAGED_BY, labels.APP_COMPONENT})


def _pair(signer: Object | None) -> Pair:
    try:
        certificate, key = (
            base64.b64decode(objects.get(signer, "data", name, default="")).decode()
            for name in (pod.CERTIFICATE, pod.KEY)
        )
    except (binascii.Error, UnicodeDecodeError) as error:
        raise pki.BrokenPem("not base64") from error
    return Pair(certificate, key)
