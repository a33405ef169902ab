"""Names of images, credentials, challenges and labels: values in, values out."""

import json
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.sources.registry import auth, credentials, labels, platforms, reference
from cdi.images.sources.registry.manifest import Platform

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("url", "shown", "server", "version"),
    [
        ("docker://fedora", "docker.io/library/fedora:latest", "registry-1.docker.io", "latest"),
        ("docker://fedora:41", "docker.io/library/fedora:41", "registry-1.docker.io", "41"),
        ("docker://a/b", "docker.io/a/b:latest", "registry-1.docker.io", "latest"),
        ("docker://docker.io/x", "docker.io/library/x:latest", "registry-1.docker.io", "latest"),
        ("docker://index.docker.io/a/b", "docker.io/a/b:latest", "registry-1.docker.io", "latest"),
        ("docker://quay.io/a/b/c:v1.2_3", "quay.io/a/b/c:v1.2_3", "quay.io", "v1.2_3"),
        ("docker://localhost/a", "localhost/a:latest", "localhost", "latest"),
        ("docker://R.example:5000/a", "r.example:5000/a:latest", "r.example:5000", "latest"),
        ("docker://[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000", "latest"),
        (f"docker://q.io/a@{DIGEST}", f"q.io/a@{DIGEST}", "q.io", DIGEST),
        (f"docker://q.io/a:x@{DIGEST}", f"q.io/a@{DIGEST}", "q.io", DIGEST),
    ],
)
def test_names_are_read_as_container_tools_do(url, shown, server, version):
    image = reference.parse(url)
    assert (str(image), image.server, image.version) == (shown, server, version)


@pytest.mark.parametrize(
    "url",
    [
        "docker:/a/b",
        "docker://",
        "docker://q.io/",
        "docker://q.io/A",
        "docker://q.io/a:",
        "docker://q.io/a:-x",
        "docker://q.io/a@sha256:12",
        "docker://q.io/a@md5:12",
        "docker://user:secret@q.io/a",
        "docker://q.io/a/../b",
        "docker://q.io/a?x=y",
        "docker://q_o.io/a",
        "oci-archive:relative",
        "http://q.io/a",
    ],
)
def test_what_cannot_be_a_name_is_refused(url):
    with pytest.raises(errors.InvalidRequest) as refusal:
        reference.parse(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "path", "tag"),
    [
        ("oci-archive:/a/b.tar", "/a/b.tar", ""),
        ("oci-archive:/a/b.tar:x", "/a/b.tar", "x"),
        ("oci-archive:/a:b/c.tar", "/a:b/c.tar", ""),
    ],
)
def test_names_of_archives_are_paths(url, path, tag):
    assert reference.parse(url) == reference.ArchiveReference(Path(path), tag)


AUTH = "c29tZWJvZHk6c2VzYW1lOngK"  # somebody:sesame:x and a newline


@pytest.mark.parametrize(
    ("url", "key", "fits"),
    [
        ("docker://q.io/a/b", "q.io", True),
        ("docker://q.io/a/b", "https://q.io/v2/", True),
        ("docker://q.io/a/b", "q.io/a", True),
        ("docker://q.io/a/b", "q.io/a/b", True),
        ("docker://q.io/a/b", "q.io/b", False),
        ("docker://q.io:1/a", "q.io", False),
        ("docker://fedora", "https://index.docker.io/v1/", True),
        ("docker://fedora", "docker.io", True),
        ("docker://fedora", "docker.io/library", True),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_credentials_are_found_for_what_they_are_for(tmp_path, url, key, fits, wrapped):
    entries = {key: {"auth": AUTH}, "other.io": {"auth": "eDp5"}}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": entries} if wrapped else entries))
    found = credentials.read_file(file, reference.parse(url))
    assert (found.user, found.password) == (("somebody", "sesame:x") if fits else ("", ""))
    assert "sesame" not in repr(found)


@pytest.mark.parametrize("text", ["", "[]", '{"auths": 1}', '{"auths": {"q.io": {"auth": "?"}}}'])
def test_what_holds_no_credentials_is_refused_without_repeating_it(tmp_path, text):
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(errors.InvalidRequest, match="holds no registry credentials"):
        credentials.read_file(file, reference.parse("docker://q.io/a"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('Bearer realm="https://a/t",service="s,x"',
         [("bearer", {"realm": "https://a/t", "service": "s,x"})]),
        ('Basic realm="a", Bearer Realm="b"',
         [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        (r'Bearer realm="a\"b", error=invalid', [("bearer", {"realm": 'a"b', "error": "invalid"})]),
        ("Negotiate", [("negotiate", {})]),
        ("", []),
        ('="x"', []),
    ],
)  # fmt: skip
def test_challenges_are_taken_apart(text, wanted):
    found = [(each.scheme, dict(each.parameters)) for each in auth.parse_challenges(text)]
    assert [each for each in found if each != ("x", {})] == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("INSTANCETYPE_KUBEVIRT_IO_DEFAULT_PREFERENCE=fedora",
         {"instancetype.kubevirt.io/default-preference": "fedora"}),
        ("KUBEVIRT_IO_TEST=a=b", {}),
        ("KUBEVIRT_IO_TEST=a.b_C-1", {"kubevirt.io/test": "a.b_C-1"}),
        ("A_B_KUBEVIRT_IO_C_D=", {"a.b.kubevirt.io/c-d": ""}),
        ("KUBEVIRT_IO_=x", {}),
        ("PATH=/KUBEVIRT_IO_X", {}),
        ("KUBEVIRT_IO_X=two words", {}),
        ("KUBEVIRT_IO_X=" + "x" * 64, {}),
        ("KUBEVIRT_IO_" + "X" * 64 + "=y", {}),
        ("__KUBEVIRT_IO_X=y", {"kubevirt.io/x": "y"}),
        ("_A_KUBEVIRT_IO_X=y", {}),
    ],
)  # fmt: skip
def test_variables_become_labels(line, wanted):
    assert labels.labels_of(["HOME=/", line]) == wanted


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("arm64", Platform("linux", "arm64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("Linux/AMD64", Platform("linux", "amd64")),
    ],
)
def test_platforms_are_read(text, platform):
    assert platforms.parse_platform(text) == platform


@pytest.mark.parametrize("text", ["", "/", "a/b/c/d", "linux//v7"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(errors.InvalidRequest, match="no platform"):
        platforms.parse_platform(text)
