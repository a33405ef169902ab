"""The front proxy: what the ConfigMap says of it, and whom its headers speak for."""

import pytest

from cdi.kube.reviews import User
from cdi.web.apiserver import frontproxy
from cdi.web.statuses import Refused
from support import cdiapi

CONFIG = {"data": cdiapi.front_proxy_config("PEM", ["front-proxy-client"])["data"]}
PROXY = frontproxy.parse_config(CONFIG)


def _user(*headers: tuple[str, str], shown: str | None = "front-proxy-client") -> User:
    return frontproxy.user_of(PROXY, shown, headers)


def test_headers_say_who_asks():
    user = _user(
        ("x-remote-user", "alice"),
        ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Extra-Acme.com%2Fproject", "one"),
        ("X-Remote-Extra-Acme.com%2fProject", "two"),
    )
    assert (user.name, user.groups) == ("alice", ("a", "b"))
    assert user.extra == {"acme.com/project": ("one", "two")}


def test_the_first_header_that_is_there_counts():
    data = {
        **CONFIG["data"],
        "requestheader-username-headers": '["X-First", "X-Second"]',
        "requestheader-uid-headers": '["X-Uid"]',
    }
    proxy = frontproxy.parse_config({"data": data})
    headers = [("X-Second", "bob"), ("X-Remote-Group", "g"), ("X-Uid", "7")]
    user = frontproxy.user_of(proxy, "front-proxy-client", headers)
    assert (user.name, user.uid) == ("bob", "7")


def test_any_name_will_do_where_none_is_listed():
    proxy = frontproxy.parse_config(
        {"data": {**CONFIG["data"], "requestheader-allowed-names": "[]"}}
    )
    headers = [("X-Remote-User", "a"), ("X-Remote-Group", "b")]
    assert frontproxy.user_of(proxy, "whoever", headers).name == "a"


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        pytest.param([("X-Remote-User", "a"), ("X-Remote-Group", "b")], None, id="no-certificate"),
        pytest.param([("X-Remote-User", "a"), ("X-Remote-Group", "b")], "x", id="other-name"),
        pytest.param([("X-Remote-User", "a"), ("X-Remote-Group", "b")], "", id="no-name"),
        pytest.param([("X-Remote-Group", "b")], "front-proxy-client", id="no-user"),
        pytest.param(
            [("X-Remote-User", ""), ("X-Remote-Group", "b")], "front-proxy-client", id="empty-user"
        ),
        pytest.param([("X-Remote-User", "a")], "front-proxy-client", id="no-group"),
    ],
)
def test_nobody_is_who_is_not_vouched_for(headers, shown):
    with pytest.raises(Refused) as refused:
        _user(*headers, shown=shown)
    assert refused.value.code == 401


def test_without_a_front_proxy_nobody_is_known():
    with pytest.raises(Refused):
        frontproxy.user_of(None, "front-proxy-client", [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"requestheader-client-ca-file": ""}, "has no requestheader", id="no-ca"),
        pytest.param({"requestheader-allowed-names": "x"}, "is no list", id="no-json"),
        pytest.param({"requestheader-allowed-names": '{"a": 1}'}, "is no list", id="an-object"),
        pytest.param({"requestheader-group-headers": "[1]"}, "list of texts", id="numbers"),
    ],
)
def test_a_config_map_that_does_not_say_who_it_is_is_refused(change, why):
    with pytest.raises(frontproxy.NoFrontProxy, match=why):
        frontproxy.parse_config({"data": {**CONFIG["data"], **change}})
