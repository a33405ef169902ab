"""A session with vSphere: real pyvmomi, real TLS, a vCenter of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.options import HttpOptions
from cdi.images.sources.vddk.access import Address, Credentials, parse_address
from cdi.images.sources.vddk.vsphere import Vsphere
from support import authority, vddk, vsphere

AT_ONCE = retry.Policy(tries=3, base=0.0)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def site(trust: authority.Authority) -> Iterator[tuple[vsphere.Server, Credentials]]:
    server, thumbprint = vddk.server_for(trust)
    with server:
        yield server, Credentials(vsphere.USER, vsphere.PASSWORD, thumbprint)


def opened(server: vsphere.Server, credentials: Credentials) -> Vsphere:
    return Vsphere(parse_address(server.url), credentials, retries=AT_ONCE)


Site = tuple[vsphere.Server, Credentials]


@pytest.mark.parametrize("method", ["RetrieveServiceContent", "Login", "FindAllByUuid", "Fetch"])
def test_a_call_without_an_answer_is_made_again(site: Site, method: str) -> None:
    server, credentials = site
    server.drop = [method] * 2
    with opened(server, credentials) as session:
        assert session.machine("instance-1").id == "vm-7"


def test_a_server_that_never_answers_is_given_up(site: Site) -> None:
    server, credentials = site
    server.drop = ["Login"] * 9
    with pytest.raises(errors.SourceUnavailable):
        opened(server, credentials)


def test_a_wait_between_two_tries_ends_when_it_is_cancelled() -> None:
    halt = threading.Event()
    halt.set()
    with pytest.raises(errors.Cancelled):
        Vsphere(Address("127.0.0.1", 1), Credentials("u", "p"), halt)


@pytest.mark.parametrize("spelling", [str.upper, str.lower, lambda text: text.replace(":", "")])
def test_a_thumbprint_is_known_however_it_is_spelt(site: Site, spelling: object) -> None:
    server, credentials = site
    assert callable(spelling)
    spelt = replace(credentials, thumbprint=spelling(credentials.thumbprint))
    with opened(server, spelt) as session:
        assert session.machine("bios-1").disks[0].file == vddk.FILE


@pytest.mark.parametrize(
    ("pinned", "trusted", "well"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_with_thumbprint_and_authorities_both_have_to_agree(
    site: Site, trust: authority.Authority, tmp_path: Path, pinned: bool, trusted: bool, well: bool
) -> None:
    server, credentials = site
    stranger = authority.Authority(tmp_path, "Somebody Else")
    given = replace(
        credentials,
        thumbprint=credentials.thumbprint if pinned else "00" * 32,
        trusted=HttpOptions(ca_files=(trust.ca if trusted else stranger.ca,)),
    )
    if well:
        opened(server, given).close()
        return
    with pytest.raises(errors.CertificateInvalid):
        opened(server, given)
    assert "Login" not in server.calls


def test_insecure_has_to_be_asked_for(site: Site) -> None:
    server, credentials = site
    blind = replace(credentials, thumbprint="", trusted=HttpOptions(insecure=True))
    opened(server, blind).close()
    with pytest.raises(errors.CertificateInvalid):
        opened(server, replace(credentials, thumbprint=""))


def test_a_change_id_that_vsphere_does_not_know_is_final(site: Site, tmp_path: Path) -> None:
    server, credentials = site
    vddk.staged(vddk.library_with_disk(tmp_path), server.machines[0])
    with opened(server, credentials) as session, pytest.raises(errors.SourceRefused):
        session.changed("vm-7", "snapshot-2", 2000, 0, "aa-bb/9")
