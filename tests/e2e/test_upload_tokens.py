"""Upload tokens, as users ask for them."""

import base64
import json

import pytest

from support.cluster import Namespace, Refused

pytestmark = pytest.mark.e2e

WANTED = {
    "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
    "kind": "UploadTokenRequest",
    "metadata": {"name": "any"},
    "spec": {"pvcName": "disk"},
}
CREATE = ("create", "-f-", "-o", "jsonpath={.status.token}")


def _claims(token: str) -> dict[str, object]:
    """What a token says; who signed it is not the user's to know."""
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def test_a_token_for_a_claim_is_printed(space: Namespace):
    claims = _claims(space.kubectl(*CREATE, stdin=json.dumps(WANTED)))
    assert (claims["operation"], claims["name"]) == ("Upload", "disk")
    assert (claims["namespace"], claims["iss"]) == (space.name, "cdi-apiserver")


def test_a_token_is_bound_to_the_claim_that_there_is(space: Namespace):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "16Mi"}},
            "storageClassName": "",
        },
    }
    space.apply(claim)
    uid = space.get("pvc", "disk")["metadata"]["uid"]
    claims = _claims(space.kubectl(*CREATE, stdin=json.dumps(WANTED)))
    assert claims["params"] == {"uid": uid}


def test_nobody_else_gets_a_token(space: Namespace):
    space.kubectl("create", "serviceaccount", "stranger")
    user = f"system:serviceaccount:{space.name}:stranger"
    path = f"/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/{space.name}/uploadtokenrequests"
    with pytest.raises(Refused, match=r"forbidden|Forbidden"):
        space.kubectl("create", "--raw", path, "--as", user, "-f-", stdin=json.dumps(WANTED))
    role = ("--verb=create", "--resource=uploadtokenrequests.upload.cdi.kubevirt.io")
    space.kubectl("create", "role", "uploader", *role)
    account = f"--serviceaccount={space.name}:stranger"
    space.kubectl("create", "rolebinding", "uploader", "--role=uploader", account)
    answer = space.kubectl("create", "--raw", path, "--as", user, "-f-", stdin=json.dumps(WANTED))
    assert _claims(json.loads(answer)["status"]["token"])["name"] == "disk"


def test_a_request_without_a_claim_is_refused(space: Namespace):
    path = f"/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/{space.name}/uploadtokenrequests"
    with pytest.raises(Refused, match="pvcName"):
        space.kubectl("create", "--raw", path, "-f-", stdin=json.dumps({**WANTED, "spec": {}}))
