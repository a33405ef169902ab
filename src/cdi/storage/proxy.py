"""The proxy through which importers reach their sources: what is said, or else the cluster's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.storage import documents

Object = dict[str, Any]

CLUSTER_PROXY: Final = "cluster"  # name of OpenShift's Proxy
CA_NAMESPACE: Final = "openshift-config"  # where the ConfigMap with its CA is
CA_KEY: Final = "ca-bundle.crt"  # the key there
COPY_KEY: Final = "ca.crt"  # the key in our copy


@dataclass(frozen=True, slots=True)
class CertificateCopies:
    """Which copy of the cluster proxy's CA should be kept, and which one deleted."""

    keep: str = ""
    delete: str = ""


def proxy_for(said: Mapping[str, Any] | None, cluster: Mapping[str, Any] | None) -> Object:
    """Return `status.importProxy`, given the CDIConfig's word and OpenShift's Proxy, if any."""
    if said is not None:
        return dict(said)
    status = documents.at(cluster, "status")
    return {
        "HTTPProxy": documents.at(status, "httpProxy") or "",
        "HTTPSProxy": documents.at(status, "httpsProxy") or "",
        "noProxy": documents.at(status, "noProxy") or "",
        "trustedCAProxy": documents.at(cluster, "spec", "trustedCA", "name") or "",
    }


def copies_for(
    said: Mapping[str, Any] | None, before: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> CertificateCopies:
    """Return what to do about copies, given the status before and the one to be written.

    Nothing is copied, and nothing deleted, for a proxy that the CDIConfig names itself: its
    ConfigMap is the administrator's.
    """
    if said is not None:
        return CertificateCopies()
    old = documents.at(before, "trustedCAProxy") or ""
    new = now["trustedCAProxy"]
    return CertificateCopies(keep=new, delete=old if old != new else "")
