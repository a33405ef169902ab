"""
What may go wrong while a server is spoken to, and what that is in terms of ours.

Here: what this client raises itself; `error_for`, which translates that, and what ssl and the
system raise: the most specific cause decides, however it was wrapped; `refusal_of`, which says what
an answer without the object stands for, and when to come back. Messages hold the printable URL and
the system's own words. Elsewhere: what stores and registries say beyond the status (their rooms).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from cdi.images import errors
from cdi.images.http import request

# Worth another try: the server is busy, or a gateway before it is. 408 and 425 ask for it.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

# What TLS says of a server that speaks something else ...
_PLAIN_WORDS = frozenset({"HTTP_REQUEST", "WRONG_VERSION_NUMBER"})
# ... or only what is no longer safe.
_NO_COMMON_TLS = frozenset(
    {
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNKNOWN_PROTOCOL",
        "UNSUPPORTED_PROTOCOL",
    }
)


class Unreachable(OSError):
    """No connection came about; the cause says why."""


class UnknownHost(Unreachable):
    """There is no such name."""


class ImpossibleHost(OSError):
    """No host can have this name."""


class ProxyFailed(OSError):
    """The proxy could not be reached, or answered `status` where a tunnel was asked for."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__("the proxy failed")
        self.status = status


class BadAnswer(OSError):
    """What came is no HTTP, or none that has only one meaning."""


class NotHttp(BadAnswer):
    """What came is something else than HTTP."""


class NoAnswer(BadAnswer, ConnectionError):
    """The connection ended before anything came: perhaps nobody has read what was asked."""


class HeadTooLarge(BadAnswer):
    """The head of an answer is larger than any honest one."""


class EndedEarly(errors.ConnectionLost):
    """The other side ended a body in good order, before the length that it had announced."""

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"{shown}: the server ended its answer before the length it had announced; "
            "the file there or a gateway in between may be damaged"
        )


def error_for(shown: str, failure: Exception) -> errors.TransferError:
    """Translate what was raised while speaking to `shown`."""
    import ssl  # takes longer to load than a small file does to come

    chain = list(_causes(failure))
    for cause in chain:
        if isinstance(cause, errors.Stalled):
            return errors.Stalled(f"{shown}: {cause}; check the server and the network")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return errors.CertificateInvalid(
                f"{shown}: the certificate is not trusted: {cause.verify_message}; "
                "give its authority as a CA certificate"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _PLAIN_WORDS:
            return errors.SpeaksNoTls(
                f"{shown}: the server does not speak TLS but something else, perhaps plain HTTP; "
                "check scheme and port"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_COMMON_TLS:
            return errors.SourceRefused(
                f"{shown}: the server does not speak TLS 1.2 or later; check scheme and port"
            )
        if isinstance(cause, HeadTooLarge):
            return errors.SourceRefused(
                f"{shown}: the headers of the answer are too large; check what answers there"
            )
    return _network_error(shown, failure, chain)


def _network_error(
    shown: str, failure: Exception, chain: list[BaseException]
) -> errors.TransferError:
    match failure:
        case ProxyFailed():
            return _proxy_error(shown, failure)
        case ImpossibleHost():
            return errors.InvalidRequest(
                f"{shown}: the URL cannot be requested; check its spelling"
            )
        case UnknownHost():
            return errors.SourceUnavailable(
                f"{shown}: the host's name is unknown; check name and DNS"
            )
        case Unreachable():
            return errors.SourceUnavailable(
                f"{shown}: no connection: {_reason_in(chain)}; check address, port and firewall"
            )
    return errors.ConnectionLost(
        f"{shown}: the connection broke: {_reason_in(chain)}; try again, it continues where it was"
    )


def _proxy_error(shown: str, failure: ProxyFailed) -> errors.TransferError:
    status = failure.status
    if status is None:
        return errors.SourceUnavailable(f"{shown}: the proxy cannot be reached; check its URL")
    answer = f"{shown}: the proxy refuses to connect: it answers {status}"
    if status == 407:
        return errors.AccessDenied(f"{answer}; check the credentials in the proxy's URL")
    if status in BUSY:
        return errors.SourceUnavailable(f"{answer}; check that it can reach the host")
    return errors.SourceRefused(f"{answer}; ask its operator to allow this host")


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and all that led to it, however it was wrapped."""
    seen: set[int] = set()
    waiting = [failure]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        waiting += [inner for inner in current.args if isinstance(inner, BaseException)]


def _reason_in(chain: list[BaseException]) -> str:
    import ssl

    for cause in chain:
        if isinstance(cause, NotHttp):
            return "what answers does not speak HTTP"
        if isinstance(cause, BadAnswer):
            return str(cause)
        if isinstance(cause, ssl.SSLEOFError):
            return "it ended without the farewell of TLS, so that nobody knows what is missing"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason})"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        if isinstance(cause, TimeoutError):
            return "timed out"
    return "the other side closed it"


def refusal_of(
    shown: str, status: int, phrase: str, retry_after: float | None = None
) -> errors.SourceError:
    """The error that a status other than 200 and 206 stands for. `shown` is the printable URL."""
    # Existing clients look for exactly this sentence.
    said = f"{shown}: expected status code 200, got {status}. Status: {status} {phrase}".rstrip()
    if status in {404, 410}:
        return errors.NotFound(f"{said}; check the address")
    if status in {401, 403}:
        return errors.AccessDenied(f"{said}; check user, password and headers")
    if status == 407:
        return errors.AccessDenied(f"{said}; check the credentials in the proxy's URL")
    if status in BUSY:
        wish = "" if retry_after is None else f" in {retry_after:.0f} s, as the server asks"
        return errors.SourceUnavailable(f"{said}; try again{wish or ' later'}", retry_after)
    return errors.SourceRefused(f"{said}; the server does not serve this request as a file")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header in both forms; seconds from `now` (Unix time), at least 0."""
    text = (value or "").strip()
    if (seconds := request.parse_number(text)) is not None:
        return float(seconds)
    moment = _parse_date(text)
    return None if moment is None else max(0.0, moment - now)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the server wants to be left alone, by its own clock if it shows one."""
    now = _parse_date(headers.get("Date", ""))
    return parse_retry_after(headers.get("Retry-After"), time.time() if now is None else now)


def _parse_date(text: str) -> float | None:
    if not text:
        return None
    # Loaded when a server wants to be left alone: it takes longer than many a request.
    from email.utils import parsedate_to_datetime

    try:
        return float(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None
