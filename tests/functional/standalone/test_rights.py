"""Who may do what: escalation, default roles, audiences of tokens; compared with kube-apiserver."""

import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cdi.standalone.apiserver import tokens
from cdi.standalone.apiserver.connections import Patience
from cdi.standalone.store import errors
from cdi.standalone.store.lock import ensure_directory
from support import apiserver
from support.apiserver import Running, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
BOB = {"Impersonate_User": "bob", "Impersonate_Group": "dev"}
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create("/api/v1/namespaces", {"metadata": {"name": "lab"}})
        held = [
            rule([GROUP], ["roles", "rolebindings"], ["get", "create", "update", "patch"]),
            rule([""], ["configmaps"], ["get", "list"]),
            rule([""], ["secrets"], ["get"], ["one"]),
        ]
        running.create(f"{RBAC}/namespaces/lab/roles", role("held", *held))
        running.create(f"{RBAC}/namespaces/lab/roles", role("big", rule(["*"], ["*"], ["*"])))
        running.create(f"{RBAC}/namespaces/lab/rolebindings", binding("held", "Role", "held"))
        yield running


def rule(groups, resources, verbs, names=()) -> dict[str, Any]:
    made = {"apiGroups": groups, "resources": resources, "verbs": verbs}
    return {**made, "resourceNames": list(names)} if names else made


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, kind: str, of: str, user: str = "bob") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": of},
        "subjects": [{"kind": "User", "name": user, "apiGroup": GROUP}],
    }


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([rule([""], ["configmaps"], ["get"])], None, id="less"),
        pytest.param([rule([""], ["secrets"], ["get"], ["one"])], None, id="the-same-name"),
        pytest.param(
            [rule([""], ["secrets"], ["get"])],
            '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
            id="all-names",
        ),
        pytest.param(
            [rule([""], ["secrets"], ["get"], ["one", "two"])],
            '{APIGroups:[""], Resources:["secrets"], ResourceNames:["two"], Verbs:["get"]}',
            id="another-name",
        ),
        pytest.param(
            [rule([""], ["configmaps", "pods"], ["get", "delete"])],
            '{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}\n'
            '{APIGroups:[""], Resources:["pods"], Verbs:["get" "delete"]}',
            id="more-resources-and-verbs",
        ),
        pytest.param(
            [rule(["*"], ["*"], ["*"])],
            '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
            id="everything",
        ),
    ],
)
def test_nobody_grants_what_they_do_not_have(server, rules, missing):
    path = f"{RBAC}/namespaces/lab/roles?dryRun=All"
    answer = server.request("POST", path, role("new", *rules), **BOB)
    if missing is None:
        assert answer.status == 201
        return
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert answer.json["message"] == (
        'roles.rbac.authorization.k8s.io "new" is forbidden: user "bob" '
        '(groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not '
        f"currently held:\n{missing}"
    )
    assert answer.json["details"] == {"name": "new", "group": GROUP, "kind": "roles"}


def test_neither_by_update_nor_by_apply(server):
    everything = role("held", rule(["*"], ["*"], ["*"]))
    path = f"{RBAC}/namespaces/lab/roles"
    assert server.request("PUT", f"{path}/held", everything, **BOB).status == 403
    patch = {"rules": everything["rules"]}
    answer = server.request("PATCH", f"{path}/held", patch, content_type=MERGE, **BOB)
    assert answer.status == 403
    # Nor does touching a larger role in another way: what was granted would be granted again.
    labelled = {"metadata": {"labels": {"a": "b"}}}
    answer = server.request("PATCH", f"{path}/big", labelled, content_type=MERGE, **BOB)
    assert answer.status == 403


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [
        pytest.param("Role", "held", 201, id="own"),
        pytest.param("Role", "big", 403, id="larger"),
        pytest.param("ClusterRole", "cluster-admin", 403, id="cluster-admin"),
        pytest.param("Role", "nope", 404, id="none"),
    ],
)
def test_nobody_binds_a_role_with_more_than_they_have(server, kind, name, status):
    path = f"{RBAC}/namespaces/lab/rolebindings?dryRun=All"
    assert server.request("POST", path, binding("new", kind, name, "eve"), **BOB).status == status


def test_escalate_and_bind_lift_the_check(server):
    path = f"{RBAC}/namespaces/lab"
    granted = [
        rule([GROUP], ["roles"], ["create", "escalate"]),
        rule([GROUP], ["rolebindings"], ["create"]),
        rule([GROUP], ["roles"], ["bind"], ["big"]),
    ]
    server.create(f"{path}/roles", role("lifted", *granted))
    server.create(f"{path}/rolebindings", binding("lifted", "Role", "lifted", "carol"))
    carol = {"Impersonate_User": "carol"}
    larger = role("larger", rule(["*"], ["*"], ["*"]))
    assert server.request("POST", f"{path}/roles", larger, **carol).status == 201
    bound = binding("carols", "Role", "big", "dave")
    assert server.request("POST", f"{path}/rolebindings", bound, **carol).status == 201


@pytest.mark.parametrize(
    ("name", "writes", "grants"),
    [
        pytest.param("cluster-admin", True, True, id="cluster-admin"),
        pytest.param("admin", True, True, id="admin"),
        pytest.param("edit", True, False, id="edit"),
        pytest.param("view", False, False, id="view"),
    ],
)
def test_bindings_to_the_default_roles_do_something(server, name, writes, grants):
    user = {"Impersonate_User": f"user-of-{name}"}
    path = f"{RBAC}/namespaces/lab/rolebindings"
    server.create(path, binding(f"to-{name}", "ClusterRole", name, f"user-of-{name}"))
    in_lab, volumes = "/api/v1/namespaces/lab", "/apis/cdi.kubevirt.io/v1beta1/namespaces/lab"
    assert server.request("GET", f"{in_lab}/configmaps", **user).status == 200
    made = server.request("POST", f"{in_lab}/configmaps?dryRun=All", config_map("x"), **user)
    assert made.status == (201 if writes else 403)
    secrets = server.request("GET", f"{in_lab}/secrets", **user)
    assert secrets.status == (200 if writes else 403)
    roles = server.request("POST", f"{RBAC}/namespaces/lab/roles?dryRun=All", role("r"), **user)
    assert roles.status == (201 if grants else 403)
    # No kind is served there by this server, but that is known only to who may ask.
    own = server.request("GET", f"{volumes}/datavolumes", **user)
    assert own.status == 404
    assert server.request("GET", "/api/v1/namespaces/default/configmaps", **user).status == 403


def test_a_role_is_made_up_of_those_that_are_labelled_for_it(server):
    label = {f"{GROUP}/aggregate-to-view": "true"}
    widgets = rule(["example.com"], ["widgets"], ["get"])
    more = role("see-widgets", widgets)
    more["metadata"]["labels"] = label
    with server.watch(f"{RBAC}/clusterroles?watch=1&fieldSelector=metadata.name=admin") as events:
        assert widgets not in next(events)["object"]["rules"]
        server.create(f"{RBAC}/clusterroles", more)
        # From view through edit to admin.
        assert any(widgets in event["object"]["rules"] for event in events)
        server.request("DELETE", f"{RBAC}/clusterroles/see-widgets")
        assert any(widgets not in event["object"]["rules"] for event in events)


def test_the_default_roles_come_back_and_cost_no_write(tmp_path):
    with apiserver.running(tmp_path) as first:
        first.request("DELETE", f"{RBAC}/clusterroles/view")
    with apiserver.running(tmp_path) as second:
        assert second.get(f"{RBAC}/clusterroles/view")["rules"]
        revision = second.get(f"{RBAC}/clusterroles")["metadata"]["resourceVersion"]
    with apiserver.running(tmp_path) as third:
        assert third.get(f"{RBAC}/clusterroles")["metadata"]["resourceVersion"] == revision


def test_a_token_for_somebody_else_is_no_key_to_this_server(server):
    account = "/api/v1/namespaces/lab/serviceaccounts/default"
    spec = {"spec": {"audiences": ["vault"]}}
    token = server.create(f"{account}/token", spec)["status"]["token"]
    assert server.request("GET", "/apis", token=token).status == 401
    review = "/apis/authentication.k8s.io/v1/tokenreviews"
    here = server.create(review, {"spec": {"token": token}})["status"]
    assert not here.get("authenticated")
    asked = {"spec": {"token": token, "audiences": ["vault", "other"]}}
    there = server.create(review, asked)["status"]
    assert (there["authenticated"], there["audiences"]) == (True, ["vault"])


def test_an_empty_key_file_is_no_key(tmp_path):
    path = tmp_path / "tokens.key"
    path.write_bytes(b"")
    tokens.Signer(path)
    key = path.read_bytes()
    assert len(key) == tokens.KEY_BYTES
    tokens.Signer(path)
    assert path.read_bytes() == key


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "server.crt", "server.key", "token"])
def test_a_start_after_a_full_disk_emptied_a_file_works(tmp_path, name):
    with apiserver.running(tmp_path):
        pass
    (tmp_path / "pki" / name).write_bytes(b"")
    with apiserver.running(tmp_path) as again:
        assert again.request("GET", "/api/v1/namespaces").status == 200


class TestDirectory:
    def test_a_new_one_is_its_owners_alone(self, tmp_path):
        with apiserver.running(tmp_path / "a" / "b"):
            pass
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700

    def test_one_that_everybody_can_write_to_is_refused(self, tmp_path):
        tmp_path.chmod(0o777)
        with pytest.raises(errors.Exposed, match=r"mode 0777.*chmod go-w"):
            ensure_directory(tmp_path)
        with pytest.raises(errors.Exposed), apiserver.running(tmp_path):
            pass

    def test_one_that_others_may_read_is_taken(self, tmp_path):
        tmp_path.chmod(0o755)
        with apiserver.running(tmp_path):
            pass


class TestPatience:
    """Every wait ends; the tests wait for the end of the connection, however long it takes."""

    @pytest.fixture
    def hasty(self, tmp_path: Path) -> Iterator[Running]:
        with apiserver.running(tmp_path, patience=Patience(0.2, 0.2, 0.2)) as running:
            yield running

    def connect(self, server: Running) -> ssl.SSLSocket:
        host, _, port = server.url.removeprefix("https://").rpartition(":")
        context = ssl.create_default_context(cafile=str(server.kubeconfig.parent / "pki/ca.crt"))
        plain = socket.create_connection((host, int(port)), timeout=apiserver.DEADLINE)
        return context.wrap_socket(plain, server_hostname=host)

    def ends(self, connection: socket.socket) -> bytes:
        """What still comes until the server hangs up."""
        got = b""
        try:
            while chunk := connection.recv(65536):
                got += chunk
        except (ConnectionError, ssl.SSLError):
            pass
        return got

    def test_a_connection_that_says_nothing_ends(self, hasty):
        with self.connect(hasty) as connection:
            assert self.ends(connection) == b""

    def test_a_handshake_that_does_not_come_ends(self, hasty):
        host, _, port = hasty.url.removeprefix("https://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=apiserver.DEADLINE) as connection:
            assert self.ends(connection) == b""

    def test_half_a_header_ends(self, hasty):
        with self.connect(hasty) as connection:
            connection.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n")
            assert self.ends(connection) == b""

    def test_half_a_body_ends(self, hasty, caplog):
        with self.connect(hasty) as connection:
            connection.sendall(
                b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                + f"Authorization: Bearer {hasty.token}\r\n\r\n".encode()
                + b'{"kind'
            )
            assert self.ends(connection) == b""
        assert not [record for record in caplog.records if record.name.startswith("cdi")]

    def test_an_idle_connection_ends_after_its_answer(self, hasty):
        with self.connect(hasty) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert self.ends(connection).startswith(b"HTTP/1.1 200 OK")

    def test_a_watch_may_be_silent_for_as_long_as_it_likes(self, hasty):
        with hasty.watch("/api/v1/namespaces/default/configmaps?watch=1") as events:
            first = next(events)
            with self.connect(hasty) as other:
                assert self.ends(other) == b""  # by now the patience is over
            hasty.create("/api/v1/namespaces/default/configmaps", config_map("later"))
            assert first["type"] == "ADDED"
            assert any(event["object"]["metadata"]["name"] == "later" for event in events)


class TestTime:
    """The clock that the server is given moves; the certificate that is shown follows."""

    def shown(self, server: Running) -> x509.Certificate:
        host, _, port = server.url.removeprefix("https://").rpartition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((host, int(port)), timeout=apiserver.DEADLINE) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            found = connection.getpeercert(binary_form=True)
        assert found
        return x509.load_der_x509_certificate(found)

    def test_the_certificate_is_renewed_while_the_server_runs(self, tmp_path):
        now = [datetime.now(UTC)]
        with apiserver.running(tmp_path, clock=lambda: now[0]) as server:
            first = self.shown(server)
            with server.watch("/api/v1/namespaces/default/configmaps?watch=1") as events:
                next(events)
                server.create("/api/v1/namespaces/default/configmaps", config_map("early"))
                now[0] = first.not_valid_after_utc - timedelta(days=10)
                server.call(server.server.renew())
                second = self.shown(server)
                assert second.not_valid_after_utc > now[0] + timedelta(days=300)
                # What was open stays open: both connections, to whose clock this is the future.
                server.create("/api/v1/namespaces/default/configmaps", config_map("later"))
                names = (event["object"]["metadata"]["name"] for event in events)
                assert "later" in names
            server.call(server.server.renew())
            assert self.shown(server) == second

    @pytest.mark.parametrize("ahead", [timedelta(days=30), timedelta(days=5000)])
    def test_a_clock_that_was_ahead_once_is_forgiven(self, tmp_path, ahead):
        with apiserver.running(tmp_path, clock=lambda: datetime.now(UTC) + ahead):
            before = x509.load_pem_x509_certificate((tmp_path / "pki/ca.crt").read_bytes())
        with apiserver.running(tmp_path) as server:
            assert server.request("GET", "/api/v1/namespaces").status == 200
            assert server.kubectl("get", "namespaces").returncode == 0
            after = x509.load_pem_x509_certificate((tmp_path / "pki/ca.crt").read_bytes())
            shown = server.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
            assert shown["data"]["ca.crt"] == (tmp_path / "pki/ca.crt").read_text()
            # Whoever trusts the old certificate trusts this key, once their time has come.
            assert before.public_key() == after.public_key()
