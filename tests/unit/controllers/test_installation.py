"""StorageProfiles and the CDIConfig: which objects there are, and when they are written."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cdi import pki
from cdi.controllers import cdiconfig, plan, storageprofile
from cdi.kube.objects import Key, Object
from support import world

NOW = "2030-01-01T00:00:00Z"
CLASS = world.storage_class()


def profile(**fields: Any) -> Object:
    return {
        "kind": "StorageProfile",
        "metadata": {"name": "fast", "labels": storageprofile._labels(world.SETTINGS)},
        "spec": {},
        **fields,
    }


def seen(**fields: Any) -> storageprofile.Seen:
    base = {"name": "fast", "settings": world.SETTINGS, "now": NOW, "storage_class": CLASS}
    return storageprofile.Seen(**{**base, **fields})


def test_a_class_gets_its_profile_and_then_its_status() -> None:
    (create,) = storageprofile.decide(seen()).steps
    assert isinstance(create, plan.Create)
    assert create.object["metadata"]["name"] == "fast"
    (status,) = storageprofile.decide(seen(found=profile())).steps
    assert isinstance(status, plan.SetStatus)
    assert status.status["provisioner"] == world.DRIVER
    written = profile(status=status.status)
    assert storageprofile.decide(seen(found=written)) == plan.NOTHING


@pytest.mark.parametrize("gone", [None, {"metadata": {"name": "fast", "deletionTimestamp": "x"}}])
def test_the_profile_goes_with_its_class(gone: Object | None) -> None:
    (remove,) = storageprofile.decide(seen(storage_class=gone, found=profile())).steps
    assert isinstance(remove, plan.Remove)
    assert storageprofile.decide(seen(storage_class=gone)) == plan.NOTHING


def test_a_profile_that_makes_no_sense_stays_as_it_was() -> None:
    spec = {"claimPropertySets": [{"accessModes": [], "volumeMode": "Block"}]}
    found = storageprofile.decide(seen(found=profile(spec=spec)))
    assert found.steps == ()
    assert len(found.events) == 1


def config(**fields: Any) -> Object:
    return {"kind": "CDIConfig", "metadata": {"name": "config"}, "spec": {}, **fields}


def test_the_config_is_created_with_the_gates_of_a_release() -> None:
    (create,) = cdiconfig.decide(cdiconfig.Seen(world.SETTINGS, classes=(CLASS,))).steps
    assert isinstance(create, plan.Create)
    assert create.object["spec"] == {"featureGates": ["HonorWaitForFirstConsumer"]}
    assert create.object["status"]["filesystemOverhead"]["storageClass"] == {"fast": "0.06"}


def test_an_installation_decides_the_config() -> None:
    installation = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDI",
        "metadata": {
            "name": "cdi",
            "uid": "i",
            "annotations": {"cdi.kubevirt.io/configAuthority": ""},
        },
        "spec": {"config": {"preallocation": True}},
    }
    found = cdiconfig.Seen(world.SETTINGS, found=config(), installation=installation)
    (change,) = cdiconfig.decide(found).steps
    assert isinstance(change, plan.Change)
    assert change.wanted["spec"] == {"preallocation": True}
    assert change.wanted["status"]["preallocation"] is True
    again = cdiconfig.Seen(world.SETTINGS, found=change.wanted, installation=installation)
    assert cdiconfig.decide(again) == plan.NOTHING


def test_a_setting_that_makes_no_sense_is_told_and_harms_no_other() -> None:
    spec = {"filesystemOverhead": {"global": "a lot"}, "preallocation": True}
    found = cdiconfig.decide(cdiconfig.Seen(world.SETTINGS, found=config(spec=spec)))
    (change,) = found.steps
    assert isinstance(change, plan.Change)
    assert change.wanted["status"]["filesystemOverhead"]["global"] == "0.06"
    assert change.wanted["status"]["preallocation"] is True
    assert len(found.events) == 1


@pytest.mark.parametrize(("operated", "counts"), [(False, True), (True, False)])
def test_what_a_cdi_says_takes_effect_where_no_operator_runs(operated: bool, counts: bool) -> None:
    installation = {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI",
        "metadata": {"name": "cdi", "uid": "i"}, "spec": {"config": {"preallocation": True}},
    }  # fmt: skip
    settings = replace(world.SETTINGS, operated=operated)
    found = cdiconfig.decide(cdiconfig.Seen(settings, found=config(), installation=installation))
    (change,) = found.steps
    assert isinstance(change, plan.Change)
    assert change.wanted["status"]["preallocation"] is counts


def test_the_upload_address_goes_with_its_override() -> None:
    spec = {"uploadProxyURLOverride": "https://mine"}
    (change,) = cdiconfig.decide(cdiconfig.Seen(world.SETTINGS, found=config(spec=spec))).steps
    assert isinstance(change, plan.Change)
    assert change.wanted["status"]["uploadProxyURL"] == "https://mine"
    bare = {**change.wanted, "spec": {}}
    (change,) = cdiconfig.decide(cdiconfig.Seen(world.SETTINGS, found=bare)).steps
    assert isinstance(change, plan.Change)
    assert "uploadProxyURL" not in change.wanted["status"]


# Where the upload proxy is.

TO_PROXY = {"service": {"name": "cdi-uploadproxy", "port": {"number": 443}}}
HOST = "uploads.example"


def ingress(**spec: Any) -> Object:
    rule = {"host": HOST, "http": {"paths": [{"backend": TO_PROXY}]}}
    return {
        "metadata": {"name": "uploads", "namespace": "cdi"},
        "spec": {"rules": [rule], **spec},
    }


def route() -> Object:
    return {
        "metadata": {"name": "uploads", "namespace": "cdi"},
        "spec": {"to": {"name": "cdi-uploadproxy"}},
        "status": {"ingress": [{"host": HOST}]},
    }


def upload_status(of: world.World) -> tuple[str | None, str | None]:
    of.settle()
    status = (of.get_one("configs", "config") or {})["status"]
    return status.get("uploadProxyURL"), status.get("uploadProxyCA")


def test_the_upload_proxy_is_found_behind_an_ingress_with_its_certificate() -> None:
    found = world.World()
    assert upload_status(found) == (None, None)
    made = pki.make_authority(HOST, world.START, timedelta(days=1)).certificate
    encoded = base64.b64encode(made.encode()).decode()
    found.secrets[Key("cdi", "tls")] = {
        "metadata": {"name": "tls", "namespace": "cdi"}, "data": {"tls.crt": encoded},
    }  # fmt: skip
    found.put("ingresses", ingress(tls=[{"secretName": "tls"}]))
    assert upload_status(found) == (HOST, made.strip())


@pytest.mark.parametrize("data", [
    pytest.param(None, id="no-secret"),
    pytest.param({"tls.crt": "!"}, id="no-base64"),
    pytest.param({"tls.crt": "eA=="}, id="no-certificate"),
])  # fmt: skip
def test_an_address_without_a_certificate_is_still_one(data: Object | None) -> None:
    found = world.World()
    if data is not None:
        found.secrets[Key("cdi", "tls")] = {"metadata": {"name": "tls"}, "data": data}
    found.put("ingresses", ingress(tls=[{"secretName": "tls"}]))
    assert upload_status(found) == (HOST, None)


def test_a_route_is_trusted_by_what_every_namespace_has() -> None:
    found = world.World()
    made = pki.make_authority(HOST, world.START, timedelta(days=1)).certificate
    found.put("config_maps", {
        "metadata": {"name": "kube-root-ca.crt", "namespace": "cdi"}, "data": {"ca.crt": made},
    })  # fmt: skip
    found.put("routes", route())
    assert upload_status(found) == (HOST, made.strip())


def test_an_address_that_goes_is_shown_no_longer() -> None:
    found = world.World()
    made = found.put("ingresses", ingress())
    assert upload_status(found) == (HOST, None)
    found.drop("ingresses", made)
    assert upload_status(found) == (None, None)
