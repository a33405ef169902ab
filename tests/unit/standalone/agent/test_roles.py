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
