"""Answers that are errors, and the class each becomes."""

from __future__ import annotations

import msgspec
import pytest

from cdi.kube import errors


@pytest.mark.parametrize(
    ("code", "reason", "cls", "transient"),
    [
        pytest.param(400, "BadRequest", errors.BadRequest, False, id="400"),
        pytest.param(401, "Unauthorized", errors.Unauthorized, True, id="401"),
        pytest.param(403, "Forbidden", errors.Forbidden, False, id="403"),
        pytest.param(404, "NotFound", errors.NotFound, False, id="404"),
        pytest.param(405, "MethodNotAllowed", errors.MethodNotAllowed, False, id="405"),
        pytest.param(409, "AlreadyExists", errors.AlreadyExists, False, id="409-exists"),
        pytest.param(409, "Conflict", errors.Conflict, True, id="409-conflict"),
        pytest.param(409, "", errors.Conflict, True, id="409-without-reason"),
        pytest.param(410, "Expired", errors.Expired, True, id="410-expired"),
        pytest.param(410, "Gone", errors.Expired, True, id="410-gone"),
        pytest.param(415, "UnsupportedMediaType", errors.Unsupported, False, id="415"),
        pytest.param(422, "Invalid", errors.Invalid, False, id="422"),
        pytest.param(429, "TooManyRequests", errors.TooManyRequests, True, id="429"),
        pytest.param(500, "InternalError", errors.InternalError, True, id="500"),
        pytest.param(500, "ServerTimeout", errors.ServerTimeout, True, id="500-timeout"),
        pytest.param(502, "", errors.Unavailable, True, id="502"),
        pytest.param(503, "ServiceUnavailable", errors.Unavailable, True, id="503"),
        pytest.param(504, "Timeout", errors.ServerTimeout, True, id="504"),
        pytest.param(507, "", errors.InternalError, True, id="an-unknown-5xx"),
        pytest.param(418, "", errors.ApiError, False, id="an-unknown-4xx"),
    ],
)
def test_a_status_becomes(
    code: int, reason: str, cls: type[errors.ApiError], transient: bool
) -> None:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "said the server"}
    error = errors.from_answer(code, msgspec.json.encode(body))
    assert type(error) is cls
    assert (error.code, error.reason, error.message) == (code, reason, "said the server")
    assert error.transient is transient


def test_an_invalid_answer_lists_its_causes() -> None:
    cause = {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.source"}
    body = {"kind": "Status", "code": 422, "reason": "Invalid", "details": {"causes": [cause]}}
    assert errors.from_answer(422, msgspec.json.encode(body)).causes == [cause]


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        pytest.param("7", {}, 7.0, id="from-the-header"),
        pytest.param(None, {"retryAfterSeconds": 3}, 3.0, id="from-the-details"),
        pytest.param("7", {"retryAfterSeconds": 3}, 7.0, id="the-header-wins"),
        pytest.param("Sat, 21 Nov 2026 02:00:00 GMT", {}, None, id="a-date-is-not-read"),
        pytest.param(None, {}, None, id="not-stated"),
    ],
)
def test_the_servers_wish_for_a_pause_is_known(
    header: str | None, details: dict[str, int], seconds: float | None
) -> None:
    body = {"kind": "Status", "code": 429, "reason": "TooManyRequests", "details": details}
    assert errors.from_answer(429, msgspec.json.encode(body), header).retry_after == seconds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>bad gateway</html>", id="a-proxys-page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="not-even-text"),
        pytest.param(b"[1, 2]", id="json-but-no-object"),
        pytest.param(b'{"a": 1}', id="an-object-but-no-status"),
    ],
)
def test_an_answer_without_a_status_is_known_by_its_code(body: bytes) -> None:
    error = errors.from_answer(503, body)
    assert type(error) is errors.Unavailable
    assert len(error.message) < 600
