"""
Which columns `kubectl get` shows for each built-in kind. The cells are in `cells` and
`workload_cells`.

One row a kind: column names joined by commas; `*` marks a column of `-o wide`. A column is text
unless `:integer` or `:boolean` says otherwise. Kinds that are not listed have a name and a creation
time.
"""

from __future__ import annotations

import functools

from cdi.standalone.schema.kinds import Column

_COLUMNS = """
ConfigMap: Name,Data,Age
CSIDriver: Name,AttachRequired:boolean,PodInfoOnMount:boolean,StorageCapacity:boolean,TokenRequests,RequiresRepublish:boolean,Modes,Age
CSINode: Name,Drivers:integer,Age
CSIStorageCapacity: Name,StorageClassName,Capacity
ComponentStatus: Name,Status,Message,Error
ClusterRoleBinding: Name,Role,Age,Users*,Groups*,ServiceAccounts*
ControllerRevision: Name,Controller,Revision,Age
CronJob: Name,Schedule,Timezone,Suspend:boolean,Active:integer,Last Schedule,Age,Containers*,Images*,Selector*
DaemonSet: Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,Node Selector,Age,Containers*,Images*,Selector*
Deployment: Name,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*
Endpoints: Name,Endpoints,Age
EndpointSlice: Name,AddressType,Ports,Endpoints,Age
Event: Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name*
Ingress: Name,Class,Hosts,Address,Ports,Age
Job: Name,Status,Completions,Duration,Age,Containers*,Images*,Selector*
Lease: Name,Holder,Age
MutatingWebhookConfiguration: Name,Webhooks:integer,Age
Namespace: Name,Status,Age
NetworkPolicy: Name,Pod-Selector,Age
Node: Name,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,Container-Runtime*
PersistentVolume: Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,VolumeMode*
PersistentVolumeClaim: Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode*
Pod: Name,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*
PodDisruptionBudget: Name,Min Available,Max Unavailable,Allowed Disruptions:integer,Age
PodTemplate: Name,Containers,Images,Pod Labels
PriorityClass: Name,Value:integer,Global-Default:boolean,Age,PreemptionPolicy
ReplicaSet: Name,Desired:integer,Current:integer,Ready:integer,Age,Containers*,Images*,Selector*
ReplicationController: Name,Desired:integer,Current:integer,Ready:integer,Age,Containers*,Images*,Selector*
ResourceQuota: Name,Age,Request,Limit
RoleBinding: Name,Role,Age,Users*,Groups*,ServiceAccounts*
Secret: Name,Type,Data,Age
Service: Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector*
ServiceAccount: Name,Secrets,Age
StatefulSet: Name,Ready,Age,Containers*,Images*
StorageClass: Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age
APIService: Name,Service,Available,Age
ValidatingWebhookConfiguration: Name,Webhooks:integer,Age
VolumeAttachment: Name,Attacher,PV,Node,Attached:boolean,Age
VolumeAttributesClass: Name,DriverName,Age
VolumeSnapshot: Name,ReadyToUse,SourcePVC,SourceSnapshotContent,RestoreSize,SnapshotClass,SnapshotContent,CreationTime,Age
VolumeSnapshotClass: Name,Driver,DeletionPolicy,Age
VolumeSnapshotContent: Name,ReadyToUse,RestoreSize,DeletionPolicy,Driver,VolumeSnapshotClass,VolumeSnapshot,VolumeSnapshotNamespace,Age
"""  # noqa: E501 - one row a kind, so that it can be compared with what kubectl prints

NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
CREATED_AT = Column("Created At", type="date", description="When the object was created.")


def columns_of(group: str, kind: str) -> tuple[Column, ...]:
    """The columns of a built-in kind; both Event kinds have the same ones."""
    del group
    return _table().get(kind, (NAME, CREATED_AT))


@functools.cache
def _table() -> dict[str, tuple[Column, ...]]:
    rows = (line.partition(": ") for line in _COLUMNS.strip().splitlines())
    return {kind: tuple(_column(word) for word in words.split(",")) for kind, _, words in rows}


def _column(word: str) -> Column:
    wide = word.endswith("*")
    name, _, kind = word.rstrip("*").partition(":")
    return Column(
        name, kind or "string", format="name" if name == "Name" else "", priority=1 if wide else 0
    )
