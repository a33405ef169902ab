"""
Which region a request to S3 is signed for, and where Amazon serves a region. No I/O.

The region is the middle part of s3.<region>.amazonaws.com, else the first label of the host, as
existing installations expect. Where neither can be one, it is what most other stores take for
theirs. A service that wants another one names it, and is asked again.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

from cdi.images.http.response import Response
from cdi.images.http.urls import Url

USUAL = "us-east-1"

_AMAZON = re.compile(
    r"(?P<bucket>.+\.)?s3(?P<dual>\.dualstack)?(?:[.-](?P<region>[a-z0-9-]+))?"
    r"\.amazonaws\.com(?P<china>\.cn)?"
)
_NAMED = re.compile(r"<Region>\s*([A-Za-z0-9-]{1,64})\s*</Region>")


def region_of(host: str) -> str:
    """The region that the name of a host tells."""
    if known := _AMAZON.fullmatch(host):
        return known["region"] or USUAL
    if host == "localhost" or _is_address(host):
        return USUAL
    return host.partition(".")[0]


def names_bucket(host: str) -> bool:
    """Whether the host stands for a bucket: bucket.s3.<region>.amazonaws.com."""
    known = _AMAZON.fullmatch(host)
    return bool(known and known["bucket"])


def named_in(response: Response) -> str:
    """The region that a refusal names as the right one, if it does."""
    given = response.headers.get("x-amz-bucket-region", "")
    if re.fullmatch(r"[A-Za-z0-9-]{1,64}", given):
        return given
    found = _NAMED.search(response.text())
    return found[1] if found else ""


def moved(place: Url, region: str) -> Url:
    """Where the same object is asked for in another region; stores of others have one place."""
    known = _AMAZON.fullmatch(place.host)
    if known is None:
        return place
    bucket, dual, china = known["bucket"] or "", known["dual"] or "", known["china"] or ""
    return replace(place, host=f"{bucket}s3{dual}.{region}.amazonaws.com{china}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
