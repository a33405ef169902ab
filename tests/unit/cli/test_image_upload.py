"""What the command line of `cdi image-upload` asks for, and what becomes of it: no cluster."""

import io

import pytest

from cdi.cli.uploads import arguments, documents, existing, proxy
from cdi.cli.uploads.arguments import Flags, Kind
from cdi.cli.uploads.chunks import FIRST, LARGEST, SMALLEST, ChunkSize
from cdi.cli.uploads.failure import Failed
from cdi.cli.uploads.progress import Bar

MIB = 1 << 20
A = "cdi.kubevirt.io/"


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(b"disk")
    return str(path)


def test_older_options_are_deprecated_in_the_words_of_virtctl():
    old = Flags(pvc_name="x", pvc_size="1Gi", block_volume=True)
    assert arguments.deprecated(old) == [
        "Flag --pvc-name has been deprecated, specify the name as the second argument instead.",
        "Flag --pvc-size has been deprecated, use --size instead.",
        (
            "Flag --block-volume has been deprecated, specify volume mode (filesystem/block) "
            "with --volume-mode instead."
        ),
    ]
    assert arguments.deprecated(Flags(("dv", "x"), size="1Gi", volume_mode="block")) == []


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        pytest.param(
            {"size": "1Gi", "pvc_size": "2Gi"},
            "--pvc-size and --size can not be specified at the same time",
            id="two-sizes",
        ),
        pytest.param({"pvc_name": "x"}, "cannot use --pvc-name and args", id="pvc-and-words"),
        pytest.param({"dv_name": "x"}, "cannot use --dv-name and args", id="dv-and-words"),
        pytest.param(
            {"block_volume": True, "volume_mode": "filesystem"},
            "incompatible --volume-mode 'filesystem' and --block-volume",
            id="two-modes",
        ),
        pytest.param(
            {"volume_mode": "disk"},
            "Invalid volume mode 'disk'. Valid values are 'block' and 'filesystem'.",
            id="no-mode",
        ),
        pytest.param(
            {"image_path": ""}, "either image-path or archive-path must be provided", id="no-path"
        ),
        pytest.param(
            {"archive_path": "x"},
            "cannot handle both image-path and archive-path, provide only one",
            id="two-paths",
        ),
        pytest.param(
            {"image_path": "", "archive_path": "x", "volume_mode": "block"},
            "In archive upload the volume mode should always be filesystem",
            id="archive-in-block",
        ),
        pytest.param(
            {"words": (), "pvc_name": "x", "image_path": "", "archive_path": "x"}
            | {"block_volume": True},
            "In archive upload the volume mode should always be filesystem",
            id="archive-in-block-the-old-way",
        ),
        pytest.param({"words": ("dv",)}, "expecting two args", id="one-word"),
        pytest.param({"words": ("vm", "x")}, "invalid resource type vm", id="no-kind"),
        pytest.param(
            {"instancetype_kind": "x"},
            "--default-instancetype must be provided with --default-instancetype-kind",
            id="kind-without-instancetype",
        ),
        pytest.param(
            {"preference_kind": "x"},
            "--default-preference must be provided with --default-preference-kind",
            id="kind-without-preference",
        ),
        pytest.param(
            {"preference": "x", "no_create": True},
            "--default-instancetype and --default-preference cannot be used with --no-create",
            id="defaults-without-creating",
        ),
        pytest.param({"image_path": "/nowhere"}, "open /nowhere: no such file", id="no-file"),
    ],
)
def test_what_cannot_be_is_refused_in_known_words(image, flags, text):
    with pytest.raises(Failed, match=text.replace("(", r"\(")):
        arguments.parse(Flags(**{"words": ("dv", "disk"), "image_path": image, **flags}))


@pytest.mark.parametrize(
    ("flags", "kind", "size", "block"),
    [
        pytest.param({"words": ("dv", "disk"), "size": "1Gi"}, Kind.DATA_VOLUME, "1Gi", None),
        pytest.param({"words": ("PVC", "disk"), "size": "1Gi"}, Kind.CLAIM, "1Gi", None),
        pytest.param({"pvc_name": "disk", "pvc_size": "2Gi"}, Kind.CLAIM, "2Gi", None),
        pytest.param({"dv_name": "disk"}, Kind.DATA_VOLUME, "", None),
        pytest.param({"pvc_name": "disk", "block_volume": True}, Kind.CLAIM, "", True),
        pytest.param(
            {"words": ("dv", "disk"), "volume_mode": "filesystem"}, Kind.DATA_VOLUME, "", False
        ),
    ],
)
def test_all_forms_say_the_same(image, flags, kind, size, block):
    wanted = arguments.parse(Flags(image_path=image, **flags))
    assert (wanted.kind, wanted.name, wanted.size, wanted.block) == (kind, "disk", size, block)


def wanted_for(image, *words, **flags):
    return arguments.parse(Flags(words=words or ("dv", "disk"), image_path=image, **flags))


def test_a_data_volume_says_only_what_was_asked(image):
    made = documents.volume_for(wanted_for(image, size="1Gi"), "vms")
    assert made == {
        "metadata": {"name": "disk", "namespace": "vms", "annotations": {}, "labels": {}},
        "spec": {
            "source": {"upload": {}},
            "contentType": "kubevirt",
            "storage": {"resources": {"requests": {"storage": "1Gi"}}},
        },
    }


def test_a_claim_has_what_its_controllers_look_for(image):
    wanted = wanted_for(
        image,
        "pvc",
        "disk",
        size="1Gi",
        storage_class="fast",
        volume_mode="block",
        force_bind=True,
        instancetype="small",
    )
    made = documents.volume_for(wanted, "vms")
    assert made["metadata"]["annotations"] == {
        A + "storage.upload.target": "",
        A + "storage.contentType": "kubevirt",
        A + "storage.bind.immediate.requested": "",
    }
    assert made["metadata"]["labels"] == {
        A + "applyStorageProfile": "true",
        "instancetype.kubevirt.io/default-instancetype": "small",
    }
    assert made["spec"] == {
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "fast",
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Block",
    }


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        pytest.param({}, "when creating a resource, the size must be specified", id="no-size"),
        pytest.param({"size": "much"}, "validation failed for size=much: ", id="no-quantity"),
        pytest.param(
            {"size": "1Gi", "access_mode": "ReadOnlyMany"},
            "cannot upload to a readonly volume",
            id="read-only",
        ),
    ],
)
def test_a_new_volume_needs_a_size_and_has_to_be_writable(image, flags, text):
    with pytest.raises(Failed, match=text):
        documents.check(wanted_for(image, **flags))


def claim(**annotations):
    found = {A + key.replace("_", "."): value for key, value in annotations.items()}
    return {"metadata": {"name": "disk", "namespace": "vms", "annotations": found}}


@pytest.mark.parametrize(
    ("found", "flags", "text"),
    [
        pytest.param(claim(storage_upload_target=""), {}, None, id="good"),
        pytest.param(
            claim(storage_upload_target="", storage_pod_phase="Succeeded"),
            {},
            "PVC disk already successfully imported/cloned/updated",
            id="done",
        ),
        pytest.param(claim(), {}, "PVC disk not available for upload", id="something-else"),
        pytest.param(claim(), {"no_create": True}, None, id="to-be-annotated"),
    ],
)
def test_a_claim_that_is_there_may_be_used_or_not(image, found, flags, text):
    wanted = wanted_for(image, "pvc", "disk", **flags)
    if text is None:
        existing.check_claim(wanted, found)
        return
    with pytest.raises(Failed, match=text):
        existing.check_claim(wanted, found)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("proxy.example", "https://proxy.example"),
        ("proxy.example:8443", "https://proxy.example:8443"),
        ("127.0.0.1:31001", "https://127.0.0.1:31001"),
        ("https://h/", "https://h/"),
        ("https://h/v1beta1/upload", "https://h/"),
        ("https://h/cdi/v1beta1/upload-async/", "https://h/cdi"),
        ("http://h:81", "http://h:81"),
    ],
)
def test_the_proxys_address_is_understood_in_all_its_forms(url, base):
    assert str(proxy.base_of(url)).rstrip("/") == base.rstrip("/")


@pytest.mark.parametrize("url", ["ftp://h", "https://", "https://[::1", "//"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Failed, match="upload proxy"):
        proxy.base_of(url)


def test_chunks_grow_with_the_connection_and_shrink_when_it_breaks():
    chunk = ChunkSize()
    assert chunk.bytes == FIRST
    for _ in range(5):
        chunk.went_through(chunk.bytes, 0.1)
    assert chunk.bytes == LARGEST
    chunk.was_cut()
    assert chunk.bytes == LARGEST // 2
    for _ in range(20):
        chunk.was_cut()
    assert chunk.bytes == SMALLEST


def test_a_chunk_that_is_too_large_for_what_is_on_the_way_stays_smaller():
    chunk = ChunkSize()
    assert chunk.was_too_large(chunk.bytes)
    assert chunk.bytes == MIB
    chunk.went_through(MIB, 0.001)
    assert chunk.bytes == MIB
    assert chunk.was_too_large(MIB)
    assert chunk.bytes == MIB // 2
    while chunk.was_too_large(chunk.bytes):
        pass
    assert chunk.bytes == SMALLEST


def test_progress_is_lines_where_nobody_looks_at_a_terminal():
    now = [0.0]
    out = io.StringIO()
    bar = Bar(100 * MIB, out, lambda: now[0])
    bar.at(0)
    for step in range(1, 12):
        now[0] = float(step)
        bar.at(step * 5 * MIB)
    bar.done()
    lines = out.getvalue().splitlines()
    assert lines[0] == "0 B / 100.0 MiB 0.00%"
    assert lines[1] == "25.0 MiB / 100.0 MiB 25.00% 5.0 MiB/s, 0:15 left"
    assert lines[-1].startswith("100.0 MiB / 100.0 MiB 100.00%")
    assert len(lines) == 4
