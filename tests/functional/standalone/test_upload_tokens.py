"""Upload tokens of one machine: the answers of a cluster, without anything in between."""

import pytest

from cdi.api import crds
from cdi.standalone import uploadtokens
from cdi.standalone.apiserver.server import Hooks
from cdi.standalone.lookups import Lookups
from cdi.standalone.signingkey import SigningKey
from cdi.web.tokens.payload import UploadPayload
from cdi.web.tokens.signing import Tokens
from support import apiserver

PATH = "/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/default/uploadtokenrequests"
WANTED = {
    "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
    "kind": "UploadTokenRequest",
    "metadata": {"name": "any", "namespace": "default"},
    "spec": {"pvcName": "disk"},
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return Tokens(SigningKey(tmp_path_factory.mktemp("keys") / "tokens.key"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, tokens):
    found = []
    look = Lookups(lambda: found[0].objects)
    hooks = Hooks(definitions=crds.all(), unstored=(uploadtokens.unstored(tokens, look),))
    with apiserver.running(tmp_path_factory.mktemp("state"), hooks) as running:
        found.append(running.server)
        yield running


def test_a_token_is_answered_and_nothing_is_stored(server, tokens):
    answer = server.request("POST", PATH, WANTED)
    assert answer.status == 200
    token = answer.json["status"]["token"]
    assert {**answer.json, "status": None} == {**WANTED, "status": None}
    assert tokens.read_upload(token) == UploadPayload("default", "disk")
    assert server.request("GET", f"{PATH}/any").status == 405


def test_a_token_is_bound_to_the_claim_that_there_is(server, tokens):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    made = server.create(claims, {"metadata": {"name": "there"}, "spec": spec})
    answer = server.request("POST", PATH, {**WANTED, "spec": {"pvcName": "there"}})
    payload = tokens.read_upload(answer.json["status"]["token"])
    assert payload.uid == made["metadata"]["uid"]


def test_kubectl_creates_one_and_prints_the_token(server, tokens):
    manifest = """
apiVersion: upload.cdi.kubevirt.io/v1beta1
kind: UploadTokenRequest
metadata: {name: any}
spec: {pvcName: disk}
"""
    done = server.kubectl("create", "-f-", "-o", "jsonpath={.status.token}", stdin=manifest)
    assert done.returncode == 0, done.stderr
    assert tokens.read_upload(done.stdout).name == "disk"
    wrong = server.kubectl("create", "-f-", stdin=manifest.replace("pvcName", "pvc"))
    assert wrong.returncode == 1
    listed = server.kubectl("api-resources", "--api-group=upload.cdi.kubevirt.io")
    assert "utr,utrs" in listed.stdout
    explained = server.kubectl("explain", "utr.spec.pvcName")
    assert "Claim to upload to" in explained.stdout


def test_what_makes_no_sense_is_refused_as_on_a_cluster(server):
    answer = server.request("POST", PATH, {**WANTED, "spec": {}})
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    strict = server.request("POST", f"{PATH}?fieldValidation=Strict", {**WANTED, "more": 1})
    assert 'unknown field "more"' in strict.json["message"]


def test_only_who_may_create_requests_gets_a_token(server):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "uploader"}}
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    server.create(accounts, account)
    token = server.request("POST", f"{accounts}/uploader/token", {"spec": {}})
    bearer = token.json["status"]["token"]
    refused = server.request("POST", PATH, WANTED, token=bearer)
    assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rule = {
        "apiGroups": ["upload.cdi.kubevirt.io"],
        "resources": ["uploadtokenrequests"],
        "verbs": ["create"],
    }
    server.create(f"{rbac}/roles", {"metadata": {"name": "upload"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "upload"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "upload"},
        "subjects": [{"kind": "ServiceAccount", "name": "uploader", "namespace": "default"}],
    }
    server.create(f"{rbac}/rolebindings", binding)
    assert server.request("POST", PATH, WANTED, token=bearer).status == 200
