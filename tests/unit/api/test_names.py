"""Names of objects made for other objects: fixed, and short enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.api import names

UID = "0b9c1a52-7f0e-4f0c-9b1e-2f8a9a1e7c11"


@pytest.mark.parametrize(
    ("text", "digest"),
    [("", "811c9dc5"), ("a", "e40c292c"), ("foobar", "bf9cf968"), ("b", "e70c2de5")],
)
def test_the_hash_is_fnv_1a_of_32_bits(text, digest):
    assert names.fnv1a_32(text) == digest


@pytest.mark.parametrize(
    ("base", "suffix", "longest", "name"),
    [
        pytest.param("importer", "disk", 253, "importer-disk", id="short"),
        pytest.param("b" * 10, "s" * 2, 13, "b" * 10 + "-ss", id="just-fits"),
        pytest.param(
            "b" * 20, "ss", 22, "b" * 10 + f"-{names.fnv1a_32('b' * 20)}-ss", id="base-is-cut"
        ),
        pytest.param(
            "base", "s" * 20, 22, f"base-{names.fnv1a_32('base-' + 's' * 20)}", id="suffix-too-long"
        ),
        pytest.param(
            "b" * 30,
            "s" * 20,
            22,
            "b" * 13 + f"-{names.fnv1a_32('b' * 30 + '-' + 's' * 20)}",
            id="both-too-long",
        ),
        pytest.param(
            "b" * 20, "s" * 11, 22, f"b-{names.fnv1a_32('b' * 20)}-" + "s" * 11, id="room-for-one"
        ),
        pytest.param(
            "b" * 20,
            "s" * 12,
            22,
            "b" * 13 + f"-{names.fnv1a_32('b' * 20 + '-' + 's' * 12)}",
            id="no-room",
        ),
    ],
)
def test_a_long_name_is_cut_and_hashed(base, suffix, longest, name):
    assert names.join(base, suffix, longest) == name


label = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=300)


@given(label, label, st.sampled_from([63, 253]))
def test_a_joined_name_is_never_too_long_and_always_the_same(base, suffix, longest):
    joined = names.join(base, suffix, longest)
    assert len(joined) <= longest
    assert joined == names.join(base, suffix, longest)


@given(label)
def test_different_long_bases_give_different_names(base):
    assert names.join("a" * 253 + base, "scratch") != names.join("b" + "a" * 252 + base, "scratch")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (names.prime_for(UID), f"prime-{UID}"),
        (names.importer_for("disk"), "importer-disk"),
        (names.importer_for("disk", "snap-2"), "importer-disk-checkpoint-snap-2"),
        (
            names.importer_for("disk", "Before (2)"),
            f"importer-disk-checkpoint-{names.fnv1a_32('Before (2)')}",
        ),
        (names.upload_pod_for("disk"), "cdi-upload-disk"),
        (names.upload_service_for("my.disk"), "cdi-upload-my-disk"),
        (
            names.upload_url_for("my.disk", "vms"),
            "https://cdi-upload-my-disk.vms.svc:8443/v1beta1/upload",
        ),
        (names.upload_client_for("a", "b", "c", "d"), "a/b-c/d"),
        (names.scratch_for("disk"), "disk-scratch"),
        (names.proxy_certificates_for("disk"), "import-proxy-cm-disk"),
        (names.clone_source_pod_for(UID), f"{UID}-source-pod"),
        (names.copy_pod_for(UID), f"{UID}-copy-source-pod"),
        (names.size_detection_pod_for(UID), f"size-detection-{UID}"),
        (names.prep_pod_for(UID), f"prep-{UID}"),
        (names.populate_pod_for(UID), f"populate-{UID}"),
        (names.temporary_claim_for(UID), f"tmp-pvc-{UID}"),
        (names.temporary_source_claim_for(UID), f"tmp-source-pvc-{UID}"),
        (names.temporary_snapshot_for(UID), f"tmp-snapshot-{UID}"),
        (names.legacy_source_claim_for(UID), f"{UID}-host-assisted-source-pvc"),
        (names.claim_transfer_for(UID), f"pvc-transfer-{UID}"),
        (names.import_source_for(UID), f"volume-import-source-{UID}"),
        (names.upload_source_for(UID), f"volume-upload-source-{UID}"),
        (names.clone_source_for(UID), f"volume-clone-source-{UID}"),
        (names.cron_job_for("fedora", UID), "fedora-0b9c1a52"),
        (names.initial_job_for("fedora-0b9c1a52"), "initial-job-fedora-0b9c1a52"),
        (names.poller_for("fedora", UID), "poller-fedora-0b9c1a52"),
        (names.boot_image_for("fedora", "sha256:0123456789abcdef"), "fedora-0123456789ab"),
        (names.boot_image_for("fedora", f"uid:{UID}"), "fedora-0b9c1a52-7f0"),
    ],
)
def test_an_object_has_its_fixed_name(made, name):
    assert made == name


@pytest.mark.parametrize("digest", ["", "0123456789abcdef", "sha512:0123456789ab", "sha256:0123"])
def test_a_digest_of_another_kind_names_nothing(digest):
    with pytest.raises(ValueError, match="is not a digest"):
        names.boot_image_for("fedora", digest)


def test_a_long_claim_has_a_service_of_63_characters():
    service = names.upload_service_for("x" * 200)
    assert len(service) == 63
    assert service.endswith("-cdi")
    assert service == names.join(f"cdi-upload-{'x' * 200}", "cdi", 63)
