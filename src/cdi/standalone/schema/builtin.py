"""
Kubernetes' own kinds, as far as this API serves them: names, short names, subresources.

One row a kind. Fields are in the tables of `types/`, columns in `columns`, rules in `rules_*`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from cdi.standalone.schema import columns, definitions
from cdi.standalone.schema.kinds import ALL_VERBS, KindInfo, Scale

# table            group                        one row a kind:
#   Kind  plural  [short=a,b] [cat=all] [cluster] [sub=status,log] [verbs=create]
_KINDS = """
core/v1 -
  Binding bindings verbs=create
  ComponentStatus componentstatuses short=cs cluster verbs=get,list
  ConfigMap configmaps short=cm
  Endpoints endpoints short=ep
  Event events short=ev
  LimitRange limitranges short=limits
  Namespace namespaces short=ns cluster sub=status,finalize verbs=create,delete,get,list,patch,update,watch
  Node nodes short=no cluster sub=status,proxy
  PersistentVolume persistentvolumes short=pv cluster sub=status
  PersistentVolumeClaim persistentvolumeclaims short=pvc sub=status
  Pod pods short=po cat=all sub=status,log,eviction,binding,ephemeralcontainers
  PodTemplate podtemplates
  ReplicationController replicationcontrollers short=rc cat=all sub=status,scale
  ResourceQuota resourcequotas short=quota sub=status
  Secret secrets
  Service services short=svc cat=all sub=status,proxy
  ServiceAccount serviceaccounts short=sa sub=token
admissionregistration/v1 admissionregistration.k8s.io
  MutatingWebhookConfiguration mutatingwebhookconfigurations cat=api-extensions cluster
  ValidatingWebhookConfiguration validatingwebhookconfigurations cat=api-extensions cluster
apiextensions/v1 apiextensions.k8s.io
  CustomResourceDefinition customresourcedefinitions short=crd,crds cat=api-extensions cluster sub=status
apiregistration/v1 apiregistration.k8s.io
  APIService apiservices cat=api-extensions cluster sub=status
apps/v1 apps
  ControllerRevision controllerrevisions
  DaemonSet daemonsets short=ds cat=all sub=status
  Deployment deployments short=deploy cat=all sub=status,scale
  ReplicaSet replicasets short=rs cat=all sub=status,scale
  StatefulSet statefulsets short=sts cat=all sub=status,scale
authentication/v1 authentication.k8s.io
  SelfSubjectReview selfsubjectreviews cluster verbs=create
  TokenReview tokenreviews cluster verbs=create
authorization/v1 authorization.k8s.io
  LocalSubjectAccessReview localsubjectaccessreviews verbs=create
  SelfSubjectAccessReview selfsubjectaccessreviews cluster verbs=create
  SelfSubjectRulesReview selfsubjectrulesreviews cluster verbs=create
  SubjectAccessReview subjectaccessreviews cluster verbs=create
batch/v1 batch
  CronJob cronjobs short=cj cat=all sub=status
  Job jobs cat=all sub=status
coordination/v1 coordination.k8s.io
  Lease leases
discovery/v1 discovery.k8s.io
  EndpointSlice endpointslices
events/v1 events.k8s.io
  Event events short=ev
networking/v1 networking.k8s.io
  Ingress ingresses short=ing sub=status
  NetworkPolicy networkpolicies short=netpol
policy/v1 policy
  PodDisruptionBudget poddisruptionbudgets short=pdb sub=status
rbac/v1 rbac.authorization.k8s.io
  ClusterRole clusterroles cluster
  ClusterRoleBinding clusterrolebindings cluster
  Role roles
  RoleBinding rolebindings
scheduling/v1 scheduling.k8s.io
  PriorityClass priorityclasses short=pc cluster
snapshot/v1 snapshot.storage.k8s.io
  VolumeSnapshot volumesnapshots short=vs sub=status
  VolumeSnapshotClass volumesnapshotclasses short=vsclass,vsclasses cluster
  VolumeSnapshotContent volumesnapshotcontents short=vsc,vscs cluster sub=status
storage/v1 storage.k8s.io
  CSIDriver csidrivers cluster
  CSINode csinodes cluster
  CSIStorageCapacity csistoragecapacities
  StorageClass storageclasses short=sc cluster
  VolumeAttachment volumeattachments cluster sub=status
  VolumeAttributesClass volumeattributesclasses short=vac cluster
"""  # noqa: E501 - one row a kind

_WORKLOAD_SCALE = Scale(".spec.replicas", ".status.replicas", ".status.selector")

# Stored as core events, as on a cluster: both group versions show the same objects.
_SHARED_STORAGE = {("events.k8s.io", "Event")}


@functools.cache
@functools.cache
def groups() -> frozenset[str]:
    """The groups of all of them."""
    return frozenset(kind.group for kind in kinds())


def kinds() -> tuple[KindInfo, ...]:
    """Every built-in kind. Cheap: no table is read before a kind's schema is asked for."""
    return tuple(_rows())


def _rows() -> Iterator[KindInfo]:
    owner = group = ""
    for line in _KINDS.strip().splitlines():
        if line.startswith("  "):
            yield _kind(owner, group, line.split())
        else:
            owner, group = line.split()
            group = group.removeprefix("-")


def _kind(owner: str, group: str, words: list[str]) -> KindInfo:
    kind, plural, *rest = words
    options = dict(word.partition("=")[::2] for word in rest)
    subresources = _listed(options.get("sub", ""))
    return KindInfo(
        group=group,
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        build_schema=functools.partial(definitions.schema_of, owner, kind),
        short_names=_listed(options.get("short", "")),
        categories=_listed(options.get("cat", "")),
        namespaced="cluster" not in options,
        columns=columns.columns_of(group, kind),
        subresources=frozenset(subresources),
        verbs=_listed(options["verbs"]) if "verbs" in options else ALL_VERBS,
        storage=(group, kind) not in _SHARED_STORAGE,
        scale=_WORKLOAD_SCALE if "scale" in subresources else None,
        list_kind=f"{kind}List",
        table=owner,
        component=f"{_PREFIXES.get(owner, 'io.k8s.api.' + owner.replace('/', '.'))}.{kind}",
    )


_PREFIXES = {
    "apiextensions/v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration/v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    "snapshot/v1": "io.k8s.storage.snapshot.v1",
}


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split(",")) if words else ()
