"""Certificates of an installation: renewed in time, and trusted at every moment."""

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509

from cdi import pki
from cdi.api import signingkey as layout
from cdi.operator.certificates import chains, contents, decide, renewal, signingkey
from cdi.operator.certificates.decide import Held
from cdi.operator.certificates.renewal import Seen, renew
from cdi.storage import lifetimes
from cdi.storage.lifetimes import DEFAULT, InvalidCertConfig, Lifetime, Lifetimes

NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
HOUR = 60 * MINUTE
DAY = Lifetime(24 * HOUR, 12 * HOUR)
HOSTS = frozenset({"cdi-api", "cdi-api.cdi", "cdi-api.cdi.svc"})


def _held(age: datetime.timedelta, life: datetime.timedelta = 24 * HOUR, **change: Any) -> Held:
    issued = NOW - age
    found = {
        "issued": issued,
        "ends": issued + life,
        "issuer": "signer",
        "hosts": HOSTS,
        "config": DAY.as_text(),
    }
    return Held(**{**found, **change})


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        pytest.param(None, "missing", id="none"),
        pytest.param(_held(HOUR), "", id="young"),
        pytest.param(_held(12 * HOUR), "old", id="old"),
        pytest.param(_held(11 * HOUR, 13 * HOUR), "near its end", id="four-fifths"),
        pytest.param(_held(25 * HOUR), "expired", id="expired"),
        pytest.param(_held(-HOUR), "not good yet", id="by-a-clock-that-was-ahead"),
        pytest.param(_held(-MINUTE), "", id="by-a-clock-that-is-a-little-ahead"),
        pytest.param(_held(HOUR, config="{}"), "configured differently", id="config"),
    ],
)
def test_a_signer_is_renewed_in_time(held, reason):
    assert decide.why_renew_signer(held, DAY, NOW) == reason


OLD_SIGNER, YOUNG_SIGNER = _held(2 * HOUR), _held(HOUR)


@pytest.mark.parametrize(
    ("held", "signer", "reason"),
    [
        pytest.param(None, YOUNG_SIGNER, "missing", id="none"),
        pytest.param(_held(HOUR), OLD_SIGNER, "", id="young"),
        pytest.param(_held(13 * HOUR), OLD_SIGNER, "old", id="old"),
        pytest.param(_held(13 * HOUR), YOUNG_SIGNER, "", id="old-but-trust-has-to-spread"),
        pytest.param(_held(20 * HOUR), YOUNG_SIGNER, "near its end", id="no-time-to-spread"),
        pytest.param(_held(25 * HOUR), YOUNG_SIGNER, "expired", id="expired"),
        pytest.param(
            _held(HOUR, issuer="gone"),
            OLD_SIGNER,
            "its signer is not trusted any more",
            id="issuer",
        ),
        pytest.param(_held(HOUR, hosts=frozenset()), OLD_SIGNER, "for other hosts", id="hosts"),
        pytest.param(
            _held(HOUR, config="{}"), OLD_SIGNER, "configured differently", id="config-changed"
        ),
        pytest.param(_held(HOUR, config="{}"), YOUNG_SIGNER, "", id="config-changed-with-signer"),
    ],
)
def test_what_a_signer_signs_is_renewed_once_the_signer_is_trusted(held, signer, reason):
    assert decide.why_renew_target(held, DAY, HOSTS, {"signer"}, signer, NOW) == reason


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        pytest.param({}, DEFAULT.signer, id="default"),
        pytest.param({"duration": "20m"}, Lifetime(20 * MINUTE, 24 * HOUR), id="duration-alone"),
        pytest.param(
            {"duration": "20m", "renewBefore": "12m"}, Lifetime(20 * MINUTE, 8 * MINUTE), id="both"
        ),
        pytest.param({"renewBefore": "1h"}, Lifetime(48 * HOUR, 47 * HOUR), id="renew-alone"),
    ],
)
def test_a_cdi_object_says_how_long(config, wanted):
    assert lifetimes.parse_lifetimes({"spec": {"certConfig": {"ca": config}}}).signer == wanted


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"duration": "1h", "renewBefore": "1h"}, "ca.renewBefore: 1h0m0s is not shorter"),
        ({"duration": "1d"}, "ca.duration: '1d' is not a duration"),
        ({"duration": "0"}, "ca.duration: must be more"),
        ({"renewBefore": "-1h"}, "ca.renewBefore"),
        ({"duration": "99999999h"}, "ca.duration: must be less"),
    ],
)
def test_a_config_that_cannot_be_followed_says_why(config, why):
    with pytest.raises(InvalidCertConfig, match=why):
        lifetimes.parse_lifetimes({"spec": {"certConfig": {"ca": config}}})


class Cluster:
    """Secrets and ConfigMaps by name."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}

    def seen(self, chain: chains.Chain) -> Seen:
        target = chain.target.secret if chain.target else ""
        return Seen(*(self.objects.get(name) for name in (chain.signer, chain.bundle, target)))

    def renew(
        self,
        chain: chains.Chain,
        now: datetime.datetime,
        terms: Lifetimes = DEFAULT,
        stop_after: int = 9,
    ) -> renewal.Renewal:
        found = renew(chain, self.seen(chain), terms, "cdi", now)
        for write in found.writes[:stop_after]:
            self.objects[write.name] = write.body
        return found

    def bundle(self, chain: chains.Chain) -> str:
        return self.objects[chain.bundle]["data"]["ca-bundle.crt"]

    def leaf(self, chain: chains.Chain) -> x509.Certificate:
        assert chain.target is not None
        stored = contents.parse_secret(self.objects[chain.target.secret])
        assert stored is not None
        return stored.pair.leaf


@pytest.mark.parametrize("chain", chains.ALL, ids=lambda chain: chain.signer)
def test_everything_is_made_from_nothing_and_then_left_alone(chain):
    cluster = Cluster()
    made = cluster.renew(chain, NOW)
    assert [write.name for write in made.writes][:2] == [chain.bundle, chain.signer]
    again = cluster.renew(chain, NOW + HOUR)
    assert (again.writes, again.again_at) == ((), made.again_at)


def test_a_server_is_known_by_all_names_of_its_service():
    cluster = Cluster()
    cluster.renew(chains.API_SERVER, NOW)
    secret = cluster.objects["cdi-apiserver-server-cert"]
    annotations = secret["metadata"]["annotations"]
    assert annotations[contents.HOSTS] == "cdi-api,cdi-api.cdi,cdi-api.cdi.svc"
    assert annotations[contents.CONFIG] == '{"lifetime":"24h0m0s","refresh":"12h0m0s"}'
    assert annotations[contents.NOT_AFTER] == "2026-11-29T12:00:00Z"
    assert annotations[contents.ISSUER] == f"cdi_cdi-apiserver-signer@{int(NOW.timestamp())}"


def test_the_client_of_upload_servers_is_known_by_its_name():
    cluster = Cluster()
    cluster.renew(chains.UPLOAD_CLIENT, NOW)
    leaf = cluster.leaf(chains.UPLOAD_CLIENT)
    assert pki.common_name(leaf) == "client.upload-server.cdi.kubevirt.io"


SHORT = Lifetimes(
    Lifetime(120 * MINUTE, 60 * MINUTE),
    Lifetime(60 * MINUTE, 30 * MINUTE),
    Lifetime(60 * MINUTE, 30 * MINUTE),
)


def test_at_every_moment_a_client_that_hears_late_trusts_what_is_shown():
    cluster, chain = Cluster(), chains.API_SERVER
    late: list[str] = []  # bundles, one a minute; a client has that of three minutes ago
    serials = set()
    for minute in range(24 * 60):
        now = NOW + minute * MINUTE
        cluster.renew(chain, now, SHORT)
        late.append(cluster.bundle(chain))
        leaf = cluster.leaf(chain)
        serials.add(leaf.serial_number)
        assert leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc
        trusted = pki.parse_certificates(late[max(0, minute - 3)])
        (issuer,) = [each for each in trusted if each.subject == leaf.issuer]
        leaf.verify_directly_issued_by(issuer)
        assert now < issuer.not_valid_after_utc
        assert len(trusted) <= 3
    assert len(serials) == pytest.approx(48, abs=4)


def test_a_pass_may_die_after_any_write():
    for stop_after in range(3):
        cluster, chain = Cluster(), chains.API_SERVER
        cluster.renew(chain, NOW, stop_after=stop_after)
        cluster.renew(chain, NOW + MINUTE)
        leaf = cluster.leaf(chain)
        trusted = pki.parse_certificates(cluster.bundle(chain))
        assert leaf.issuer in {each.subject for each in trusted}
        assert cluster.renew(chain, NOW + 2 * MINUTE).writes == ()


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        pytest.param("cdi-apiserver-signer", None, id="signer-deleted"),
        pytest.param("cdi-apiserver-signer", {"data": {"tls.crt": "", "tls.key": ""}}, id="empty"),
        pytest.param("cdi-apiserver-server-cert", None, id="target-deleted"),
        pytest.param("cdi-apiserver-signer-bundle", None, id="bundle-deleted"),
        pytest.param("cdi-apiserver-signer-bundle", {"data": {}}, id="bundle-emptied"),
        pytest.param(
            "cdi-apiserver-signer-bundle", {"data": {"ca-bundle.crt": "x"}}, id="bundle-broken"
        ),
    ],
)
def test_what_somebody_breaks_is_restored_in_one_pass(name, broken):
    cluster, chain = Cluster(), chains.API_SERVER
    cluster.renew(chain, NOW)
    if broken is None:
        del cluster.objects[name]
    else:
        cluster.objects[name] = {**cluster.objects[name], **broken}
    cluster.renew(chain, NOW + HOUR)
    leaf = cluster.leaf(chain)
    trusted = pki.parse_certificates(cluster.bundle(chain))
    assert leaf.issuer in {each.subject for each in trusted}
    assert cluster.renew(chain, NOW + HOUR).writes == ()


def test_a_key_that_does_not_belong_to_its_certificate_is_of_no_use():
    cluster, chain = Cluster(), chains.API_SERVER
    cluster.renew(chain, NOW)
    secret = cluster.objects["cdi-apiserver-server-cert"]
    other = pki.make_authority("other", NOW, HOUR)
    secret["data"]["tls.key"] = base64.b64encode(other.key.encode()).decode()
    assert contents.parse_secret(secret) is None


def test_an_end_that_somebody_sets_to_now_renews():
    cluster, chain = Cluster(), chains.API_SERVER
    cluster.renew(chain, NOW)
    before = cluster.leaf(chain).serial_number
    annotations = cluster.objects["cdi-apiserver-server-cert"]["metadata"]["annotations"]
    annotations[contents.NOT_AFTER] = "2026-11-28T12:00:00Z"
    cluster.renew(chain, NOW + MINUTE)
    assert cluster.leaf(chain).serial_number != before


def test_a_new_config_is_followed_signer_first():
    cluster, chain = Cluster(), chains.API_SERVER
    cluster.renew(chain, NOW)
    now = NOW + HOUR
    first = cluster.renew(chain, now, SHORT)
    assert [write.name for write in first.writes] == [chain.bundle, chain.signer]
    assert first.again_at == now + 3 * MINUTE
    second = cluster.renew(chain, first.again_at, SHORT)
    assert [write.name for write in second.writes] == ["cdi-apiserver-server-cert"]


def test_a_long_namespace_still_gives_each_signer_a_name_of_its_own():
    name = chains.UPLOAD_CLIENT.signer_name("n" * 63, 1_764_333_333)
    assert len(name) == 64
    assert name.endswith("_cdi-uploadserver-client-signer@1764333333")


# The key of tokens.


def _patched(secret: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in {**old, **new}.items() if value is not None}

    metadata = secret["metadata"]
    annotations = merged(metadata.get("annotations", {}), patch["metadata"]["annotations"])
    return {
        "metadata": {**metadata, "annotations": annotations},
        "data": merged(secret["data"], patch["data"]),
    }


def _signing_secret() -> dict[str, Any]:
    private, public = pki.make_rsa_pair()
    return {
        "metadata": {"creationTimestamp": "2026-11-28T12:00:00Z"},
        "data": {
            layout.PRIVATE: base64.b64encode(private.encode()).decode(),
            layout.PUBLIC: base64.b64encode(public.encode()).decode(),
        },
    }


def test_the_key_of_tokens_is_announced_before_it_signs_and_believed_after():
    secret = _signing_secret()
    first = secret["data"][layout.PUBLIC]
    early = signingkey.exchange(secret, NOW + HOUR)
    assert (early.patch, early.again_at) == (None, NOW + signingkey.AGE)

    announced = signingkey.exchange(secret, early.again_at)
    assert announced.patch is not None
    secret = _patched(secret, announced.patch)
    second = secret["data"][layout.NEXT_PUBLIC]
    assert secret["data"][layout.PUBLIC] == first
    assert signingkey.exchange(secret, announced.again_at - MINUTE).patch is None

    promoted = signingkey.exchange(secret, announced.again_at)
    assert promoted.patch is not None
    secret = _patched(secret, promoted.patch)
    assert set(secret["data"]) == {layout.PRIVATE, layout.PUBLIC, layout.PREVIOUS_PUBLIC}
    assert secret["data"][layout.PUBLIC] == second
    assert secret["data"][layout.PREVIOUS_PUBLIC] == first
    assert signingkey.exchange(secret, promoted.again_at - MINUTE).patch is None
    assert signingkey.exchange(secret, promoted.again_at).patch is not None


@pytest.mark.parametrize("secret", [None, {"metadata": {}, "data": {}}])
def test_a_secret_without_a_key_is_left_to_who_makes_it(secret):
    assert signingkey.exchange(secret, NOW).patch is None
