import pytest

from cdi.images import errors
from cdi.images.http import failures, pool, request, response
from cdi.images.http.request import HeaderMap


class Played:
    """A line that receives these pieces, and then its end."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)
        self.in_body = False
        self.fault = None

    def take(self, limit):
        piece = self._pieces.pop(0) if self._pieces else b""
        if len(piece) > limit:
            self._pieces.insert(0, piece[limit:])
        return piece[:limit]

    receive = take

    def give_back(self, data):
        if data:
            self._pieces.insert(0, data)

    def has_more(self):
        return bool(self._pieces)

    def expect_head(self):
        pass


def read(*pieces, none=False):
    """Return head, content, whether it is complete, and whether the connection can be kept."""
    kept = []
    played = Played(*pieces)
    head = response.read_head(played)
    answer = pool.response_of(played, head, kept.append, "it", empty=none)
    content, complete = b"", True
    try:
        while piece := answer.read(7):
            content += piece
    except errors.ConnectionLost:
        complete = False
    return head, content, complete, kept


def answer(fields, content=b"", status="200 OK", version="1.1"):
    return f"HTTP/{version} {status}\r\n{fields}\r\n".encode() + content


@pytest.mark.parametrize(
    ("pieces", "content", "kept"),
    [
        pytest.param([answer("Content-Length: 3\r\n", b"abc")], b"abc", True, id="length"),
        pytest.param([answer("Content-Length: 3\r\n"), b"a", b"bc"], b"abc", True, id="in-pieces"),
        pytest.param([answer("Content-Length: 3, 3\r\n", b"abc")], b"abc", True, id="said-twice"),
        pytest.param([answer("Content-Length: 0\r\n")], b"", True, id="empty"),
        pytest.param([answer("", b"abc")], b"abc", False, id="until-the-end"),
        pytest.param(
            [
                answer(
                    "Transfer-Encoding: chunked\r\n", b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nA: b\r\n\r\n"
                )
            ],
            b"abc",
            True,
            id="chunked",
        ),
        pytest.param(
            [answer("Transfer-Encoding: chunked\r\n", b"2\r"), b"\nab\r", b"\n0\r\n", b"\r\n"],
            b"ab",
            True,
            id="chunked-in-pieces",
        ),
        pytest.param(
            [answer("Connection: close\r\nContent-Length: 1\r\n", b"a")], b"a", False, id="close"
        ),
        pytest.param([answer("Content-Length: 1\r\n", b"a", version="1.0")], b"a", False, id="1.0"),
        pytest.param([answer("Content-Length: 1\r\n", b"abc")], b"a", False, id="too-much"),
        pytest.param(
            [answer("", status="100 Continue"), answer("Content-Length: 1\r\n", b"a")],
            b"a",
            True,
            id="interim",
        ),
        pytest.param([answer("", status="204 No Content")], b"", True, id="204"),
        pytest.param([b"HTTP/1.1 200\nContent-Length: 1\n\na"], b"a", True, id="bare-line-feeds"),
    ],
)
def test_a_body_ends_where_its_head_says(pieces, content, kept):
    assert read(*pieces)[1:] == (content, True, [kept])


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([answer("Content-Length: 3\r\n", b"ab")], id="short"),
        pytest.param([answer("Transfer-Encoding: chunked\r\n", b"3\r\nab")], id="within-a-chunk"),
        pytest.param([answer("Transfer-Encoding: chunked\r\n", b"3\r\nabc")], id="after-a-chunk"),
        pytest.param([answer("Transfer-Encoding: chunked\r\n", b"3\r\nabcd\r\n")], id="overlong"),
        pytest.param([answer("Transfer-Encoding: chunked\r\n", b"-3\r\nabc\r\n")], id="negative"),
        pytest.param([answer("Transfer-Encoding: chunked\r\n", b"0\r\nA: b")], id="in-trailers"),
    ],
)
def test_a_body_that_breaks_off_is_not_complete(pieces):
    _, _, complete, kept = read(*pieces)
    assert (complete, kept) == (False, [False])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"220 ftp here\r\n\r\n", id="no-http"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another-version"),
        pytest.param(answer("no colon\r\n"), id="no-colon"),
        pytest.param(answer("A b: c\r\n"), id="space-in-a-name"),
        pytest.param(answer("A: b\0c\r\n"), id="nul"),
        pytest.param(answer("A: b\rB: c\r\n"), id="bare-carriage-return"),
        pytest.param(answer("Content-Length: 3\r\nContent-Length: 4\r\n"), id="two-lengths"),
        pytest.param(answer("Content-Length: -3\r\n"), id="negative-length"),
        pytest.param(answer("Transfer-Encoding: gzip, chunked\r\n"), id="another-coding"),
        pytest.param(answer("A: b\r\n" * 1000), id="too-many"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"x" * (1 << 18), id="too-long"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_head_that_could_mean_something_else_is_refused(data):
    with pytest.raises(failures.BadAnswer):
        read(*(data[at : at + 4096] for at in range(0, len(data), 4096)))


def test_fields_are_found_by_any_case_and_joined():
    head, *_ = read(answer("ETag:  a \r\nX: 1\r\nx: 2\r\nOld: b\r\n  c\r\nContent-Length: 0\r\n"))
    assert (head.fields["etag"], head.fields["X"], head.fields["OLD"]) == ("a", "1, 2", "b c")


def test_a_request_is_written_as_it_is_meant():
    fields = HeaderMap([("Accept", "*/*"), ("Range", "bytes=0-1")])
    assert request.request_bytes("GET", "/x?y", "a.test:81", fields, None) == (
        b"GET /x?y HTTP/1.1\r\nHost: a.test:81\r\nAccept: */*\r\nRange: bytes=0-1\r\n\r\n"
    )
    sent = request.request_bytes("POST", "/", "a.test", HeaderMap([("Host", "b.test")]), b"body")
    assert sent == b"POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        pytest.param("/a b", "A", "b", id="space-in-the-target"),
        pytest.param("/a\r\nB: c", "A", "b", id="line-break-in-the-target"),
        pytest.param("/", "A", "b\r\nC: d", id="line-break-in-a-value"),
        pytest.param("/", "A", "b\nC: d", id="line-feed-in-a-value"),
        pytest.param("/", "A\r\nB", "c", id="line-break-in-a-name"),
        pytest.param("/", "", "c", id="no-name"),
        pytest.param("/", "A", "\u20ac", id="no-latin-1"),
    ],
)
def test_a_request_is_one_request(target, name, value):
    with pytest.raises(ValueError, match="characters"):
        request.request_bytes("GET", target, "a.test", HeaderMap([(name, value)]), None)


def test_a_header_that_cannot_be_sent_is_named_and_its_value_is_not() -> None:
    fields = HeaderMap([("Good", "b"), ("X-Key", "canary\n")])
    with pytest.raises(ValueError, match="the header X-Key holds characters") as refusal:
        request.request_bytes("GET", "/", "a.test", fields, None)
    assert "canary" not in str(refusal.value)
