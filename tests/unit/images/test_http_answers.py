import email.utils

import pytest

from cdi.images import errors
from cdi.images.http import client, failures, response


@pytest.mark.parametrize(
    ("value", "part"),
    [
        pytest.param("bytes 0-9/100", response.ContentRange(0, 10, 100), id="usual"),
        pytest.param("BYTES  5-5/* ", response.ContentRange(5, 6, None), id="unknown-total"),
        pytest.param("bytes */100", response.ContentRange(0, 0, 100), id="unsatisfied"),
        pytest.param("bytes 9-0/100", None, id="backwards"),
        pytest.param("bytes 0-100/100", None, id="beyond-its-own-total"),
        pytest.param("items 0-9/100", None, id="another-unit"),
        pytest.param("bytes -1-9/100", None, id="negative"),
        pytest.param(None, None, id="none"),
    ],
)
def test_content_range_is_read(value, part):
    assert response.parse_content_range(value) == part


@pytest.mark.parametrize(
    ("value", "length"),
    [("12", 12), (" 12 ", 12), ("-1", None), ("1e3", None), ("²", None), (None, None)],
)
def test_content_length_is_read(value, length):
    assert response.parse_length(value) == length


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(email.utils.formatdate(1_000_030, usegmt=True), 30.0, id="date"),
        pytest.param(email.utils.formatdate(999_000, usegmt=True), 0.0, id="past"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param(None, None, id="none"),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert failures.parse_retry_after(value, now=1_000_000) == seconds


def test_a_date_to_retry_after_counts_from_the_servers_own_clock():
    fields = {
        "Date": email.utils.formatdate(5_000, usegmt=True),
        "Retry-After": email.utils.formatdate(5_020, usegmt=True),
    }
    assert failures.retry_after(fields) == 20.0


@pytest.mark.parametrize(
    ("etag", "modified", "strong"),
    [
        pytest.param('"a"', "then", '"a"', id="strong-etag"),
        pytest.param('W/"a"', "then", "then", id="weak-etag"),
        pytest.param("", "then", "then", id="date"),
        pytest.param('W/"a"', "", "", id="weak-etag-only"),
    ],
)
def test_if_range_takes_only_strong_validators(etag, modified, strong):
    assert response.Validators(etag, modified).strong == strong


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        pytest.param(('"a"', ""), ('"b"', ""), True, id="etags"),
        pytest.param(('"a"', "then"), ('"a"', "now"), False, id="etag-beats-date"),
        pytest.param(('W/"a"', ""), ('"a"', ""), False, id="weak-against-strong"),
        pytest.param(("", "then"), ('"a"', "now"), True, id="dates"),
        pytest.param(("", ""), ('"a"', "now"), False, id="nothing-said"),
    ],
)
def test_validators_contradict_only_where_both_speak(one, other, differ):
    assert response.Validators(*one).contradict(response.Validators(*other)) is differ


@pytest.mark.parametrize(
    ("coding", "path", "unwanted"),
    [
        pytest.param("", "/disk", "", id="none"),
        pytest.param("identity", "/disk", "", id="identity"),
        pytest.param("GZIP", "/disk.qcow2", "gzip", id="compressed-on-the-way"),
        pytest.param("x-gzip", "/disk.img.GZ", "", id="a-label-of-the-file"),
        pytest.param("gzip", "/disk.img.xz", "gzip", id="another-compression"),
    ],
)
def test_a_coding_is_unwanted_unless_it_is_the_files_own(coding, path, unwanted):
    assert client.PLAIN.unwanted_coding({"Content-Encoding": coding}, path) == unwanted


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.SourceRefused),
        (401, errors.AccessDenied),
        (403, errors.AccessDenied),
        (404, errors.NotFound),
        (407, errors.AccessDenied),
        (410, errors.NotFound),
        (418, errors.SourceRefused),
        (429, errors.SourceUnavailable),
        (500, errors.SourceUnavailable),
        (501, errors.SourceRefused),
        (503, errors.SourceUnavailable),
        (204, errors.SourceRefused),
    ],
)
def test_each_status_has_its_reason(status, kind):
    assert type(failures.refusal_of("http://a.test/x", status, "Text")) is kind


def test_the_sentence_that_existing_clients_look_for():
    text = str(failures.refusal_of("http://a.test/x", 404, "Not Found"))
    assert text.startswith("http://a.test/x: ")
    assert "expected status code 200, got 404. Status: 404 Not Found" in text
