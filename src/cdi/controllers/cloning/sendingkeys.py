"""
The Secret of a clone source: the one certificate with which it may write one claim.

Keys are made here, so two calls differ; nothing is read or written. The Secret belongs to the pod
and goes with it. Raises CannotIssue.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from cdi import pki
from cdi.api import annotations, labels, names
from cdi.controllers import plan
from cdi.controllers.uploading import requests
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.pki import Pair, Use
from cdi.storage.lifetimes import Lifetimes

_CERTIFICATE, _KEY = "tls.crt", "tls.key"


class CannotIssue(plan.NotYet):
    """The installation lacks what certificates are made with; the text says what helps."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """What the installation has to make certificates with, as it is found."""

    namespace: str  # of the installation
    signer: Object | None  # a Secret
    bundle: Object | None  # a ConfigMap: what clients of upload servers trust
    lifetimes: Lifetimes

    @property
    def servers(self) -> str:
        """The certificates that upload servers are known by, as PEM."""
        return str(objects.get(self.bundle, "data", names.BUNDLE_KEY, default=""))

    def why_not(self) -> str:
        """What is missing; empty where certificates can be made."""
        lacks = []
        if not (self.signer or {}).get("data"):
            lacks.append(f"Secret {names.UPLOAD_CLIENT_SIGNER}")
        if not self.servers:
            lacks.append(f"ConfigMap {names.UPLOAD_SERVER_BUNDLE}")
        if not lacks:
            return ""
        return (
            f"the clone source waits for {' and '.join(lacks)} in namespace {self.namespace}; "
            "the operator makes them: see that `cdi operator` runs"
        )


def secret_for(pod: Object, claim: Object, issuer: Issuer, now: datetime) -> Object:
    """The Secret of a pod, with keys that are made for it. Raises CannotIssue."""
    if why := issuer.why_not():
        raise CannotIssue(why)
    try:
        made = pki.issue(
            _pair(issuer.signer),
            requests.client_of(claim),
            Use.CLIENT,
            now,
            issuer.lifetimes.client.life,
        )
    except pki.BrokenPem as error:
        raise CannotIssue(
            f"Secret {names.UPLOAD_CLIENT_SIGNER} in namespace {issuer.namespace} cannot be used: "
            f"{error}"
        ) from error
    data = {_KEY: made.key, _CERTIFICATE: made.certificate}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": objects.name(pod),
            "namespace": objects.namespace(pod),
            "labels": {labels.APP: labels.APP_VALUE, labels.COMPONENT: labels.CLONE_SOURCE},
            "annotations": {annotations.CREATED_BY_CONTROLLER: "yes"},
            "ownerReferences": [owners.owner_reference(pod)],
        },
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def _pair(signer: Object | None) -> Pair:
    try:
        certificate, key = (
            base64.b64decode(objects.get(signer, "data", name, default="")).decode()
            for name in (_CERTIFICATE, _KEY)
        )
    except (binascii.Error, UnicodeDecodeError) as error:
        raise pki.BrokenPem("not base64") from error
    return Pair(certificate, key)
