"""Where the server is and as whom we come: kubeconfigs, exec plugins, pods."""

from __future__ import annotations

import base64
import datetime
import json
import os
import ssl
import sys
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.resource import PODS
from support.authority import Authority
from support.fakeclock import FakeClock
from support.fakekube import FakeKube
from support.loop import in_loop


def kubeconfig(path: Path, server: str, user: dict[str, object], **cluster: object) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def client_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "client.crt", directory / "client.key"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def exec_plugin(directory: Path) -> dict[str, object]:
    """A plugin that hands out what the file `token` holds."""
    script = directory / "plugin.py"
    script.write_text(
        "import json, pathlib, sys\n"
        f"token = pathlib.Path({str(directory / 'token')!r}).read_text()\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1',"
        " 'kind': 'ExecCredential', 'status': {'token': token}}))\n"
    )
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


@in_loop
async def test_a_kubeconfig_with_a_token_is_understood(tmp_path: Path) -> None:
    async with FakeKube() as server:
        server.tokens = {"sesame"}
        path = kubeconfig(tmp_path / "config", server.url, {"token": "sesame"})
        async with Client.to(connection.choose(path)) as client:
            assert await client.list(PODS) == []


@in_loop
async def test_a_refused_token_is_fetched_anew_from_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    async with FakeKube() as server:
        server.tokens = {"old"}
        path = kubeconfig(tmp_path / "config", server.url, exec_plugin(tmp_path))
        async with Client.to(connection.choose(path)) as client:
            await client.list(PODS)
            (tmp_path / "token").write_text("new")
            server.tokens = {"new"}
            await client.list(PODS)
            assert server.count("list") == 3


@in_loop
async def test_credentials_that_stay_wrong_are_an_error_after_one_more_try(tmp_path: Path) -> None:
    async with FakeKube() as server:
        server.tokens = {"sesame"}
        path = kubeconfig(tmp_path / "config", server.url, {"token": "wrong"})
        async with Client.to(connection.choose(path)) as client:
            with pytest.raises(errors.Unauthorized):
                await client.list(PODS)
        assert server.count("list") == 2


@in_loop
async def test_a_client_certificate_inside_a_kubeconfig_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context("kube.test")
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = client_certificate(tmp_path)
    context.load_verify_locations(certificate)
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    async with FakeKube(context) as server:
        cluster = {
            "certificate-authority-data": encoded(authority.ca),
            "tls-server-name": "kube.test",
        }
        path = kubeconfig(tmp_path / "config", server.url, user, **cluster)
        async with Client.to(connection.choose(path)) as client:
            assert await client.list(PODS) == []


@in_loop
async def test_a_server_that_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    async with FakeKube(Authority(theirs).server_context("127.0.0.1")) as server:
        credentials = connection.direct(server.url, ca_file=str(Authority(ours).ca))
        async with Client.to(credentials, clock=FakeClock(skip=60)) as client:
            with pytest.raises(errors.ConnectFailed, match="certificate verify failed"):
                await client.list(PODS)
        assert server.requests == []


@in_loop
async def test_an_exchanged_certificate_authority_is_noticed(tmp_path: Path) -> None:
    for name, content in {"token": "t", "ca.crt": "one"}.items():
        (tmp_path / name).write_text(content)
    files = connection.InCluster(
        tmp_path, {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}
    )
    before = await files.current()
    assert (await files.current()).tls == before.tls
    os.utime(tmp_path / "ca.crt", ns=(1, 1))
    assert (await files.current()).tls != before.tls


@in_loop
async def test_tls_settings_of_a_kubeconfig_are_kept(tmp_path: Path) -> None:
    cluster = {
        "tls-server-name": "inside",
        "insecure-skip-tls-verify": True,
        "proxy-url": "http://proxy.test:3128",
    }
    server = "https://example.test:6443/prefix/"
    path = kubeconfig(tmp_path / "config", server, {"token": "t"}, **cluster)
    access = await connection.KubeConfig(path).current()
    assert access.server == "https://example.test:6443/prefix"
    assert access.tls == connection.Tls(server_name="inside", verify=False)
    assert access.proxy == "http://proxy.test:3128"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="nothing-in-it"),
        pytest.param("hello", id="no-mapping"),
        pytest.param("- a\n- b\n", id="list"),
        pytest.param("\x7fELF", id="binary"),
        pytest.param("current-context: a\ncontexts: 3\n", id="contexts-are-no-list"),
        pytest.param("current-context: a\ncontexts: [a]\n", id="context-is-no-mapping"),
        pytest.param(
            "current-context: a\ncontexts: [{name: a, context: {cluster: 7, user: 8}}]\n"
            "clusters: [{name: 7}]\nusers: [{name: 8}]\n",
            id="cluster-without-content",
        ),
        pytest.param("{}", id="empty"),
        pytest.param("{", id="not-yaml"),
        pytest.param("current-context: nowhere\ncontexts: []\n", id="no-such-context"),
    ],
)
@in_loop
async def test_a_useless_kubeconfig_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(errors.ConfigurationError, match=str(path)):
        await connection.choose(str(path)).current()


@in_loop
async def test_an_empty_file_among_several_kubeconfigs_adds_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    good = kubeconfig(tmp_path / "config", "https://good.test", {"token": "t"})
    path = os.pathsep.join([str(empty), str(tmp_path / "nowhere"), good])
    assert (await connection.choose(path).current()).server == "https://good.test"


@in_loop
async def test_a_missing_kubeconfig_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="nowhere"):
        await connection.choose(str(tmp_path / "nowhere")).current()


@in_loop
async def test_a_kubeconfig_that_is_missing_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="no such file"):
        await connection.choose(str(tmp_path / "nowhere")).current()


@pytest.mark.parametrize(
    ("environment", "cls"),
    [
        pytest.param({}, connection.KubeConfig, id="at-home"),
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, connection.InCluster, id="in-a-pod"),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": "/f"},
            connection.KubeConfig,
            id="in-a-pod-but-told-otherwise",
        ),
    ],
)
def test_credentials_are_chosen_as_kubectl_would(environment: dict[str, str], cls: type) -> None:
    assert isinstance(connection.choose(environment=environment), cls)


@in_loop
async def test_outside_a_pod_there_are_no_pods_credentials() -> None:
    with pytest.raises(errors.ConfigurationError, match="not inside a cluster"):
        await connection.InCluster(environment={}).current()


@in_loop
async def test_a_pods_token_is_read_again_when_it_was_refused(
    tmp_path: Path,
) -> None:
    for name, content in {"token": "first\n", "ca.crt": "irrelevant here"}.items():
        (tmp_path / name).write_text(content)
    environment = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    credentials = connection.InCluster(tmp_path, environment)
    access = await credentials.current()
    assert (access.server, access.authorization) == ("https://[::1]:443", "bearer first")
    assert access.tls.ca_file == str(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("second")
    assert (await credentials.renew()).authorization == "bearer second"


@in_loop
async def test_a_pods_token_that_is_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    for name, content in {"token": "t", "ca.crt": "c"}.items():
        (tmp_path / name).write_text(content)
    environment = {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}
    credentials = connection.InCluster(tmp_path, environment)
    (tmp_path / "token").unlink()
    with pytest.raises(errors.ConfigurationError):
        await credentials.current()
    (tmp_path / "token").write_text("t")
    assert (await credentials.current()).authorization == "bearer t"


def test_a_secret_is_not_shown() -> None:
    access = connection.Access("https://x", authorization="Bearer secret")
    assert "secret" not in repr(access)


def test_files_that_are_no_certificates_are_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text(json.dumps({}))
    with pytest.raises(errors.ConfigurationError, match="TLS files"):
        connection.Tls(ca_file=str(tmp_path / "ca")).context()
