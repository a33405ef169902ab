"""The whole table of capabilities, as the reference has it, and the profile of every key in it."""

import pytest

from cdi.storage import capabilities, modes, profile, provisioners
from support.storage_objects import storage_class

# key, what claims can have, advised clone strategy, format of boot images, smallest claim
TABLE = """
kubevirt.io.hostpath-provisioner | RWO/FS |  |  |
kubevirt.io.hostpath-provisioner/overlay | RWX/FS |  |  |
kubevirt.io/hostpath-provisioner | RWO/FS |  |  |
k8s.io/minikube-hostpath | RWO/FS |  |  |
nfs.csi.k8s.io | RWX/FS |  |  |
k8s-sigs.io/nfs-subdir-external-provisioner | RWX/FS |  |  |
kubernetes.io/rbd | RWX/Block RWO/Block RWO/FS |  |  |
rbd.csi.ceph.com | RWX/Block RWO/Block RWO/FS | csi-clone |  |
rook-ceph.rbd.csi.ceph.com | RWX/Block RWO/Block RWO/FS | csi-clone | snapshot |
openshift-storage.rbd.csi.ceph.com | RWX/Block RWO/Block RWO/FS | csi-clone | snapshot |
cephfs.csi.ceph.com | RWX/FS RWO/FS | csi-clone |  |
rook-ceph.cephfs.csi.ceph.com | RWX/FS RWO/FS | csi-clone |  |
openshift-storage.cephfs.csi.ceph.com | RWX/FS RWO/FS | csi-clone |  |
linstor.csi.linbit.com | RWX/Block RWO/Block RWO/FS ROX/Block ROX/FS |  |  |
csi-unity.dellemc.com | RWX/Block RWO/Block RWO/FS ROX/Block ROX/FS |  |  |
csi-unity.dellemc.com/nfs | RWX/FS RWO/FS ROX/FS |  |  |
csi-vxflexos.dellemc.com | RWX/Block RWO/Block RWO/FS ROX/Block ROX/FS | csi-clone |  |
csi-vxflexos.dellemc.com/nfs | RWX/FS RWO/FS ROX/FS |  |  |
csi-isilon.dellemc.com | RWX/FS RWO/FS ROX/FS | csi-clone |  |
csi-powermax.dellemc.com | RWX/Block RWO/Block RWO/FS ROX/Block | csi-clone |  |
csi-powermax.dellemc.com/nfs | RWX/FS RWO/FS ROX/FS |  |  |
csi-powerstore.dellemc.com | RWX/Block RWO/Block RWO/FS ROX/Block | copy |  |
csi-powerstore.dellemc.com/nfs | RWX/FS RWO/FS ROX/FS |  |  |
kubernetes.io/storageos | RWO/FS |  |  |
storageos | RWO/FS |  |  |
kubernetes.io/aws-ebs | RWO/Block |  |  |
ebs.csi.aws.com | RWO/Block |  |  |
ebs.csi.aws.com/io1 | RWO/Block |  |  | 4Gi
ebs.csi.aws.com/io2 | RWX/Block RWO/Block RWO/FS |  |  | 4Gi
ebs.csi.aws.com/gp | RWO/Block |  |  | 1Gi
efs.csi.aws.com | RWX/FS RWO/FS |  |  |
kubernetes.io/azure-disk | RWO/Block |  |  |
disk.csi.azure.com | RWO/Block |  |  |
kubernetes.io/azure-file | RWX/FS |  |  |
file.csi.azure.com | RWX/FS |  |  |
kubernetes.io/gce-pd | RWO/Block RWO/FS |  |  |
pd.csi.storage.gke.io | RWO/Block RWO/FS | snapshot | snapshot |
pd.csi.storage.gke.io/hyperdisk | RWX/Block RWO/Block RWO/FS | snapshot | snapshot | 4Gi
hspc.csi.hitachi.com | RWX/Block RWO/Block RWO/FS | csi-clone |  | 1Gi
csi.hpe.com | RWX/Block RWO/Block RWO/FS | csi-clone |  |
spectrumscale.csi.ibm.com | RWX/FS RWO/FS | csi-clone |  |
block.csi.ibm.com | RWX/Block RWO/Block RWO/FS | csi-clone |  |
vpc.block.csi.ibm.io | RWO/Block RWO/FS | copy |  |
vpc.file.csi.ibm.io | RWX/FS RWO/FS | snapshot | snapshot |
vpc.file.csi.ibm.io/dp2 | RWX/FS RWO/FS | snapshot | snapshot | 10Gi
vpc.file.csi.ibm.io/dp2-rwo | RWO/FS | snapshot | snapshot | 10Gi
vpc.file.csi.ibm.io/rfs | RWX/FS RWO/FS | snapshot | snapshot | 1Gi
vpc.file.csi.ibm.io/rfs-rwo | RWO/FS | snapshot | snapshot | 1Gi
kubernetes.io/portworx-volume/nfs | RWX/FS RWO/FS |  |  |
kubernetes.io/portworx-volume | RWX/Block RWX/FS RWO/Block RWO/FS |  |  |
pxd.portworx.com/nfs | RWX/FS RWO/FS | csi-clone |  |
pxd.portworx.com | RWX/Block RWX/FS RWO/Block RWO/FS | csi-clone |  |
pxd.portworx.com/pure_block | RWX/Block RWO/Block RWO/FS | csi-clone |  |
pxd.portworx.com/pure_fa_file | RWX/FS RWO/FS | csi-clone |  |
csi.trident.netapp.io/ontap-nas | RWX/FS RWO/FS | snapshot | snapshot |
csi.trident.netapp.io/ontap-san | RWX/Block | snapshot | snapshot |
csi.trident.netapp.io/gcnv-flex | RWX/FS RWO/FS | snapshot | snapshot | 1Gi
topolvm.cybozu.com | RWO/Block RWO/FS | copy |  |
topolvm.io | RWO/Block RWO/FS | copy |  |
cinder.csi.openstack.org | RWO/Block RWO/FS |  |  |
manila.csi.openstack.org | RWX/FS |  |  |
csi.ovirt.org | RWO/Block RWO/FS |  |  |
infinibox-csi-driver/iscsiorfibrechannel | RWX/Block RWO/Block RWO/FS | csi-clone |  |
infinibox-csi-driver/nvme | RWX/Block RWO/Block RWO/FS | csi-clone |  |
infinibox-csi-driver/nfs | RWX/FS RWO/FS | csi-clone |  |
csi.vsphere.vmware.com | RWO/Block RWO/FS |  |  |
csi.vsphere.vmware.com/nfs | RWX/FS RWO/Block RWO/FS |  |  |
csi.huawei.com | RWX/Block RWO/Block RWO/FS ROX/Block ROX/FS |  |  |
csi.huawei.com/nfs | RWX/FS RWO/FS ROX/FS |  |  |
kubesan.gitlab.io | RWX/Block ROX/Block RWO/Block RWO/FS | csi-clone |  |
driver.longhorn.io | RWO/Block |  |  |
driver.longhorn.io/migratable | RWX/Block RWO/Block |  |  |
driver.longhorn.io/nfs | RWX/FS RWO/FS |  |  |
driver.longhorn.io/fs | RWO/FS |  |  |
blockvolume.csi.oraclecloud.com | RWX/Block RWO/Block RWO/FS | csi-clone |  |
csi.san.synology.com/iscsi | RWX/Block RWO/Block RWO/FS | csi-clone |  | 1Gi
csi.san.synology.com/nfs | RWX/FS RWO/FS | csi-clone |  | 1Gi
csi.san.synology.com/smb | RWX/FS RWO/FS | csi-clone |  | 1Gi
directpv-min-io | RWO/FS |  |  |
xspc.csi.hpe.com |  |  |  | 1Gi
"""
ROWS = [tuple(word.strip() for word in line.split("|")) for line in TABLE.strip().splitlines()]
NOW = "2030-01-01T00:00:00Z"


def test_the_table_has_these_rows_and_no_others() -> None:
    assert set(capabilities.table()) == {row[0] for row in ROWS}


@pytest.mark.parametrize(("key", "claims", "clone", "cron", "minimum"), ROWS)
def test_a_row_of_the_table(key: str, claims: str, clone: str, cron: str, minimum: str) -> None:
    found = capabilities.capability_of(key)
    assert found.claims == tuple(modes.parse_pair(pair) for pair in claims.split())
    assert (found.clone_strategy, found.cron_format, found.minimum) == (clone, cron, minimum)
    assert found.recognized is bool(claims)


@pytest.mark.parametrize("snapshots", [False, True], ids=["no-snapshots", "snapshots"])
@pytest.mark.parametrize(("key", "claims", "clone", "cron", "minimum"), ROWS)
def test_the_profile_of_a_row(
    key: str,
    claims: str,
    clone: str,
    cron: str,
    minimum: str,
    snapshots: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which parameters lead to a key is tested elsewhere; here the key is given.
    monkeypatch.setattr(provisioners, "key_for", lambda _: key)
    found = storage_class("x", "driver")
    taken = [{"metadata": {"name": "s"}, "driver": "driver"}] if snapshots else []
    wanted = profile.profile_for(profile.Seen(found, None, snapshot_classes=taken), NOW)
    sets = wanted.status["claimPropertySets"]
    assert sets == [modes.parse_pair(pair).as_document() for pair in claims.split()]
    usual = clone or ("snapshot" if snapshots else "copy")
    takes_none = usual == "snapshot" and not snapshots
    assert wanted.status["cloneStrategy"] == ("copy" if takes_none else usual)
    assert wanted.status["dataImportCronSourceFormat"] == (cron if cron and snapshots else "pvc")
    least = wanted.annotations.get("cdi.kubevirt.io/minimumSupportedPvcSize")
    assert least == (minimum or None)
    recognized = next(c for c in wanted.status["conditions"] if c["type"] == "Recognized")
    assert recognized["status"] == ("True" if claims else "False")
