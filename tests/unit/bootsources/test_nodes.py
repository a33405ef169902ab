"""The architectures of a cluster."""

import pytest

from cdi.bootsources.nodes import architectures_of

CONTROL, WORKER = "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/worker"


def node(architecture: str, *roles: str) -> dict:
    given = {"kubernetes.io/arch": architecture, **dict.fromkeys(roles, "")}
    return {"metadata": {"name": architecture, "labels": given}}


@pytest.mark.parametrize(
    ("nodes", "control", "workloads", "default"),
    [
        pytest.param([], (), ("amd64",), "amd64", id="no-nodes-are-seen"),
        pytest.param([node("arm64")], (), ("arm64",), "arm64", id="one-of-no-role"),
        pytest.param([node("arm64", CONTROL)], ("arm64",), ("arm64",), "arm64", id="one-for-all"),
        pytest.param([node("amd64"), node("arm64", CONTROL)], ("arm64",), ("amd64",), "arm64",
                     id="the-control-planes-is-the-default"),
        pytest.param([node("s390x", CONTROL, WORKER), node("amd64", WORKER), node("arm64")],
                     ("s390x",), ("s390x", "amd64"), "s390x", id="workers-are-called-so"),
    ],
)  # fmt: skip
def test_machines_run_on_workers(nodes, control, workloads, default):
    found = architectures_of(nodes)
    assert (found.control_plane, found.workloads, found.all[0]) == (control, workloads, default)
