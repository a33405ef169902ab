"""What a worker is told survives the way through the environment, both ways."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.api import environment, quantity
from cdi.api.workorder import (
    SOURCES,
    CloneOrder,
    InvalidVariable,
    UploadOrder,
    WorkerSettings,
    WorkOrder,
)

IMPORTER_VARIABLES = [
    "IMPORTER_SOURCE",
    "IMPORTER_ENDPOINT",
    "IMPORTER_CONTENTTYPE",
    "IMPORTER_IMAGE_SIZE",
    "OWNER_UID",
    "FILESYSTEM_OVERHEAD",
    "INSECURE_TLS",
    "IMPORTER_DISK_ID",
    "IMPORTER_UUID",
    "IMPORTER_BACKING_FILE",
    "IMPORTER_THUMBPRINT",
    "IMPORTER_PULL_METHOD",
    "IMPORTER_READY_FILE",
    "IMPORTER_DONE_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "IMPORTER_CURRENT_CHECKPOINT",
    "IMPORTER_PREVIOUS_CHECKPOINT",
    "IMPORTER_FINAL_CHECKPOINT",
    "PREALLOCATION",
    "CACHE_MODE",
    "IMPORTER_REGISTRY_IMAGE_ARCHITECTURE",
    "IMPORTER_CHECKSUM",
]
SOMETIMES = [
    "CLAIM_UID",  # ours: for Block volumes and uploads
    "IMPORTER_SESSION_TOKEN",  # ours: temporary credentials for S3
    "IMPORTER_ACCESS_KEY_ID",
    "IMPORTER_SECRET_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "IMPORTER_CERT_DIR",
    "IMPORTER_PROXY_CERT_DIR",
]
ORDER = WorkOrder(source="http", endpoint="https://host/disk.qcow2")


def test_the_importer_has_the_variables_of_the_reference():
    assert set(environment.names_of(WorkOrder)) == {*IMPORTER_VARIABLES, *SOMETIMES}


def test_an_importer_always_gets_every_ordinary_variable():
    assert set(ORDER.to_env()) == set(IMPORTER_VARIABLES)


def test_the_upload_server_has_the_variables_of_the_reference():
    wanted = """
        TLS_KEY_FILE TLS_CERT_FILE CLIENT_CERT_FILE FILESYSTEM_OVERHEAD UPLOAD_IMAGE_SIZE
        CLIENT_NAME PREALLOCATION TLS_CIPHERS TLS_MIN_VERSION DEADLINE DESTINATION LISTEN_ADDRESS
        LISTEN_PORT
    """
    ours = {"CLAIM_UID"}  # for Block volumes
    assert set(environment.names_of(UploadOrder)) == {*wanted.split(), *ours}


def test_the_clone_source_has_the_variables_of_the_reference():
    wanted = """
        CLIENT_KEY CLIENT_CERT SERVER_CA_CERT UPLOAD_URL OWNER_UID PREALLOCATION VOLUME_MODE
        MOUNT_POINT
    """
    assert set(environment.names_of(CloneOrder)) == set(wanted.split())


def test_a_full_order_is_written_as_the_reference_says():
    order = WorkOrder(
        source="imageio",
        endpoint="https://engine",
        content_type="archive",
        image_size=quantity.parse("10Gi"),
        owner_uid="uid-1",
        filesystem_overhead=Decimal("0.06"),
        insecure_tls=True,
        disk_id="disk-1",
        current_checkpoint="b",
        previous_checkpoint="a",
        final_checkpoint=True,
        preallocation=True,
        direct_io=True,
        cert_dir="/certs",
        extra_headers=("A: 1", "B: 2"),
    )
    env = order.to_env()
    assert env["IMPORTER_SOURCE"] == "imageio"
    assert env["IMPORTER_CONTENTTYPE"] == "archive"
    assert env["IMPORTER_IMAGE_SIZE"] == "10Gi"
    assert env["FILESYSTEM_OVERHEAD"] == "0.06"
    assert env["INSECURE_TLS"] == env["PREALLOCATION"] == env["IMPORTER_FINAL_CHECKPOINT"] == "true"
    assert env["CACHE_MODE"] == "TRYNONE"
    assert env["IMPORTER_CERT_DIR"] == "/certs"
    assert (env["IMPORTER_EXTRA_HEADER_0"], env["IMPORTER_EXTRA_HEADER_1"]) == ("A: 1", "B: 2")


def test_headers_are_read_in_order_of_their_numbers():
    env = ORDER.to_env() | {
        "IMPORTER_EXTRA_HEADER_10": "c: 3",
        "IMPORTER_EXTRA_HEADER_2": "b: 2",
        "IMPORTER_EXTRA_HEADER_0": "a: 1",
        "IMPORTER_EXTRA_HEADER_X": "no: number",
    }
    assert WorkOrder.from_env(env).extra_headers == ("a: 1", "b: 2", "c: 3")


def test_a_blank_disk_needs_no_url():
    assert WorkOrder.from_env({"IMPORTER_SOURCE": "none"}).endpoint == ""


@pytest.mark.parametrize("text", ["", "kubevirt", "Archive", "tar"])
def test_any_content_but_an_archive_is_a_disk(text):
    env = ORDER.to_env() | {"IMPORTER_CONTENTTYPE": text}
    assert WorkOrder.from_env(env).content_type == "kubevirt"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("IMPORTER_SOURCE", "ftp", "http, s3, gcs"),
        ("IMPORTER_SOURCE", "", "want one of"),
        ("IMPORTER_ENDPOINT", "", "needs a URL"),
        ("IMPORTER_IMAGE_SIZE", "10 GB", "not a quantity"),
        ("FILESYSTEM_OVERHEAD", "1.5", "from 0 to 1"),
        ("FILESYSTEM_OVERHEAD", "nan", "from 0 to 1"),
        ("FILESYSTEM_OVERHEAD", "much", "from 0 to 1"),
        ("PREALLOCATION", "yes", "true or false"),
        ("INSECURE_TLS", "on", "true or false"),
        ("CACHE_MODE", "none", "TRYNONE"),
        ("IMPORTER_PULL_METHOD", "pod", "node"),
    ],
)
def test_a_bad_value_is_refused_with_its_variable(name, value, why):
    with pytest.raises(InvalidVariable, match=why) as refused:
        WorkOrder.from_env(ORDER.to_env() | {name: value})
    assert (refused.value.name, refused.value.value) == (name, value)
    assert name in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "True", "true"])
def test_truth_values_are_read_as_go_does(text):
    assert WorkOrder.from_env(ORDER.to_env() | {"PREALLOCATION": text}).preallocation


def test_a_pod_gets_credentials_from_its_secret_and_never_in_clear():
    order = WorkOrder(source="s3", endpoint="https://s3/b/k", secret_key="hunter2")
    entries = {entry["name"]: entry for entry in order.to_pod_env(secret="creds")}
    assert "hunter2" not in str(entries)
    assert entries["IMPORTER_ACCESS_KEY_ID"]["valueFrom"] == {
        "secretKeyRef": {"name": "creds", "key": "accessKeyId"}
    }
    assert entries["IMPORTER_SECRET_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "creds", "key": "secretKey"}
    }
    assert entries["IMPORTER_SOURCE"] == {"name": "IMPORTER_SOURCE", "value": "s3"}


def test_only_s3_asks_its_secret_for_a_session_token_and_does_without():
    written = {
        source: {
            entry["name"]: entry
            for entry in WorkOrder(source=source, endpoint="x").to_pod_env("creds")
        }
        for source in ("s3", "http", "imageio")
    }
    assert written["s3"]["IMPORTER_SESSION_TOKEN"]["valueFrom"] == {
        "secretKeyRef": {"name": "creds", "key": "sessionToken", "optional": True}
    }
    assert not [each for each in ("http", "imageio") if "IMPORTER_SESSION_TOKEN" in written[each]]


def test_without_a_secret_a_pod_gets_no_credentials_at_all():
    order = WorkOrder(source="s3", endpoint="https://s3/b/k", secret_key="hunter2")
    assert not {"IMPORTER_SECRET_KEY", "IMPORTER_ACCESS_KEY_ID"} & {
        entry["name"] for entry in order.to_pod_env()
    }


def test_a_clone_source_gets_its_certificate_from_its_secret():
    entries = {entry["name"]: entry for entry in CloneOrder().to_pod_env("pod")}
    assert entries["CLIENT_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "pod", "key": "tls.key"}
    assert entries["CLIENT_CERT"]["valueFrom"]["secretKeyRef"] == {"name": "pod", "key": "tls.crt"}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://host/$(HOME)", "https://host/$$(HOME)"),
        ("a$$b", "a$$$$b"),
        ("costs 5$", "costs 5$"),
        ("$x", "$x"),
    ],
)
def test_the_kubelet_cannot_replace_parts_of_a_value(text, written):
    entries = WorkOrder(source="http", endpoint=text).to_pod_env()
    assert {"name": "IMPORTER_ENDPOINT", "value": written} in entries


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
sizes = st.none() | st.integers(0, 2**62).map(quantity.of_bytes)
shares = st.decimals(0, 1, places=3)
moments = st.none() | st.datetimes(timezones=st.just(UTC))


@given(
    st.builds(
        WorkOrder,
        source=st.sampled_from(SOURCES),
        endpoint=text.filter(bool),
        content_type=st.sampled_from(["kubevirt", "archive"]),
        checksum=text,
        architecture=text,
        disk_id=text,
        current_checkpoint=text,
        final_checkpoint=st.booleans(),
        insecure_tls=st.booleans(),
        http_proxy=text,
        pull_method=st.sampled_from(["", "node"]),
        access_key_id=text,
        secret_key=text,
        cert_dir=text,
        extra_headers=st.lists(text.filter(bool), max_size=12).map(tuple),
        image_size=sizes,
        filesystem_overhead=shares,
        preallocation=st.booleans(),
        direct_io=st.booleans(),
        owner_uid=text,
    )
)
def test_a_work_order_survives_the_environment(order):
    assert WorkOrder.from_env(order.to_env()) == order


@given(
    st.builds(
        UploadOrder,
        client_name=text,
        deadline=moments,
        listen_port=st.integers(0, 65535),
        tls_ciphers=st.lists(st.text("ABC_-019", min_size=1), max_size=4).map(tuple),
        destination=text.filter(bool),
        image_size=sizes,
        filesystem_overhead=shares,
        preallocation=st.booleans(),
    )
)
def test_an_upload_order_survives_the_environment(order):
    assert UploadOrder.from_env(order.to_env()) == order


@given(
    st.builds(
        CloneOrder,
        upload_url=text,
        client_key=text,
        client_cert=text,
        server_ca=text,
        owner_uid=text,
        preallocation=st.booleans(),
        volume_mode=st.sampled_from(["block", "filesystem"]),
        mount_point=text,
    )
)
def test_a_clone_order_survives_the_environment(order):
    assert CloneOrder.from_env(order.to_env()) == order


def test_a_deadline_is_written_in_rfc_3339():
    order = UploadOrder(deadline=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert order.to_env()["DEADLINE"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            "2026-01-02T03:04:05+01:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))),
        ),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
    ],
)
def test_a_deadline_of_go_is_read(text, moment):
    assert UploadOrder.from_env({"DEADLINE": text}).deadline == moment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEADLINE", "tomorrow"),
        ("DEADLINE", "2026-01-02T03:04:05"),
        ("LISTEN_PORT", "http"),
        ("LISTEN_PORT", "70000"),
        ("LISTEN_PORT", "²"),
        ("UPLOAD_IMAGE_SIZE", "big"),
    ],
)
def test_a_bad_value_for_an_upload_server_is_refused_with_its_variable(name, value):
    with pytest.raises(InvalidVariable, match=name):
        UploadOrder.from_env({name: value})


def test_an_upload_server_listens_everywhere_unless_told_otherwise():
    order = UploadOrder.from_env({})
    assert (order.listen_address, order.listen_port) == ("0.0.0.0", 8443)
    assert order.destination == "/data/disk.img"


def test_everything_is_mounted_where_the_reference_says():
    settings = WorkerSettings.from_env({})
    assert str(settings.data_dir) == "/data"
    assert str(settings.scratch_dir) == "/scratch"
    assert str(settings.block_device) == "/dev/cdi-block-volume"
    assert str(settings.cert_dir) == "/certs"
    assert str(settings.proxy_cert_dir) == "/proxycerts"
    assert str(settings.extra_headers_dir) == "/extraheaders"
    assert str(settings.google_dir) == "/google"
    assert str(settings.tls_dir) == "/etc/tls"
    assert str(settings.shared_dir) == "/shared"
    assert str(settings.vddk_dir) == "/opt"
    assert str(settings.vddk_args_dir) == "/vddk-args"
    assert str(settings.clone_source_dir) == "/var/run/cdi/clone/source"
    assert str(settings.termination_log) == "/dev/termination-log"
    assert settings.metrics_port == 8443
    assert str(settings.state_dir) == "/var/lib/cdi"
    assert settings.stall_timeout == 60.0


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan"])
def test_a_wait_that_is_none_is_refused(text):
    with pytest.raises(environment.InvalidVariable, match="CDI_STALL_TIMEOUT"):
        WorkerSettings.from_env({"CDI_STALL_TIMEOUT": text})


NUMBERS = {
    "CDI_REQUIRE_WALLS": "true",
    "CDI_METRICS_PORT": "9000",
    "CDI_STALL_TIMEOUT": "2.5",
    "CDI_IDLE_TIMEOUT": "90",
}


@pytest.mark.parametrize("name", environment.names_of(WorkerSettings))
def test_every_mount_can_be_moved(name):
    value = NUMBERS.get(name, "/somewhere/else")
    assert WorkerSettings.from_env({name: value}).to_env()[name] == value


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/data/disk.img", "/v/pvc-1/disk.img"),
        ("/data", "/v/pvc-1"),
        ("/database", "/database"),
        ("/dev/cdi-block-volume", "/dev/loop7"),
        ("/certs/ca.pem", "/run/w/certs/ca.pem"),
        ("/elsewhere/x", "/elsewhere/x"),
        ("relative", "relative"),
    ],
)
def test_a_path_of_the_pod_is_found_on_the_machine(path, local):
    settings = WorkerSettings.from_env(
        {
            "CDI_DATA_DIR": "/v/pvc-1",
            "CDI_BLOCK_DEVICE": "/dev/loop7",
            "CDI_CERT_DIR": "/run/w/certs",
        }
    )
    assert settings.local(path) == Path(local)


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/data/disk.img", "/v/pvc-1/disk.img"),
        ("/elsewhere/x", "/pods/root/elsewhere/x"),
        ("/data/../etc/shadow", "/pods/root/etc/shadow"),
        ("/../../etc/shadow", "/pods/root/etc/shadow"),
        ("../../etc/shadow", "/pods/root/etc/shadow"),
        ("//etc/shadow", "/pods/root/etc/shadow"),
    ],
)
def test_no_path_of_the_pod_leads_out_of_it(path, local):
    settings = WorkerSettings.from_env({"CDI_DATA_DIR": "/v/pvc-1", "CDI_ROOT_DIR": "/pods/root"})
    assert settings.local(path) == Path(local)


@dataclass(frozen=True, kw_only=True)
class Vault(environment.Environment):
    pin: Annotated[int, environment.Variable("PIN", environment.PORT, key="pin")] = 0


def test_a_secret_is_not_shown_when_its_variable_is_bad():
    with pytest.raises(InvalidVariable) as refused:
        Vault.from_env({"PIN": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_gcs_credentials_are_a_file_and_no_variables():
    order = WorkOrder(
        source="gcs", endpoint="gs://b/o", google_credentials="/google/credentials.json"
    )
    entries = order.to_pod_env(secret="creds")
    assert "creds" not in str(entries)
    assert {
        "name": "GOOGLE_APPLICATION_CREDENTIALS",
        "value": "/google/credentials.json",
    } in entries
