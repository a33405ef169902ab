"""CDI's rules inside the API server: asked about the right writes, answered from the store."""

import pytest

from cdi.api import crds
from cdi.standalone import admission
from cdi.standalone.apiserver.server import Hooks
from cdi.standalone.lookups import Lookups
from cdi.standalone.signingkey import SigningKey
from cdi.web.tokens.signing import Tokens
from support import apiserver, manifests

VOLUMES = "/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes"
TOKEN = "cdi.kubevirt.io/storage.clone.token"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return Tokens(SigningKey(tmp_path_factory.mktemp("keys") / "clone.key"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, tokens):
    hooks = Hooks(definitions=crds.all())
    found = []
    admission.install(hooks.admission, tokens, Lookups(lambda: found[0].objects))
    with apiserver.running(tmp_path_factory.mktemp("state"), hooks) as running:
        found.append(running.server)
        yield running


def test_a_refusal_has_the_shape_of_kubernetes(server):
    wanted = manifests.data_volume("wrong", manifests.BLANK, size="0")
    answer = server.request("POST", VOLUMES, wanted)
    assert answer.status == 422
    status = answer.json
    assert (status["kind"], status["status"], status["reason"]) == ("Status", "Failure", "Invalid")
    assert status["message"].startswith(
        'admission webhook "datavolume-validate.cdi.kubevirt.io" denied the request: '
    )
    assert status["details"]["kind"] == "DataVolume"
    assert status["details"]["causes"][0]["field"] == "spec.Storage.resources.requests.size"


def test_a_warning_reaches_the_client(server):
    wanted = manifests.data_volume("staged", manifests.BLANK)
    wanted["spec"]["checkpoints"] = [{"previous": "", "current": "first"}]
    created = server.request("POST", VOLUMES, wanted)
    applied = server.request(
        "PATCH",
        f"{VOLUMES}/applied?fieldManager=me",
        {**wanted, "metadata": {"name": "applied"}},
        content_type="application/apply-patch+yaml",
    )
    assert (created.status, applied.status) == (201, 201)
    for answer in (created, applied):
        assert answer.headers["Warning"].startswith('299 - "checkpoints have no effect: ')


def test_status_is_not_looked_at(server):
    made = server.create(VOLUMES, manifests.data_volume("one", manifests.BLANK))
    made["status"] = {"phase": "Succeeded"}
    answer = server.request("PUT", f"{VOLUMES}/one/status", made)
    assert (answer.status, answer.json["status"]) == (200, {"phase": "Succeeded"})


def test_a_token_is_put_on_a_clone_whose_name_is_generated(server, tokens):
    wanted = manifests.data_volume("x", {"pvc": {"namespace": "default", "name": "source"}})
    del wanted["metadata"]["name"]
    wanted["metadata"]["generateName"] = "copy-"
    made = server.create(VOLUMES, wanted)
    payload = tokens.clone_of(made["metadata"]["annotations"][TOKEN])
    assert (payload.namespace, payload.name) == ("default", "source")
    assert payload.target_name == made["metadata"]["name"]


def test_nothing_is_stored_on_a_dry_run(server):
    wanted = manifests.data_volume("dry", manifests.BLANK)
    assert server.request("POST", f"{VOLUMES}?dryRun=All", wanted).status == 201
    assert server.request("GET", f"{VOLUMES}/dry").status == 404


@pytest.mark.parametrize(
    ("verb_on", "allowed"),
    [
        pytest.param(("datavolumes/source", "cdi.kubevirt.io"), True, id="may-clone"),
        pytest.param(("pods", ""), True, id="may-run-pods"),
        pytest.param(("secrets", ""), False, id="may-do-something-else"),
    ],
)
def test_cloning_from_another_namespace_is_decided_by_roles(server, verb_on, allowed):
    resource, group = verb_on
    name = f"clones-{resource.replace('/', '-')}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    space = server.create("/api/v1/namespaces", {"metadata": {"generateName": "from-"}})
    source = space["metadata"]["name"]
    rule = {"verbs": ["create"], "apiGroups": [group], "resources": [resource]}
    own = {"verbs": ["create"], "apiGroups": ["cdi.kubevirt.io"], "resources": ["datavolumes"]}
    user = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    for place, rules in ((source, [rule]), ("default", [own])):
        role = {"metadata": {"name": name}, "rules": rules}
        server.create(f"{rbac}/namespaces/{place}/roles", role)
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": ref, "subjects": [user]}
        server.create(f"{rbac}/namespaces/{place}/rolebindings", binding)
    wanted = manifests.data_volume(name, {"pvc": {"namespace": source, "name": "disk"}})
    answer = server.request("POST", VOLUMES, wanted, Impersonate_User=name)
    assert answer.status == (201 if allowed else 422), answer.body
