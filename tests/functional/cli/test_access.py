"""What a command says of an API server that it cannot speak to."""

import os
import socket
from pathlib import Path

import pytest

from support import commands
from support.fakekube import FakeKube, Fault
from support.loop import in_loop


def unused_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{free.getsockname()[1]}"


def one_line(outcome: commands.Outcome) -> str:
    """The error of a command that ended as a failed one should."""
    assert (outcome.status, outcome.output) == (1, "")
    assert outcome.errors.startswith("cdi: ")
    assert outcome.errors.count("\n") == 1, outcome.errors
    return outcome.errors


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("hello\n", "holds no mapping", id="no-mapping"),
        pytest.param("current-context: a\ncontexts: 3\n", "is none", id="nonsense"),
        pytest.param(None, "no such file", id="missing"),
    ],
)
@in_loop
async def test_a_kubeconfig_of_no_use_is_named(
    content: str | None, said: str, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    if content is not None:
        config.write_text(content)
    outcome = await commands.run("status", "--kubeconfig", str(config), home=tmp_path)
    assert f"{config}" in one_line(outcome)
    assert said in outcome.errors


@in_loop
async def test_where_no_server_is_known_cdi_up_is_named(tmp_path: Path) -> None:
    outcome = await commands.run("explain", "dv", "x", home=tmp_path)
    assert "start `cdi up`" in one_line(outcome)


@in_loop
async def test_the_kubeconfig_of_cdi_up_is_found_without_being_named(tmp_path: Path) -> None:
    kept = tmp_path / ".local" / "share" / "cdi"
    kept.mkdir(parents=True)
    address = unused_address()
    commands.kubeconfig(kept / "kubeconfig", address)
    outcome = await commands.run("status", home=tmp_path)
    refused = os.strerror(111).lower()
    assert f"{address} cannot be reached: {refused}; is `cdi up` running?" in one_line(outcome)


@in_loop
async def test_a_server_elsewhere_is_not_taken_for_cdi_up(tmp_path: Path) -> None:
    config = commands.kubeconfig(tmp_path / "config", "https://nowhere.invalid")
    outcome = await commands.run("status", "--kubeconfig", config, home=tmp_path)
    assert "https://nowhere.invalid cannot be reached" in one_line(outcome)
    assert "cdi up" not in outcome.errors


@in_loop
async def test_a_server_that_refuses_the_token_is_named(tmp_path: Path) -> None:
    async with FakeKube() as server:
        server.tokens = {"Bearer another"}
        config = commands.kubeconfig(tmp_path / "config", server.url)
        outcome = await commands.run("status", "--kubeconfig", config, home=tmp_path)
    assert f"{server.url} does not accept these credentials" in one_line(outcome)


@in_loop
async def test_a_cluster_without_our_kinds_is_told_from_a_volume_that_is_missing(
    tmp_path: Path,
) -> None:
    async with FakeKube() as server:
        server.faults.append(Fault("list", "datavolumes", code=404))
        config = commands.kubeconfig(tmp_path / "config", server.url)
        kinds = await commands.run("status", "--kubeconfig", config, home=tmp_path)
        server.collection("cdi.kubevirt.io/v1beta1", "datavolumes", "DataVolume")
        name = await commands.run("explain", "dv", "x", "--kubeconfig", config, home=tmp_path)
    assert "cdi crds | kubectl apply" in one_line(kinds)
    assert "cdi crds" not in one_line(name)
