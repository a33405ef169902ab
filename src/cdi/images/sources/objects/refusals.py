"""
What an object store means by a refusal: its own code, in our words, with what to do.

S3, Google's XML interface and Azure answer with XML that holds a code; it is looked for, never
parsed: a body may come from anybody. What else stands there is not repeated, as some stores put
the text that was to be signed, and key ids, into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.http import failures
from cdi.images.http.response import Response

_CODE = re.compile(r"<Code>\s*([A-Za-z][A-Za-z0-9._-]{0,79})\s*</Code>")

Kind = Callable[[str], errors.SourceError]


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: Kind
    words: str


def _meanings(kind: Kind, table: dict[str, str]) -> dict[str, Meaning]:
    return {code: Meaning(kind, words) for codes, words in table.items() for code in codes.split()}


_KEYS = "check access key, secret key, and that both are for this endpoint"
_CLOCK = "the clock here and the service's disagree; set the clock"

_MEANINGS: dict[str, Meaning] = {
    **_meanings(
        errors.NotFound,
        {
            "NoSuchBucket ContainerNotFound": "there is no such bucket; check its name, and that "
            "the endpoint is the right one",
            "NoSuchKey BlobNotFound ResourceNotFound": "there is no such object; check its name",
            "NoSuchVersion": "the object has no such version; check its id",
        },
    ),
    **_meanings(
        errors.AccessDenied,
        {
            "InvalidAccessKeyId": f"it does not know the access key; {_KEYS}",
            "SignatureDoesNotMatch": f"the secret key does not belong to the access key; {_KEYS}",
            "ExpiredToken": "the credentials have expired; get new ones",
            "InvalidToken TokenRefreshRequired": "the session token is not a valid one; get new "
            "credentials",
            "RequestTimeTooSkewed RequestExpired": _CLOCK,
            "AccountProblem AllAccessDisabled AccountIsDisabled InvalidSecurity NotSignedUp": "the "
            "account may not be used; ask its owner",
            "AuthenticationRequired NoAuthenticationInformation PublicAccessNotPermitted": "the "
            "object is not public; give credentials",
            "AuthenticationFailed": "the account key or the shared access signature is wrong or "
            "has expired, or the clock here is wrong",
            "AuthorizationPermissionMismatch InsufficientAccountPermissions "
            "AuthorizationSourceIPMismatch AuthorizationProtocolMismatch": "the credentials may "
            "not read this object from here; ask for permission",
            "UserProjectMissing": "the bucket is paid for by those who read it, which is not done "
            "here; have the object copied to another one",
        },
    ),
    **_meanings(
        errors.SourceRefused,
        {
            "InvalidObjectState BlobArchived": "the object is in an archive; restore it first",
            "AuthorizationHeaderMalformed": "it wants another region than the one its name tells; "
            "name its regional endpoint",
            "InvalidBucketName": "a bucket cannot have this name; check the URL",
        },
    ),
    **_meanings(
        errors.SourceUnavailable,
        {
            "SlowDown Throttling ThrottlingException TooManyRequests RequestLimitExceeded "
            "ServerBusy rateLimitExceeded": "it is asked too much at the moment",
            "RequestTimeout InternalError ServiceUnavailable OperationTimedOut OperationAborted": (
                "it is in trouble at the moment"
            ),
        },
    ),
}


def code_in(response: Response) -> str:
    """The store's own code for a refusal, if it tells one."""
    found = _CODE.search(response.text())
    # Azure repeats it, and shows only this where the body is cut short.
    return found[1] if found else _word(response.headers.get("x-ms-error-code", ""))


def _word(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,79}", text) else ""


def error_for(shown: str, response: Response, *, anonymous: bool) -> errors.SourceError:
    """The error that an answer without the object stands for."""
    wish = failures.retry_after(response.headers)
    if response.status == 407:
        return failures.refusal_of(shown, response.status, response.phrase, wish)
    code = code_in(response)
    meaning = _MEANINGS.get(code) or _by_status(response.status, anonymous=anonymous)
    said = f"{response.status} {code or response.phrase}".rstrip()
    error = meaning.kind(f"{shown}: the service answers {said}: {meaning.words}")
    if isinstance(error, errors.SourceUnavailable):
        error.retry_after = wish
    return error


def _by_status(status: int, *, anonymous: bool) -> Meaning:
    if status in {404, 410}:
        return Meaning(errors.NotFound, "there is no such object; check bucket and name")
    if status in {401, 403}:
        return Meaning(
            errors.AccessDenied,
            "the object is not public; give credentials"
            if anonymous
            else "the credentials may not read this object, or it does not exist; check its name, "
            "and what they are allowed to do",
        )
    if status in failures.BUSY:
        return Meaning(errors.SourceUnavailable, "it is in trouble at the moment")
    return Meaning(errors.SourceRefused, "it does not serve this request; check the URL")
