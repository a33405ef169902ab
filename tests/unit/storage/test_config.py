"""What a CDIConfig says, and what is then in effect."""

from typing import Any

import pytest

from cdi.storage import config, proxy
from support.storage_objects import K8S_DEFAULT, storage_class

CLASSES = [storage_class("usual", "p", K8S_DEFAULT), storage_class("gold")]


def wanted(spec: dict[str, Any], **seen: Any) -> config.Wanted:
    return config.status_for(config.Seen(spec, seen.pop("status", {}), CLASSES, **seen))


def test_an_empty_spec_gives_defaults() -> None:
    assert wanted({}).status == {
        "scratchSpaceStorageClass": "",
        "defaultPodResourceRequirements": {
            "limits": {"cpu": "750m", "memory": "600M"},
            "requests": {"cpu": "100m", "memory": "60M"},
        },
        "filesystemOverhead": {"global": "0.06", "storageClass": {"gold": "0.06", "usual": "0.06"}},
        "importProxy": {"HTTPProxy": "", "HTTPSProxy": "", "noProxy": "", "trustedCAProxy": ""},
        "preallocation": False,
    }


@pytest.mark.parametrize(
    ("said", "in_effect"),
    [
        pytest.param(None, "", id="nothing"),
        pytest.param("gold", "gold", id="exists"),
        pytest.param("gone", "", id="does-not-exist"),
    ],
)
def test_scratch_class(said: str | None, in_effect: str) -> None:
    assert (
        wanted({"scratchSpaceStorageClass": said}).status["scratchSpaceStorageClass"] == in_effect
    )


@pytest.mark.parametrize(
    ("said", "shares", "problems"),
    [
        pytest.param({"global": "0.1"}, ("0.1", "0.1", "0.1"), [], id="global"),
        pytest.param(
            {"storageClass": {"gold": "0", "gone": "1"}}, ("0.06", "0", "0.06"), [], id="of-class"
        ),
        pytest.param(
            {"global": "2"}, ("0.06",) * 3, ["spec.filesystemOverhead.global"], id="bad-global"
        ),
        pytest.param(
            {"global": "0.1", "storageClass": {"gold": "much", "usual": "0.2"}},
            ("0.1", "0.1", "0.2"),
            ["spec.filesystemOverhead.storageClass[gold]"],
            id="a-bad-one-does-not-hide-the-others",
        ),
    ],
)
def test_overhead(said: Any, shares: tuple[str, ...], problems: list[str]) -> None:
    answer = wanted({"filesystemOverhead": said})
    in_effect = answer.status["filesystemOverhead"]
    of_class = in_effect["storageClass"]
    assert (in_effect["global"], of_class["gold"], of_class["usual"]) == shares
    assert set(of_class) == {"gold", "usual"}
    assert [problem.field for problem in answer.problems] == problems


@pytest.mark.parametrize("bound", ["limits", "requests"])
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_each_resource_can_be_said_by_itself(bound: str, name: str) -> None:
    usual = wanted({}).status["defaultPodResourceRequirements"]
    said = {"podResourceRequirements": {bound: {name: "7", "gpu": "1"}}}
    in_effect = wanted(said).status["defaultPodResourceRequirements"]
    assert in_effect == usual | {bound: usual[bound] | {name: "7"}}


UPLOAD = config.Upload("cdi.example.com", "PEM")


@pytest.mark.parametrize(
    ("spec", "upload", "expected"),
    [
        pytest.param({}, config.Upload(), (None, None), id="none"),
        pytest.param({}, UPLOAD, ("cdi.example.com", "PEM"), id="found"),
        pytest.param(
            {"uploadProxyURLOverride": "mine"}, UPLOAD, ("mine", "OLD"), id="override-keeps-ca"
        ),
    ],
)
def test_upload_proxy(spec: Any, upload: config.Upload, expected: Any) -> None:
    status = wanted(spec, upload=upload, status={"uploadProxyCA": "OLD"}).status
    assert (status.get("uploadProxyURL"), status.get("uploadProxyCA")) == expected


OPENSHIFT = {
    "spec": {"trustedCA": {"name": "ca"}},
    "status": {"httpProxy": "http://p", "httpsProxy": "https://p", "noProxy": "local"},
}
MINE = {"HTTPProxy": "http://mine"}


def test_proxy_of_the_cluster() -> None:
    assert wanted({}, cluster_proxy=OPENSHIFT).status["importProxy"] == {
        "HTTPProxy": "http://p",
        "HTTPSProxy": "https://p",
        "noProxy": "local",
        "trustedCAProxy": "ca",
    }


def test_proxy_that_is_said_wins() -> None:
    assert wanted({"importProxy": MINE}, cluster_proxy=OPENSHIFT).status["importProxy"] == MINE


@pytest.mark.parametrize(
    ("said", "before", "now", "copies"),
    [
        pytest.param(None, None, "ca", proxy.CertificateCopies("ca"), id="first"),
        pytest.param(None, "ca", "ca", proxy.CertificateCopies("ca"), id="same"),
        pytest.param(None, "old", "ca", proxy.CertificateCopies("ca", "old"), id="other"),
        pytest.param(None, "old", "", proxy.CertificateCopies("", "old"), id="gone"),
        pytest.param(MINE, "old", "ca", proxy.CertificateCopies(), id="administrators-own"),
    ],
)
def test_copies_of_the_proxy_certificates(said: Any, before: Any, now: str, copies: Any) -> None:
    old = {"trustedCAProxy": before} if before else None
    assert proxy.copies_for(said, old, {"trustedCAProxy": now}) == copies


def test_other_settings_are_copied() -> None:
    secrets = [{"name": "pull"}]
    status = wanted({"preallocation": True, "imagePullSecrets": secrets}).status
    assert (status["preallocation"], status["imagePullSecrets"]) == (True, secrets)


@pytest.mark.parametrize(
    ("said", "configured", "expected"),
    [
        pytest.param(True, False, True, id="said"),
        pytest.param(False, True, False, id="said-no"),
        pytest.param(None, True, True, id="configured"),
        pytest.param(None, None, False, id="nothing"),
    ],
)
def test_preallocation(said: Any, configured: Any, expected: bool) -> None:
    status = {"status": {"preallocation": configured}}
    assert config.preallocates(said, status) is expected
    assert config.preallocates(None, None) is False


def test_without_an_operator_a_cdi_counts_as_it_is() -> None:
    said = {"spec": {"config": {"logVerbosity": 3}}}
    before = {"preallocation": True}
    assert config.spec_for(before, said, operated=False) == {"logVerbosity": 3}
    assert config.spec_for(before, {"spec": {}}, operated=False) == before
    assert config.spec_for(before, None, operated=False) == before


AUTHORITY = {"cdi.kubevirt.io/configAuthority": ""}


@pytest.mark.parametrize(
    ("installation", "expected"),
    [
        pytest.param(None, {"preallocation": True}, id="no-cdi"),
        pytest.param(
            {"spec": {"config": {"logVerbosity": 3}}}, {"preallocation": True}, id="no-authority"
        ),
        pytest.param(
            {"metadata": {"annotations": AUTHORITY}, "spec": {"config": {"logVerbosity": 3}}},
            {"logVerbosity": 3},
            id="authority",
        ),
        pytest.param({"metadata": {"annotations": AUTHORITY}, "spec": {}}, {}, id="says-nothing"),
    ],
)
def test_which_spec_counts(installation: Any, expected: Any) -> None:
    assert config.spec_for({"preallocation": True}, installation) == expected
