"""How objects are named, which region they are in, and who asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http import urls
from cdi.images.sources.objects import accounts, address, google, regions
from cdi.images.sources.objects.access import GoogleAccess, Keys, S3Access

AT_HOST = [
    ("http://host:9000/bucket/a/b.img", "http://host:9000/bucket/a/b.img"),
    ("https://host/bucket/k", "https://host/bucket/k"),
    ("s3://host/bucket/k", "https://host/bucket/k"),
    ("S3://Host/bucket/k", "https://host/bucket/k"),
    ("https://host/bucket/a b+c%20d", "https://host/bucket/a%20b%2Bc%20d"),
    ("https://host/bucket/a%252Fb", "https://host/bucket/a%252Fb"),
    ("https://host/bucket/../x", "https://host/bucket/%2E%2E/x"),
    ("https://host/bucket/k?versionId=v1&X=y#z", "https://host/bucket/k?versionId=v1"),
    ("https://[::1]:9000/bucket/k", "https://[::1]:9000/bucket/k"),
]


@pytest.mark.parametrize(("url", "wanted"), AT_HOST)
def test_the_host_of_a_url_is_the_endpoint(url, wanted):
    made = address.parse_at_host(url, "versionId").url("versionId")
    assert made == wanted
    # What a connection makes of it is the same once more.
    assert urls.parse_url(made).url == wanted


def test_a_host_that_names_the_bucket_needs_none_in_the_path():
    url = "https://pail.s3.eu-west-1.amazonaws.com/disk.img"
    assert regions.names_bucket("pail.s3.eu-west-1.amazonaws.com")
    assert address.parse_at_host(url, "versionId", named=True).url("versionId") == url


@pytest.mark.parametrize(
    "url",
    ["https://host", "https://host/", "https://host/bucket", "https://host/bucket/", "bucket/key",
     "https:///bucket/key", "https://user:canary@host/bucket/key"],
)  # fmt: skip
def test_a_url_without_an_object_is_refused_and_not_repeated(url):
    with pytest.raises(errors.InvalidRequest) as refused:
        address.parse_at_host(url, "versionId")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-us-west-2.amazonaws.com", "us-west-2"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("pail.s3.ap-south-1.amazonaws.com", "ap-south-1"),
        ("s3.amazonaws.com", "us-east-1"),
        ("minio.example.test", "minio"),
        ("garage", "garage"),
        ("127.0.0.1", "us-east-1"),
        ("[::1]", "us-east-1"),
        ("localhost", "us-east-1"),
    ],
)
def test_the_host_tells_the_region(host, region):
    assert regions.region_of(host) == region


@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("s3.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("pail.s3.us-east-1.amazonaws.com", "pail.s3.eu-west-1.amazonaws.com"),
        ("minio.example.test", "minio.example.test"),
        ("s3.evil-amazonaws.com", "s3.evil-amazonaws.com"),
        ("s3.us-east-1.amazonaws.com.evil.test", "s3.us-east-1.amazonaws.com.evil.test"),
    ],
)
def test_only_amazon_has_another_host_for_another_region(host, there):
    place = urls.parse_url(f"https://{host}/b/k")
    assert regions.moved(place, "eu-west-1").host == there


def test_the_environment_goes_before_the_files_of_the_aws_tools(tmp_path: Path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = s%1\n"
        "[lab]\naws_access_key_id = L\naws_secret_access_key = l\naws_session_token = t\n"
    )
    (tmp_path / ".aws/config").write_text("[default]\nregion = r1\n[profile lab]\nregion = r2\n")
    home = {"HOME": str(tmp_path)}
    assert accounts.s3_access(home) == S3Access(Keys("A", "s%1"), region="r1")
    lab = home | {"AWS_PROFILE": "lab"}
    assert accounts.s3_access(lab) == S3Access(Keys("L", "l", "t"), region="r2")
    given = home | {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e", "AWS_REGION": "r3",
                    "AWS_ENDPOINT_URL": "http://host"}  # fmt: skip
    assert accounts.s3_access(given) == S3Access(Keys("E", "e"), "http://host", "r3")


def test_without_anything_a_store_is_asked_anonymously(tmp_path: Path):
    home = {"HOME": str(tmp_path)}
    assert accounts.s3_access(home) == S3Access()
    assert accounts.google_access(home) == GoogleAccess()
    assert accounts.azure_access(home).key == ""


def test_an_azure_connection_string_is_taken_apart():
    text = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5PT0=;BlobEndpoint=http://h/acct;"
    found = accounts.azure_access({"AZURE_STORAGE_CONNECTION_STRING": text})
    assert (found.account, found.key, found.endpoint) == ("acct", "a2V5PT0=", "http://h/acct")


@pytest.mark.parametrize(
    "text",
    ["", "CANARY", "[]", '{"type": "external_account", "canary": "CANARY"}',
     '{"type": "service_account", "private_key": "CANARY"}',
     '{"type": "authorized_user", "client_id": 1, "client_secret": "CANARY"}'],
)  # fmt: skip
def test_credentials_that_cannot_be_used_are_refused_and_not_repeated(text):
    with pytest.raises(errors.InvalidRequest) as refused:
        google.parse_credentials(text)
    assert "CANARY" not in str(refused.value)


def test_a_broken_key_is_refused_and_not_repeated():
    text = '{"type": "service_account", "client_email": "e", "private_key": "CANARY"}'
    with pytest.raises(errors.InvalidRequest) as refused:
        google.parse_credentials(text).form(0.0)
    assert "CANARY" not in str(refused.value)


def test_secrets_do_not_show_in_values():
    keys = Keys("id", "CANARY", "CANARY")
    assert "CANARY" not in repr(S3Access(keys)) + repr(GoogleAccess("CANARY"))
