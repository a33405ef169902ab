"""Which containers run on one machine, and as what."""

import pytest

from cdi.standalone.agent import roles

OURS = frozenset({"cdi-worker:local"})
IMPORTER = {
    "name": "importer",
    "image": "cdi-worker:local",
    "command": ["python3", "-m", "cdi.workers.importer"],
    "args": ["-v=1"],
}
SERVER = {"name": "server", "image": "quay.io/a/b:1", "command": ["/shared/server", "-p", "8100"]}
INIT = {
    "name": "init",
    "image": "cdi-worker:local",
    "command": ["sh", "-c", "cp /usr/bin/cdi-containerimage-server /shared/server"],
}


def pod(*containers, init=()):
    return {"spec": {"containers": list(containers), "initContainers": list(init)}}


def test_a_worker_is_known_by_its_image_and_command():
    assert roles.role_of(IMPORTER, OURS) == roles.Role("cdi.workers.importer", ("-v=1",))


def test_the_server_of_a_node_pull_is_a_worker_that_knows_the_image():
    role = roles.role_of(SERVER, OURS)
    assert role is not None
    assert role.module == "cdi.workers.imageserver"
    assert role.arguments == ("-image", "quay.io/a/b:1", "-p", "8100")
    assert role.waited_for


@pytest.mark.parametrize(
    ("variable", "reads"),
    [
        ("IMPORTER_ENDPOINT", True),
        ("IMPORTER_EXTRA_HEADER_7", True),
        ("https_proxy", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("CDI_STALL_TIMEOUT", True),
        ("CDI_DATA_DIR", False),
        ("IMPORTER_EXTRA_HEADER_", False),
        ("PYTHONPATH", False),
        ("PYTHONSTARTUP", False),
        ("LD_PRELOAD", False),
        ("PATH", False),
        ("HOME", False),
        ("SSL_CERT_FILE", False),
        ("OPENSSL_CONF", False),
        ("GCONV_PATH", False),
    ],
)
def test_an_importer_reads_what_its_order_knows_and_nothing_else(variable, reads):
    assert roles.Role("cdi.workers.importer").reads(variable) is reads


def test_the_server_of_a_node_pull_reads_none_of_the_pods_variables():
    role = roles.role_of(SERVER, OURS)
    assert role is not None
    assert not role.reads("IMPORTER_ENDPOINT")
    assert not role.reads("REGISTRY_AUTH_FILE")


@pytest.mark.parametrize("module", ["metrics", "logs", "sources", "sources.http", "nothing"])
def test_what_is_no_worker_of_its_own_does_not_run(module):
    command = ["python3", "-m", f"cdi.workers.{module}"]
    assert roles.role_of(IMPORTER | {"command": command}, OURS) is None


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        pytest.param(pod(IMPORTER), True, id="importer"),
        pytest.param(pod(IMPORTER, SERVER, init=[INIT]), True, id="node-pull"),
        pytest.param(pod(IMPORTER | {"image": "other"}), False, id="foreign-image"),
        pytest.param(pod(IMPORTER | {"command": ["sh"]}), False, id="another-command"),
        pytest.param(pod(IMPORTER, init=[INIT | {"image": "other"}]), False, id="foreign-init"),
        pytest.param(pod(IMPORTER, init=[INIT | {"command": ["sh"]}]), False, id="another-init"),
        pytest.param(pod(SERVER | {"command": ["/bin/server"]}), False, id="another-server"),
    ],
)
def test_nothing_else_runs(found, runs):
    assert (roles.refusal(found, OURS) == "") == runs
