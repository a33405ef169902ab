"""Whether a claim takes an upload: what its annotations say."""

import pytest

from cdi.web.uploadproxy import readiness
from cdi.web.uploadproxy.readiness import NotYet, Ready
from cdi.web.uploadproxy.refusals import Refused

A = "cdi.kubevirt.io/"
TARGET = {A + "storage.upload.target": ""}
READY = {**TARGET, A + "storage.pod.ready": "true"}
POPULATED = {
    "dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "x"}
}


def claim(annotations=None, spec=None, **metadata):
    found = {"name": "disk", "namespace": "vms", "uid": "u1", "annotations": annotations or {}}
    return {"metadata": found | metadata, "spec": spec or {}}


def verdict(decide, *words):
    """What comes of it, in a form that rows can hold."""
    try:
        return decide(*words)
    except Refused as refused:
        return refused.status, refused.reason
    except NotYet:
        return "not yet"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param(READY, "kubevirt", id="ready"),
        pytest.param({**READY, A + "storage.pod.ready": "1"}, "kubevirt", id="true-as-go-has-it"),
        pytest.param({**READY, A + "storage.contentType": ""}, "kubevirt", id="no-content-type"),
        pytest.param({**READY, A + "storage.contentType": "archive"}, "archive", id="archive"),
        pytest.param(
            {**READY, A + "storage.contentType": "<b>"}, (503, "UnknownContentType"), id="unknown"
        ),
        pytest.param(TARGET, "not yet", id="no-pod"),
        pytest.param({**TARGET, A + "storage.pod.ready": "false"}, "not yet", id="pod-not-ready"),
        pytest.param({**TARGET, A + "storage.pod.ready": "yes"}, "not yet", id="no-truth-of-go's"),
        pytest.param({A + "storage.pod.ready": "true"}, (409, "NotAnUploadTarget"), id="no-target"),
        pytest.param(
            {**READY, A + "storage.pod.phase": "Succeeded"}, (503, "Finished"), id="finished"
        ),
        pytest.param({**READY, A + "storage.pod.phase": "Running"}, "kubevirt", id="running"),
    ],
)
def test_a_claim_is_ready_later_or_never(annotations, expected):
    found = verdict(readiness.server_for, claim(annotations))
    if isinstance(found, Ready):
        assert (found.namespace, found.service) == ("vms", "cdi-upload-disk")
        found = found.content_type
    assert found == expected


@pytest.mark.parametrize(
    ("target", "uid", "expected"),
    [
        pytest.param(claim(READY), "u1", None, id="its-own-token"),
        pytest.param(claim(READY), "", None, id="a-token-from-before-the-claim"),
        pytest.param(claim(READY), "u0", (401, "TokenOfAnotherClaim"), id="of-a-former-claim"),
        pytest.param(claim(READY, deletionTimestamp="x"), "u1", (409, "Deleted"), id="deleted"),
        pytest.param(
            claim({A + "storage.pod.phase": "Succeeded"}, POPULATED),
            "u1",
            (503, "Finished"),
            id="populated-already",
        ),
    ],
)
def test_a_token_is_for_one_claim_that_still_wants_something(target, uid, expected):
    assert verdict(readiness.check_target, target, uid) == expected


PRIME = {A + "storage.populator.pvcPrime": "prime-u1"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(claim(READY), None, id="filled-itself"),
        pytest.param(claim({}, POPULATED), "not yet", id="no-prime-yet"),
        pytest.param(claim(PRIME, POPULATED), "prime-u1", id="prime"),
        pytest.param(
            claim(PRIME, {"dataSourceRef": {"apiGroup": "other", "kind": "VolumeUploadSource"}}),
            None,
            id="somebody-else's-kind",
        ),
        pytest.param(
            claim(PRIME, {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "x"}}),
            None,
            id="another-source",
        ),
    ],
)
def test_a_populated_claim_is_filled_through_its_prime(target, expected):
    assert verdict(readiness.prime_of, target) == expected


def test_a_long_name_leads_to_a_short_service():
    found = readiness.server_for(claim(READY, name="a" * 160 + ".b"))
    assert len(found.service) <= 63
    assert "." not in found.service
