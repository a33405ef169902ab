"""
Who may do what: the rules of every role that is installed, and of the operator itself.

A rule is written as groups, resources and verbs, each words with blanks between them; the core
group is `core`. What is not in here, no part of CDI may do.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cdi.kube.objects import Object

Rules: TypeAlias = tuple[Object, ...]

_READ: Final = "get list watch"


def rule(groups: str, resources: str, verbs: str, names: str = "") -> Object:
    """One rule; `names` limits it to objects of these names."""
    made: Object = {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    if names:
        made["resourceNames"] = names.split()
    return made


def url_rule(urls: str, verbs: str) -> Object:
    """A rule about addresses that are no resources."""
    return {"nonResourceURLs": urls.split(), "verbs": verbs.split()}


_CDI: Final = "cdi.kubevirt.io"
_FORKLIFT: Final = "forklift.cdi.kubevirt.io"
_UPLOAD: Final = "upload.cdi.kubevirt.io"
_SNAPSHOT: Final = "snapshot.storage.k8s.io"
_WEBHOOKS: Final = "validatingwebhookconfigurations mutatingwebhookconfigurations"
_OPENSHIFT_CONFIG: Final = "config.openshift.io"
_REVIEWS: Final = (
    rule("authentication.k8s.io", "tokenreviews", "create"),
    rule("authorization.k8s.io", "subjectaccessreviews", "create"),
)

CONTROLLER_CLUSTER: Final[Rules] = (
    rule("core", "events", "create patch get list watch"),
    rule(
        "core",
        "persistentvolumeclaims",
        "get list watch create update delete deletecollection patch",
    ),
    rule("core", "persistentvolumes", "get list watch update"),
    rule("core", "persistentvolumeclaims/finalizers pods/finalizers", "update"),
    rule("core", "pods services", "get list watch create delete"),
    rule("core", "namespaces", _READ),
    rule("core", "configmaps", "get create"),
    rule("storage.k8s.io", "storageclasses csidrivers", _READ),
    rule(_OPENSHIFT_CONFIG, "proxies infrastructures", _READ),
    rule(_OPENSHIFT_CONFIG, "clusterversions", "get"),
    rule(f"{_CDI} {_FORKLIFT}", "*", "*"),
    rule(
        _SNAPSHOT,
        "volumesnapshots volumesnapshotclasses volumesnapshotcontents",
        "get list watch create delete",
    ),
    rule(_SNAPSHOT, "volumesnapshots", "update deletecollection"),
    rule("apiextensions.k8s.io", "customresourcedefinitions", _READ),
    rule("scheduling.k8s.io", "priorityclasses", _READ),
    rule("image.openshift.io", "imagestreams", _READ),
    rule("core", "secrets", "create"),
    rule("kubevirt.io", "virtualmachines/finalizers", "update"),
    *_REVIEWS,
)

CONTROLLER_NAMESPACE: Final[Rules] = (
    rule("core", "configmaps", "get list watch create update delete"),
    rule("core", "secrets", _READ),
    rule("batch", "cronjobs", "get list watch create update deletecollection"),
    rule("batch", "jobs", "create deletecollection list watch"),
    rule("coordination.k8s.io", "leases", "get create update"),
    rule("networking.k8s.io", "ingresses", _READ),
    rule("route.openshift.io", "routes", _READ),
)

API_SERVER_CLUSTER: Final[Rules] = (
    rule("authorization.k8s.io", "subjectaccessreviews", "create"),
    rule("core", "configmaps persistentvolumeclaims persistentvolumes", _READ),
    rule("storage.k8s.io", "storageclasses", _READ),
    rule(_SNAPSHOT, "volumesnapshots", _READ),
    rule("core", "namespaces", "get"),
    rule(_CDI, "datavolumes", "get list"),
    rule(_CDI, "datasources", "get"),
    rule(_CDI, "volumeclonesources storageprofiles cdis cdiconfigs", _READ),
    rule(_CDI, "cdis/finalizers", "update"),
)

API_SERVER_NAMESPACE: Final[Rules] = (rule("core", "secrets configmaps", "get list watch create"),)

UPLOAD_PROXY_CLUSTER: Final[Rules] = (rule("core", "persistentvolumeclaims", "get"),)

UPLOAD_PROXY_NAMESPACE: Final[Rules] = (rule("core", "configmaps", "get"),)

CRON_JOB_CLUSTER: Final[Rules] = (rule(_CDI, "dataimportcrons", "get list update patch"),)

METRICS_READER: Final[Rules] = (url_rule("/metrics", "get"),)

PROFILE_READER: Final[Rules] = (url_rule("/debug/pprof /debug/pprof/*", "get"),)

MONITORING: Final[Rules] = (rule("core", "services endpoints pods", _READ),)

# For users: parts of the cluster's own admin, edit and view.

EDIT: Final[Rules] = (
    rule(
        _CDI,
        "datavolumes dataimportcrons datasources "
        "volumeimportsources volumeuploadsources volumeclonesources",
        "*",
    ),
    rule(_CDI, "datavolumes/source", "create"),
    rule(_UPLOAD, "uploadtokenrequests", "*"),
    rule(_FORKLIFT, "ovirtvolumepopulators openstackvolumepopulators", "*"),
)

VIEW: Final[Rules] = (
    rule(
        _CDI,
        "cdiconfigs dataimportcrons datasources datavolumes objecttransfers storageprofiles "
        "volumeimportsources volumeuploadsources volumeclonesources",
        _READ,
    ),
    rule(_FORKLIFT, "ovirtvolumepopulators openstackvolumepopulators", _READ),
)

CLONE_SOURCER: Final[Rules] = (rule(_CDI, "datavolumes/source", "create"),)

CONFIG_READER: Final[Rules] = (rule(_CDI, "cdiconfigs storageprofiles", _READ),)

# `cdi bootsources`. Whoever makes a role needs what the role gives, so it has that, too.

_VIEWING_IMAGES: Final[Rules] = (
    rule("core", "persistentvolumeclaims persistentvolumeclaims/status", _READ),
    rule(_SNAPSHOT, "volumesnapshots volumesnapshots/status", _READ),
    rule(_CDI, "datavolumes datasources dataimportcrons", _READ),
    rule("core", "namespaces", _READ),
    rule(_CDI, "datavolumes/source", "create"),
)

_EDITING_IMAGES: Final[Rules] = (
    rule("core", "persistentvolumeclaims", "create delete patch update"),
    rule(_CDI, "datavolumes datasources dataimportcrons", "create delete patch update"),
)

_IMAGES_VIEW: Final = "os-images.kubevirt.io:view"
_IMAGES_EDIT: Final = "os-images.kubevirt.io:edit"
_RBAC: Final = "rbac.authorization.k8s.io"

BOOT_SOURCES_CLUSTER: Final[Rules] = (
    rule("hco.kubevirt.io", "hyperconvergeds", "get list watch update patch"),
    rule("hco.kubevirt.io", "hyperconvergeds/status hyperconvergeds/finalizers", "update patch"),
    rule("ssp.kubevirt.io", "ssps", "get list watch create update patch delete"),
    rule("ssp.kubevirt.io", "ssps/status ssps/finalizers", "update patch"),
    rule("image.openshift.io", "imagestreams", "get list create patch delete"),
    rule(_CDI, "cdis", "get list watch create update patch"),
    *_VIEWING_IMAGES,
    *_EDITING_IMAGES,
    rule("core", "namespaces", "create"),
    rule("core", "namespaces", "delete", "kubevirt-os-images openshift-virtualization-os-images"),
    rule("core", "nodes", _READ),
    rule("apps", "deployments", "get"),  # of a HyperConverged operator, beside which it stops
    rule("monitoring.coreos.com", "prometheusrules", "create"),
    rule(
        "monitoring.coreos.com",
        "prometheusrules",
        "get patch",
        "kubevirt-hyperconverged-prometheus-rule",
    ),
    rule("authentication.k8s.io", "tokenreviews", "create"),  # whose metrics these are to see
    rule("authorization.k8s.io", "subjectaccessreviews", "create"),
    rule(_RBAC, "roles rolebindings clusterroles", "create"),
    rule(_RBAC, "roles rolebindings", "get patch delete", _IMAGES_VIEW),
    rule(_RBAC, "clusterroles", "get patch delete", _IMAGES_EDIT),
    rule("networking.k8s.io", "networkpolicies", "get create patch delete"),
    rule("apiextensions.k8s.io", "customresourcedefinitions", "create"),
    rule(_RBAC, "clusterroles", "get", "cdi-bootsources"),  # which its webhooks go with
    rule("admissionregistration.k8s.io", _WEBHOOKS, "create"),
    rule(
        "admissionregistration.k8s.io",
        _WEBHOOKS,
        "get patch",
        "cdi-bootsources-validate cdi-bootsources-mutate",
    ),
    rule(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "get update patch",
        "hyperconvergeds.hco.kubevirt.io ssps.ssp.kubevirt.io",
    ),
)

# What `cdi apiserver` looks up for those webhooks.
BOOT_SOURCES_RULES: Final[Rules] = (rule("ssp.kubevirt.io", "ssps", "list"),)

# What the controllers look at besides where there are HyperConvergeds: defaults of theirs.
BOOT_SOURCES_DEFAULTS: Final[Rules] = (
    rule("core", "configmaps", "list watch", "kubevirt-storage-class-defaults"),
    rule("hco.kubevirt.io", "hyperconvergeds", _READ),
)

BOOT_SOURCES_NAMESPACE: Final[Rules] = (
    rule("core", "configmaps", _READ, "cdi-apiserver-signer-bundle"),
    rule("coordination.k8s.io", "leases", "get create update"),
)

# The operator itself. It can only give away what it has, so it has everything above, too.

_OPERATOR_CLUSTER: Final[Rules] = (
    rule(
        "rbac.authorization.k8s.io",
        "clusterrolebindings clusterroles",
        "get list watch create update delete",
    ),
    rule(
        "security.openshift.io",
        "securitycontextconstraints",
        "get list watch update create",
    ),
    rule(
        "apiextensions.k8s.io",
        "customresourcedefinitions customresourcedefinitions/status",
        "get list watch create update delete",
    ),
    rule("admissionregistration.k8s.io", _WEBHOOKS, "create list watch"),
    rule(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "get update delete",
        "cdi-api-dataimportcron-validate cdi-api-populator-validate cdi-api-datavolume-validate "
        "cdi-api-validate objecttransfer-api-validate",
    ),
    rule(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "get update delete",
        "cdi-api-datavolume-mutate cdi-api-pvc-mutate",
    ),
    rule(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "delete",
        "cdi-api-dataimportcron-mutate",
    ),
    rule("apiregistration.k8s.io", "apiservices", "get list watch create update delete"),
    rule("populator.storage.k8s.io", "volumepopulators", "get list watch create update delete"),
    rule(f"{_CDI} {_UPLOAD}", "*", "*"),
    rule("core", "pods services", "get list watch delete deletecollection"),
)

_OPERATOR_NAMESPACE: Final[Rules] = (
    rule(
        "rbac.authorization.k8s.io",
        "rolebindings roles",
        "get list watch create update delete",
    ),
    rule(
        "core",
        "serviceaccounts configmaps events secrets services",
        "get list watch create update patch delete",
    ),
    rule("apps", "deployments deployments/finalizers", "get list watch create update delete"),
    rule("route.openshift.io", "routes routes/custom-host", "get list watch create update"),
    rule(
        "monitoring.coreos.com",
        "servicemonitors prometheusrules",
        "get list watch create delete update patch",
    ),
    rule("policy", "poddisruptionbudgets", "get list watch create update delete"),
    rule("coordination.k8s.io", "leases", "get create update"),
)


def united(*lists: Rules) -> Rules:
    """All rules, each once, in the order in which they appear first."""
    found: list[Object] = []
    for rules in lists:
        found += [each for each in rules if each not in found]
    return tuple(found)


OPERATOR_CLUSTER: Final = united(
    _OPERATOR_CLUSTER,
    CONTROLLER_CLUSTER,
    API_SERVER_CLUSTER,
    UPLOAD_PROXY_CLUSTER,
    CRON_JOB_CLUSTER,
    METRICS_READER,
    PROFILE_READER,
    EDIT,
    VIEW,
    CLONE_SOURCER,
    CONFIG_READER,
)

OPERATOR_NAMESPACE: Final = united(
    _OPERATOR_NAMESPACE,
    CONTROLLER_NAMESPACE,
    API_SERVER_NAMESPACE,
    UPLOAD_PROXY_NAMESPACE,
    MONITORING,
)
