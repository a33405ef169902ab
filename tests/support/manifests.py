"""Manifests of the end-to-end tests: a DataVolume, a claim, a pod."""

from __future__ import annotations

import os
from typing import Any

Object = dict[str, Any]

SIZE = "64Mi"
BIND_AT_ONCE = "cdi.kubevirt.io/storage.bind.immediate.requested"
# A class that waits for a consumer; on clusters of others it may have another name.
WAITING_CLASS = os.environ.get("CDI_TEST_WAITING_CLASS", "local-wffc")
# The class of volumes whose test names none; None: the cluster's default.
USUAL_CLASS = os.environ.get("CDI_TEST_CLASS")
# Failures that somebody may mend elsewhere end at once, where a test waits for the end.
RETRY_NEVER = {"cdi.kubevirt.io/storage.import.retryFor": "0"}
RETAIN = "cdi.kubevirt.io/storage.pod.retainAfterCompletion"


def data_volume(
    name: str,
    source: Object,
    *,
    by: str = "storage",
    size: str = SIZE,
    annotations: dict[str, str] | None = None,
    **claim: Any,
) -> Object:
    """A DataVolume; `by` is storage or pvc, further keywords go into that block."""
    block = {"resources": {"requests": {"storage": size}}, **claim}
    if USUAL_CLASS is not None:
        block.setdefault("storageClassName", USUAL_CLASS)
    if by == "pvc":
        block.setdefault("accessModes", ["ReadWriteOnce"])
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"source": source, by: block},
    }


def http(url: str, **more: Any) -> Object:
    return {"http": {"url": url, **more}}


BLANK: Object = {"blank": {}}


def claim(name: str, annotations: dict[str, str], size: str = SIZE, **spec: Any) -> Object:
    """A claim that is annotated by hand."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def consumer(name: str, claim_name: str) -> Object:
    """A pod of somebody else that uses a claim; it needs no image for that."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "registry.example/app:1",
                    "volumeMounts": [{"name": "disk", "mountPath": "/disk"}],
                }
            ],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
    }
