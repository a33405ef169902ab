"""
Under which key a StorageClass is found in the table of capabilities.

For most provisioners the key is their name. Some make quite different volumes depending on the
parameters of the class; for these the parameters choose among several keys, the first match
wins. Parameters that fit none of the known ways give UNKNOWN where a default would be a guess.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cdi.storage import documents

UNKNOWN: Final = "UNKNOWN"  # parameters that nobody knows; has no capabilities
NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"  # volumes are made by hand

# Known not to be of use for disks. Their profiles count as complete, so that nobody is alarmed.
UNSUPPORTED: Final = frozenset(
    {
        "openshift-storage.noobaa.io/obc",
        "openshift-storage.ceph.rook.io/bucket",
        "rook-ceph.ceph.rook.io/bucket",
        "stork-snapshot",
        NO_PROVISIONER,
    }
)

Parameters = Mapping[str, str]
# Returns what follows the provisioner's name in the key; None means that the key is UNKNOWN.
Rule = Callable[[Parameters], str | None]

_FSTYPE = "csi.storage.k8s.io/fstype"
_SELECTOR_SEPARATOR = re.compile(r"\s*[;,]\s*")


def key_for(storage_class: Mapping[str, Any]) -> str:
    """Return the key of a StorageClass in the table of capabilities, or UNKNOWN."""
    provisioner = str(storage_class.get("provisioner") or "")
    rule = _RULES.get(provisioner)
    if rule is None:
        return provisioner
    suffix = rule(documents.at(storage_class, "parameters") or {})
    return UNKNOWN if suffix is None else provisioner + suffix


def _hostpath(parameters: Parameters) -> str:
    return "/overlay" if "overlayCSI" in parameters else ""


def _shared_by_nfs(parameters: Parameters) -> bool:
    options = parameters.get("sharedv4_mount_options", "").split(",")
    return "vers=3.0" in options and "nolock" in options


def _portworx(parameters: Parameters) -> str:
    return "/nfs" if _shared_by_nfs(parameters) else ""


def _portworx_csi(parameters: Parameters) -> str:
    backend = parameters.get("backend")
    if backend in {"pure_block", "pure_fa_file"}:
        return f"/{backend}"
    return "/nfs" if backend is None and _shared_by_nfs(parameters) else ""


def _trident(parameters: Parameters) -> str | None:
    backend = parameters.get("backendType", "")
    for prefix in ("ontap-nas", "ontap-san"):
        if backend.startswith(prefix):
            return f"/{prefix}"
    selector = _SELECTOR_SEPARATOR.split(parameters.get("selector", "").strip())
    if backend == "google-cloud-netapp-volumes" and "performance=flex" in selector:
        return "/gcnv-flex"
    return None


def _longhorn(parameters: Parameters) -> str:
    if parameters.get("migratable") == "true":
        return "/migratable"
    if parameters.get("nfsOptions"):
        return "/nfs"
    return "/fs" if parameters.get("fsType") else ""


def _ibm_file(parameters: Parameters) -> str:
    profile = parameters.get("profile")
    if profile not in {"rfs", "dp2"}:
        return ""
    return f"/{profile}-rwo" if parameters.get("vmState") == "true" else f"/{profile}"


def _vsphere(parameters: Parameters) -> str:
    return "/nfs" if "nfs" in parameters.get(_FSTYPE, "").lower() else ""


def _fstype_nfs(parameters: Parameters) -> str:
    return "/nfs" if parameters.get(_FSTYPE, "").lower() == "nfs" else ""


def _unity(parameters: Parameters) -> str:
    return "/nfs" if parameters.get("protocol", "").lower() == "nfs" else ""


def _by_value(parameter: str, suffixes: Mapping[str, str], otherwise: str | None = "") -> Rule:
    """Return a rule that looks the value of one parameter up; absent reads as empty."""
    return lambda parameters: suffixes.get(parameters.get(parameter, ""), otherwise)


_RULES: Final[Mapping[str, Rule]] = {
    "kubevirt.io.hostpath-provisioner": _hostpath,
    "kubernetes.io/portworx-volume": _portworx,
    "pxd.portworx.com": _portworx_csi,
    "csi.trident.netapp.io": _trident,
    "infinibox-csi-driver": _by_value(
        "storage_protocol",
        {
            "iscsi": "/iscsiorfibrechannel",
            "fc": "/iscsiorfibrechannel",
            "nvme": "/nvme",
            "nfs": "/nfs",
            "nfs_treeq": "/nfs",
        },
        otherwise=None,
    ),
    "csi.vsphere.vmware.com": _vsphere,
    "csi-unity.dellemc.com": _unity,
    "csi-powerstore.dellemc.com": _fstype_nfs,
    "csi-vxflexos.dellemc.com": _fstype_nfs,
    "csi-powermax.dellemc.com": _fstype_nfs,
    "csi.huawei.com": _by_value("protocol", {"nfs": "/nfs"}),
    "driver.longhorn.io": _longhorn,
    "ebs.csi.aws.com": _by_value(
        "type", {"io1": "/io1", "io2": "/io2", "gp2": "/gp", "gp3": "/gp"}
    ),
    "pd.csi.storage.gke.io": _by_value(
        "type",
        {
            "hyperdisk-balanced": "/hyperdisk",
            "hyperdisk-balanced-high-availability": "/hyperdisk",
        },
    ),
    "csi.san.synology.com": _by_value(
        "protocol",
        {"": "/iscsi", "iscsi": "/iscsi", "smb": "/smb", "nfs": "/nfs", "nfs_treeq": "/nfs"},
        otherwise=None,
    ),
    "vpc.file.csi.ibm.io": _ibm_file,
}
