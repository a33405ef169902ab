import pytest

from cdi.images import errors
from cdi.images.http import request, urls
from cdi.images.http.options import HttpOptions, parse_lines

HOME = urls.parse_url("https://a.test/x")


def sent(trusted=True, origin=HOME, fields=(), **options):
    headers = request.RequestHeaders(origin, HttpOptions(**options))
    given = headers.for_route(urls.Route(origin, trusted), fields)
    return {name.lower(): value for name, value in given.items()}


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        pytest.param("X-Token: abc", ("X-Token", "abc"), id="usual"),
        pytest.param("X-Token:abc\r\n", ("X-Token", "abc"), id="from-a-file-with-its-newline"),
        pytest.param("X-Time: 10:30", ("X-Time", "10:30"), id="split-at-the-first-colon"),
        pytest.param("X-Empty:", ("X-Empty", ""), id="empty-value"),
    ],
)
def test_a_line_is_a_name_and_a_value(line, pair):
    assert parse_lines([line]) == [pair]


@pytest.mark.parametrize("line", ["no colon here", "", "Range: bytes=0-1", "accept-encoding: gzip"])
def test_lines_without_a_colon_and_headers_of_the_transfer_are_dropped(line):
    assert parse_lines([line]) == []


@pytest.mark.parametrize(
    "line", ["X-A: b\r\nX-Canary: c", "X-A: b\nCanary", "X A: Canary", ": Canary", "X-A: Canary\0"]
)
def test_injection_is_refused_without_repeating_it(line):
    with pytest.raises(errors.InvalidRequest) as refusal:
        parse_lines([line])
    assert "canary" not in str(refusal.value).lower()


def test_a_request_names_us_and_wants_the_bytes_as_they_are():
    assert sent(fields=[("Range", "bytes=0-1")]) == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "cdi-golang-importer",
        "range": "bytes=0-1",
    }


def test_an_extra_user_agent_wins():
    assert sent(headers=("user-agent: mine",))["user-agent"] == "mine"


@pytest.mark.parametrize(
    ("options", "value"),
    [
        pytest.param({"user": "u", "password": "p"}, "Basic dTpw", id="given"),
        pytest.param({"user": "u"}, "Basic eDp5", id="half-given-falls-back-to-the-url"),
        pytest.param({}, "Basic eDp5", id="in-the-url"),
        pytest.param(
            {"user": "u", "password": "p", "secret_headers": ("Authorization: Bearer t",)},
            "Bearer t",
            id="a-header-wins",
        ),
    ],
)
def test_basic_authentication(options, value):
    origin = urls.parse_url("https://x:y@a.test/")
    assert sent(origin=origin, **options)["authorization"] == value


def test_strangers_get_nothing_that_the_user_gave():
    given = sent(
        trusted=False,
        user="u",
        password="p",
        headers=("X-Plain: 1", "User-Agent: mine", "Cookie: c"),
        secret_headers=("X-Secret: 2",),
    )
    assert given == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "cdi-golang-importer",
    }


def test_options_do_not_show_their_secrets():
    options = HttpOptions(
        user="u",
        password="canary",
        headers=("A: canary",),
        secret_headers=("B: canary",),
        proxies={"http_proxy": "http://u:canary@p.test"},
    )
    assert "canary" not in repr(options)
