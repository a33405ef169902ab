"""Signatures are those that the services' own libraries make."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

from cdi.images.http import urls
from cdi.images.sources.objects import azure, sigv4
from cdi.images.sources.objects.access import Keys
from cdi.images.sources.objects.address import Address
from support import httpd, objectstores

NOW = datetime.datetime(2026, 3, 1, 12, 30, 0, tzinfo=datetime.UTC)
KEYS = [
    "disk.raw",
    "a b/c+d.qcow2",
    "ümlaut/日本.img",
    "a//b",
    "../up/./x",
    "50%/=&?#x",
    "~-_.()*!'",
]
ACCOUNT_KEY = "Y2FuYXJ5LWFjY291bnQta2V5"


def place_of(key: str, version: str = "", endpoint: str = "https://s3.example.test") -> urls.Url:
    return urls.parse_url(Address(endpoint, "bucket", key, version).url("versionId"))


@pytest.mark.parametrize("token", ["", objectstores.TOKEN], ids=["keys", "session"])
@pytest.mark.parametrize("endpoint", ["https://s3.example.test", "http://host:9000"])
@pytest.mark.parametrize("version", ["", "3/L4kqtJ+x="], ids=["newest", "version"])
@pytest.mark.parametrize("key", KEYS)
def test_s3_requests_are_signed_as_botocore_signs_them(key, version, endpoint, token):
    place = place_of(key, version, endpoint)
    keys = Keys(objectstores.KEY_ID, objectstores.SECRET, token)
    headers = sigv4.headers_for(keys, "eu-west-1", place, NOW)
    host = place.url.split("/")[2]
    given = tuple((name.lower(), value) for name, value in (headers | {"Host": host}).items())
    request = httpd.Request("GET", place.target, given)
    wanted = objectstores.signature(request, "eu-west-1")
    assert headers["Authorization"].endswith(f"Signature={wanted}")
    assert objectstores.SECRET not in str(headers)


@pytest.mark.parametrize("query", ["", "?versionid=2026-01-01T00:00:00.1Z", "?b=2&a=x%20y"])
@pytest.mark.parametrize("key", ["disk.raw", "a b/c+d.qcow2", "ümlaut.img"])
def test_azure_requests_are_signed_as_its_library_signs_them(key, query):
    url = Address("https://acct.blob.core.windows.net", "container", key).url("") + query
    fields = (("If-Match", '"0x8D"'),)  # that library never sends Range, but x-ms-range
    service = azure.Azure("acct", ACCOUNT_KEY, anonymous=False, now=NOW.timestamp)
    place = urls.parse_url(url)
    headers = dict(service.headers(urls.Route(place), fields))
    asked = HttpRequest("GET", place.url, headers={**headers, **dict(fields)})
    del asked.headers["Authorization"]
    policy = SharedKeyCredentialPolicy("acct", ACCOUNT_KEY)
    policy.on_request(PipelineRequest(asked, PipelineContext(SimpleNamespace())))
    assert headers["Authorization"] == asked.headers["Authorization"]


def test_azure_signs_the_range_last():
    place = urls.parse_url("https://acct.blob.core.windows.net/c/b")
    text = azure.text_to_sign("acct", place, {"Range": "bytes=0-9", "x-ms-date": "D"})
    assert text == "GET" + "\n" * 11 + "bytes=0-9\nx-ms-date:D\n/acct/c/b"
