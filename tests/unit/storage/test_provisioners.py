"""Under which key a class is found in the table of capabilities."""

import pytest

from cdi.storage import capabilities, local, modes, provisioners
from support.storage_objects import storage_class

FSTYPE = "csi.storage.k8s.io/fstype"
NFS_OPTIONS = {"sharedv4_mount_options": "vers=3.0,nolock"}
POWER = ("csi-powerstore.dellemc.com", "csi-vxflexos.dellemc.com", "csi-powermax.dellemc.com")

# provisioner, parameters, what follows the provisioner in the key (None: UNKNOWN)
ROWS: list[tuple[str, dict[str, str] | None, str | None]] = [
    ("rbd.csi.ceph.com", {"any": "thing"}, ""),
    ("example.com/unheard-of", None, ""),
    ("kubevirt.io.hostpath-provisioner", {"overlayCSI": ""}, "/overlay"),
    ("kubevirt.io.hostpath-provisioner", None, ""),
    ("kubernetes.io/portworx-volume", NFS_OPTIONS, "/nfs"),
    ("kubernetes.io/portworx-volume", {"sharedv4_mount_options": "vers=3.0"}, ""),
    ("pxd.portworx.com", {"backend": "pure_block"}, "/pure_block"),
    ("pxd.portworx.com", {"backend": "pure_fa_file"}, "/pure_fa_file"),
    ("pxd.portworx.com", {"backend": "other"} | NFS_OPTIONS, ""),
    ("pxd.portworx.com", NFS_OPTIONS, "/nfs"),
    ("pxd.portworx.com", {}, ""),
    ("csi.trident.netapp.io", {"backendType": "ontap-nas-economy"}, "/ontap-nas"),
    ("csi.trident.netapp.io", {"backendType": "ontap-san"}, "/ontap-san"),
    (
        "csi.trident.netapp.io",
        {"backendType": "google-cloud-netapp-volumes", "selector": "a=b ; performance=flex"},
        "/gcnv-flex",
    ),
    (
        "csi.trident.netapp.io",
        {"backendType": "google-cloud-netapp-volumes", "selector": "performance=flexible"},
        None,
    ),
    ("csi.trident.netapp.io", None, None),
    ("infinibox-csi-driver", {"storage_protocol": "fc"}, "/iscsiorfibrechannel"),
    ("infinibox-csi-driver", {"storage_protocol": "iscsi"}, "/iscsiorfibrechannel"),
    ("infinibox-csi-driver", {"storage_protocol": "nvme"}, "/nvme"),
    ("infinibox-csi-driver", {"storage_protocol": "nfs_treeq"}, "/nfs"),
    ("infinibox-csi-driver", {}, None),
    ("csi.vsphere.vmware.com", {FSTYPE: "NFS4"}, "/nfs"),
    ("csi.vsphere.vmware.com", {FSTYPE: "ext4"}, ""),
    ("csi-unity.dellemc.com", {"protocol": "NFS"}, "/nfs"),
    ("csi-unity.dellemc.com", {"protocol": "FC"}, ""),
    *((name, {FSTYPE: "NFS"}, "/nfs") for name in POWER),
    *((name, {FSTYPE: "nfs4"}, "") for name in POWER),
    ("csi.huawei.com", {"protocol": "nfs"}, "/nfs"),
    ("csi.huawei.com", {"protocol": "NFS"}, ""),
    ("driver.longhorn.io", {"migratable": "true", "nfsOptions": "x"}, "/migratable"),
    ("driver.longhorn.io", {"migratable": "false", "nfsOptions": "x"}, "/nfs"),
    ("driver.longhorn.io", {"nfsOptions": "", "fsType": "ext4"}, "/fs"),
    ("driver.longhorn.io", {}, ""),
    ("ebs.csi.aws.com", {"type": "io1"}, "/io1"),
    ("ebs.csi.aws.com", {"type": "io2"}, "/io2"),
    ("ebs.csi.aws.com", {"type": "gp3"}, "/gp"),
    ("ebs.csi.aws.com", {"type": "st1"}, ""),
    ("pd.csi.storage.gke.io", {"type": "hyperdisk-balanced-high-availability"}, "/hyperdisk"),
    ("pd.csi.storage.gke.io", {"type": "pd-ssd"}, ""),
    ("csi.san.synology.com", {}, "/iscsi"),
    ("csi.san.synology.com", {"protocol": "smb"}, "/smb"),
    ("csi.san.synology.com", {"protocol": "nfs_treeq"}, "/nfs"),
    ("csi.san.synology.com", {"protocol": "ftp"}, None),
    ("vpc.file.csi.ibm.io", {"profile": "rfs", "vmState": "true"}, "/rfs-rwo"),
    ("vpc.file.csi.ibm.io", {"profile": "rfs"}, "/rfs"),
    ("vpc.file.csi.ibm.io", {"profile": "dp2", "vmState": "true"}, "/dp2-rwo"),
    ("vpc.file.csi.ibm.io", {"profile": "dp2", "vmState": "false"}, "/dp2"),
    ("vpc.file.csi.ibm.io", None, ""),
]


@pytest.mark.parametrize(("provisioner", "parameters", "suffix"), ROWS)
def test_key_of_a_class(
    provisioner: str, parameters: dict[str, str] | None, suffix: str | None
) -> None:
    key = provisioners.key_for(storage_class("x", provisioner, parameters=parameters))
    assert key == (provisioners.UNKNOWN if suffix is None else provisioner + suffix)


def test_every_key_that_rules_give_is_in_the_table() -> None:
    given = {name + suffix for name, _, suffix in ROWS if suffix}
    assert given <= set(capabilities.table())


def test_every_line_of_the_table_is_well_formed() -> None:
    for key, capability in capabilities.table().items():
        assert capability.clone_strategy in ("", *capabilities.CLONE_STRATEGIES), key
        assert capability.cron_format in ("", "pvc", "snapshot"), key
        assert capability.claims or capability.minimum, key
        assert len(set(capability.claims)) == len(capability.claims), key


@pytest.mark.parametrize(
    ("key", "first", "strategy", "minimum"),
    [
        pytest.param("rbd.csi.ceph.com", "RWX/Block", "csi-clone", "", id="ceph"),
        pytest.param("ebs.csi.aws.com/io2", "RWX/Block", "", "4Gi", id="aws"),
        pytest.param("csi.trident.netapp.io/gcnv-flex", "RWX/FS", "snapshot", "1Gi", id="netapp"),
        pytest.param("topolvm.io", "RWO/Block", "copy", "", id="topolvm"),
    ],
)
def test_what_the_table_says(key: str, first: str, strategy: str, minimum: str) -> None:
    found = capabilities.capability_of(key)
    assert found.claims[0] == modes.parse_pair(first)
    assert (found.clone_strategy, found.minimum) == (strategy, minimum)


def test_a_key_with_a_minimum_only_is_not_recognized() -> None:
    found = capabilities.capability_of("xspc.csi.hpe.com")
    assert (found.minimum, found.recognized) == ("1Gi", False)


def test_our_own_provisioner_makes_files_and_devices_for_one_machine() -> None:
    ours = capabilities.capability_of(local.PROVISIONER)
    assert ours.claims == (modes.parse_pair("RWO/FS"), modes.parse_pair("RWO/Block"))
    assert ours.clone_strategy == "csi-clone"
    assert local.PROVISIONER not in capabilities.table()


def test_our_own_classes_differ_in_when_they_bind() -> None:
    now, waiting = local.storage_classes()
    assert (now["metadata"]["name"], now["volumeBindingMode"]) == ("local", "Immediate")
    assert waiting["metadata"]["name"] == "local-wffc"
    assert waiting["volumeBindingMode"] == "WaitForFirstConsumer"
    assert "annotations" not in waiting["metadata"]
