"""Manifests that make no sense are refused by `kubectl apply`, with errors that say why."""

import copy
import json
from collections.abc import Iterator

import pytest

from support import manifests
from support.cluster import Cluster, Namespace, Refused
from support.manifests import BLANK, claim, data_volume, http

pytestmark = pytest.mark.e2e

URL = "http://images.example/disk.qcow2"
RESOURCES = {"requests": {"storage": "1Gi"}}
BLOCK = {"resources": RESOURCES}


@pytest.fixture(scope="module")
def anywhere(cluster: Cluster) -> Iterator[Namespace]:
    """One namespace for all that is refused: nothing is ever made in it."""
    with cluster.namespace() as found:
        yield found
        assert found.names("dv") == set()


def spec(**fields):
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "wrong"},
        "spec": fields,
    }


def storage(source, **block):
    return data_volume("wrong", source, **block)


REFUSED = [
    pytest.param(spec(source=BLANK), "Missing", "spec.PVC:", id="neither-pvc-nor-storage"),
    pytest.param(
        spec(source=BLANK, storage=BLOCK, pvc={**BLOCK, "accessModes": ["ReadWriteOnce"]}),
        "Both",
        "spec.PVC.Storage",
        id="both-pvc-and-storage",
    ),
    pytest.param(storage(BLANK, size="0"), "less than zero", "spec.Storage", id="no-size"),
    pytest.param(storage(BLANK, size="1000"), "1Mi", "spec.Storage", id="tiny-size"),
    pytest.param(spec(source=BLANK, storage={}), "size", "spec.Storage", id="size-left-out"),
    pytest.param(
        storage(BLANK, by="pvc", accessModes=[]), "at least 1", "spec.PVC.accessModes", id="no-mode"
    ),
    pytest.param(
        storage(BLANK, by="pvc", accessModes=["ReadWriteOnce", "ReadWriteMany"]),
        "multiple accessModes",
        "spec.PVC.accessModes",
        id="two-modes",
    ),
    pytest.param(
        storage(BLANK, accessModes=["WriteOnly"]),
        "WriteOnly",
        "spec.PVC.accessModes",
        id="odd-mode",
    ),
    pytest.param(spec(storage=BLOCK), "Source", "spec.source", id="no-source"),
    pytest.param(spec(storage=BLOCK, source={}), "source", "spec.source", id="empty-source"),
    pytest.param(storage({**BLANK, **http(URL)}), "ultiple", "spec.source", id="two-sources"),
    pytest.param(
        spec(storage=BLOCK, sourceRef={"kind": "Pod", "name": "x"}),
        "DataSource",
        "spec.sourceRef",
        id="reference-to-a-pod",
    ),
    pytest.param(storage(http("")), "URL", "spec.source.HTTP.url", id="empty-url"),
    pytest.param(storage(http("ftp://x/y")), "URL", "spec.source.HTTP.url", id="ftp"),
    pytest.param(
        storage(http(URL, checksum="sha256:12")),
        "sha256",
        "spec.source.HTTP.checksum",
        id="short-checksum",
    ),
    pytest.param(
        storage(http(URL, checksum="crc:12")),
        "sha256",
        "spec.source.HTTP.checksum",
        id="odd-checksum",
    ),
    pytest.param(
        spec(storage=BLOCK, source=http(URL), contentType="film"),
        "film",
        "spec.contentType",
        id="odd-content",
    ),
    pytest.param(
        spec(storage=BLOCK, source=BLANK, contentType="archive"),
        "archive",
        "spec.contentType",
        id="blank-archive",
    ),
    pytest.param(
        storage({"registry": {"url": "http://x/y"}}),
        "docker:",
        "spec.source.Registry.URL",
        id="registry-url",
    ),
    pytest.param(
        storage({"registry": {"url": "docker://x/y", "imageStream": "z"}}),
        "either",
        "spec.source.Registry",
        id="registry-two-ways",
    ),
    pytest.param(storage({"s3": {"url": "nothing"}}), "URL", "spec.source.S3.url", id="s3-url"),
    pytest.param(
        storage({"imageio": {"url": URL, "diskId": "", "secretRef": "s"}}),
        "diskId",
        "spec.source.Imageio",
        id="imageio-without-disk",
    ),
    pytest.param(
        storage({"pvc": {"namespace": "", "name": "x"}}),
        "namespace",
        "spec.source.PVC",
        id="clone-without-namespace",
    ),
]


@pytest.mark.parametrize(("wanted", "text", "field"), REFUSED)
def test_a_wrong_volume_is_refused(anywhere, wanted, text, field):
    with pytest.raises(Refused) as refusal:
        anywhere.apply(wanted)
    said = str(refusal.value)
    assert f'The DataVolume "wrong" is invalid: {field}' in said
    assert text in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"spec": {"source": 5}}, "source", id="wrong-type"),
        pytest.param({"spec": {"colour": "red"}}, "unknown field", id="unknown-field"),
        pytest.param({"metadata": {"name": "Not_A_Name"}}, "metadata.name", id="name"),
    ],
)
def test_kubernetes_own_rules_hold(anywhere, change, said):
    wanted = {**spec(source=BLANK, storage=BLOCK), **change}
    wanted["metadata"] = {"name": "wrong", **change.get("metadata", {})}
    with pytest.raises(Refused, match=said):
        anywhere.apply(wanted)


def test_a_reference_to_nothing_is_refused(space):
    wanted = spec(storage=BLOCK, sourceRef={"kind": "DataSource", "name": "nowhere"})
    with pytest.raises(Refused, match=r'denied the request: .*"nowhere" not found'):
        space.apply(wanted)


def test_the_spec_of_a_volume_stays_as_it_is(space):
    first = data_volume("disk", BLANK)
    space.apply(first)
    other = copy.deepcopy(first)
    other["spec"]["storage"]["resources"]["requests"]["storage"] = "128Mi"
    with pytest.raises(Refused, match="Cannot update DataVolume Spec"):
        space.apply(other)
    same = copy.deepcopy(first)
    same["spec"]["storage"]["resources"]["requests"]["storage"] = "65536Ki"
    space.apply(same)
    space.kubectl("label", "dv", "disk", "team=a")


def test_a_claim_of_that_name_stands_in_the_way(space):
    space.apply(claim("taken", {}))
    with pytest.raises(Refused, match="already exists"):
        space.apply(data_volume("taken", BLANK))


def test_a_labelled_claim_is_completed(space):
    wanted = claim("easy", {})
    wanted["metadata"]["labels"] = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    del wanted["spec"]["accessModes"]
    space.apply(wanted)
    assert space.get("pvc", "easy")["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_cloning_from_elsewhere_needs_permission(cluster, space):
    """The one who asks may create DataVolumes here, but nothing where the source is."""
    account = f"system:serviceaccount:{space.name}:default"
    space.kubectl("create", "role", "dvs", "--verb=create,get,patch", "--resource=datavolumes")
    space.kubectl(
        "create", "rolebinding", "dvs", "--role=dvs", f"--serviceaccount={space.name}:default"
    )
    source = {"pvc": {"namespace": "kube-system", "name": "secret-disk"}}
    wanted = json.dumps(data_volume("thief", source))
    with pytest.raises(Refused, match="insufficient permissions in clone source namespace"):
        space.kubectl("create", "-f-", f"--as={account}", "--validate=false", stdin=wanted)
    cluster.kubectl("get", "namespace", "kube-system")
    space.apply(data_volume("owner", source))
    token = "cdi.kubevirt.io/storage.clone.token"
    assert token in space.get("dv", "owner")["metadata"]["annotations"]


def test_a_made_up_token_is_taken_away(space):
    token = {"cdi.kubevirt.io/storage.clone.token": "mine", manifests.RETAIN: "true"}
    space.apply(data_volume("disk", BLANK, annotations=token))
    kept = space.get("dv", "disk")["metadata"]["annotations"]
    assert "cdi.kubevirt.io/storage.clone.token" not in kept
    assert manifests.RETAIN in kept
