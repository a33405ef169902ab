"""
Names of the objects that are made for other objects, and the rule that keeps them short.

Every name is a pure function of the object it belongs to, so any controller can find what
another one made. Lengths are in characters. UIDs are 36 characters long, so names built from
a UID alone never need shortening.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_NAME: Final = 253  # pods, PVCs, ConfigMaps: a DNS subdomain
LONGEST_LABEL: Final = 63  # Services and label values: a DNS label

CDI = "cdi"  # the usual name of the one CDI object
CDI_CONFIG = "config"  # the one CDIConfig
CDI_CONFIG_MAP = "cdi-config"  # the ConfigMap that says which CDI object owns the installation
HYPERCONVERGED = "kubevirt-hyperconverged"  # the one HyperConverged
SSP = "ssp-kubevirt-hyperconverged"  # the one SSP, as a HyperConverged makes it
VDDK_CONFIG_MAP = "v2v-vmware"  # names the VDDK image, in the namespace of the installation
UPLOAD_API_SERVICE = "v1beta1.upload.cdi.kubevirt.io"  # the APIService of the upload tokens
UPLOAD_CLIENT = "client.upload-server.cdi.kubevirt.io"  # the upload proxy's certificate says so

# Secrets and ConfigMaps of the installation, with who may upload and with whom one uploads to.
UPLOAD_SERVER_SIGNER = "cdi-uploadserver-signer"  # Secret: signs certificates of upload servers
UPLOAD_SERVER_BUNDLE = "cdi-uploadserver-signer-bundle"  # ConfigMap: what their clients trust
UPLOAD_CLIENT_SIGNER = "cdi-uploadserver-client-signer"  # Secret: signs certificates of clients
UPLOAD_CLIENT_BUNDLE = "cdi-uploadserver-client-signer-bundle"  # ConfigMap: what servers trust
UPLOAD_CLIENT_CERTIFICATE = "cdi-uploadserver-client-cert"  # Secret: the upload proxy's
BUNDLE_KEY = "ca-bundle.crt"  # of these ConfigMaps

_HASHED: Final = len("-01234567-")
_PART: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def fnv1a_32(text: str) -> str:
    """Return the 32 bit FNV-1a hash of `text` as eight hexadecimal digits."""
    digest = 0x811C9DC5
    for byte in text.encode():
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{digest:08x}"


def join(base: str, suffix: str, longest: int = LONGEST_NAME) -> str:
    """Return `base-suffix`, with the middle replaced by a hash where that is too long."""
    full = f"{base}-{suffix}"
    if len(full) <= longest:
        return full
    room = longest - _HASHED - len(suffix)
    if room > 0:
        return f"{base[:room]}-{fnv1a_32(base)}-{suffix}"
    return f"{base[: longest - _HASHED + 1]}-{fnv1a_32(full)}"


def service_for(name: str) -> str:
    """Return the name of the Service in front of the pod called `name`."""
    dashed = name.replace(".", "-")
    return dashed if len(dashed) <= LONGEST_LABEL else join(dashed, "cdi", LONGEST_LABEL)


# Populators


def prime_for(target_uid: str) -> str:
    """The claim in which a volume is filled before its target takes it over."""
    return f"prime-{target_uid}"


def import_source_for(volume_uid: str) -> str:
    """The VolumeImportSource of a DataVolume."""
    return f"volume-import-source-{volume_uid}"


def upload_source_for(volume_uid: str) -> str:
    """The VolumeUploadSource of a DataVolume."""
    return f"volume-upload-source-{volume_uid}"


def clone_source_for(volume_uid: str) -> str:
    """The VolumeCloneSource of a DataVolume."""
    return f"volume-clone-source-{volume_uid}"


def sources_for(volume_uid: str) -> tuple[str, ...]:
    """What a DataVolume may tell one of our populators with."""
    named = (import_source_for, upload_source_for, clone_source_for)
    return tuple(name_for(volume_uid) for name_for in named)


def populate_pod_for(target_uid: str) -> str:
    """The pod of an oVirt or OpenStack populator."""
    return f"populate-{target_uid}"


# Workers


def importer_for(claim: str, checkpoint: str = "") -> str:
    """The importer pod of a claim, one for each checkpoint of a multi-stage import.

    A checkpoint is called as somebody likes; one that is no part of a pod's name is hashed.
    """
    if checkpoint:
        if not _PART.fullmatch(checkpoint):
            checkpoint = fnv1a_32(checkpoint)
        return join(f"importer-{claim}", f"checkpoint-{checkpoint}")
    return join("importer", claim)


def upload_pod_for(claim: str) -> str:
    """The upload server pod of a claim; its Secret has the same name."""
    return join("cdi-upload", claim)


def upload_service_for(claim: str) -> str:
    """The Service in front of a claim's upload server."""
    return service_for(upload_pod_for(claim))


def upload_url_for(claim: str, namespace: str) -> str:
    """The address to which a clone source sends its bytes."""
    return f"https://{upload_service_for(claim)}.{namespace}.svc:8443/v1beta1/upload"


def upload_client_for(source_namespace: str, source: str, namespace: str, target: str) -> str:
    """The certificate name with which one clone source may write one target."""
    return f"{source_namespace}/{source}-{namespace}/{target}"


def scratch_for(claim: str) -> str:
    """The scratch claim of a claim."""
    return join(claim, "scratch")


def proxy_certificates_for(claim: str) -> str:
    """The ConfigMap with the import proxy's CA, beside the claim."""
    return join("import-proxy-cm", claim)


# Clones

SIZE_DETECTION: Final = "size-detection-"  # begins the names of pods that measure


def clone_source_pod_for(target_uid: str) -> str:
    """The pod that reads the source of a host-assisted copy; its Secret has the same name."""
    return f"{target_uid}-source-pod"


def copy_pod_for(target_uid: str) -> str:
    """The pod that copies into a claim from one beside it.

    Not the name of the one that sends: a controller that knows no copies of this kind has to be
    able to make its own.
    """
    return f"{target_uid}-copy-source-pod"


def size_detection_pod_for(source_uid: str) -> str:
    """The pod that measures the disk in a clone's source."""
    return f"{SIZE_DETECTION}{source_uid}"


def prep_pod_for(target_uid: str) -> str:
    """The pod that makes storage bind or resize a temporary claim."""
    return f"prep-{target_uid}"


def temporary_claim_for(target_uid: str) -> str:
    """The claim in the source namespace that later becomes the target."""
    return f"tmp-pvc-{target_uid}"


def temporary_source_claim_for(target_uid: str) -> str:
    """The claim restored from a snapshot, to be copied from."""
    return f"tmp-source-pvc-{target_uid}"


def temporary_snapshot_for(target_uid: str) -> str:
    """The snapshot through which a volume is cloned."""
    return f"tmp-snapshot-{target_uid}"


def legacy_source_claim_for(volume_uid: str) -> str:
    """The claim restored from a snapshot where no populator can be used."""
    return f"{volume_uid}-host-assisted-source-pvc"


def claim_transfer_for(transfer_uid: str) -> str:
    """The ObjectTransfer of the claim that belongs to a DataVolume's transfer."""
    return f"pvc-transfer-{transfer_uid}"


# Boot sources

DIGEST_PREFIXES: Final = ("sha256:", "uid:")  # of what a DataImportCron can be asked to import
_DIGEST_LENGTH: Final = 12


def boot_image_for(data_source: str, digest: str) -> str:
    """The DataVolume, claim and snapshot of one imported digest. Raises ValueError."""
    for prefix in DIGEST_PREFIXES:
        wanted = digest.removeprefix(prefix)
        if wanted != digest and len(wanted) >= _DIGEST_LENGTH:
            return join(data_source, wanted[:_DIGEST_LENGTH])
    raise ValueError(
        f"{digest!r} is not a digest: want sha256: or uid: and at least {_DIGEST_LENGTH} characters"
    )


def cron_job_for(cron: str, cron_uid: str) -> str:
    """The CronJob that polls for a DataImportCron."""
    return join(cron, cron_uid[:8])


def initial_job_for(cron_job: str) -> str:
    """The Job that polls once, as soon as the DataImportCron exists."""
    return join("initial-job", cron_job)


def poller_for(cron: str, cron_uid: str) -> str:
    """The pod that polls by letting the node pull the image."""
    return join(f"poller-{cron}", cron_uid[:8])
