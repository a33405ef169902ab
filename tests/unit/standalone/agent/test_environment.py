"""What a container's `env` comes to."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from cdi.kube.objects import Object
from cdi.standalone.agent import addresses, environment

POD: Object = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a.b/c": "label"}},
    "status": {"podIP": "127.64.0.1"},
}
SECRET = {"metadata": {"namespace": "ns"}, "data": {"key": base64.b64encode(b"hidden").decode()}}
MAP = {"metadata": {"namespace": "ns"}, "data": {"key": "plain"}}


async def lookup(kind: str, name: str) -> Object | None:
    return {("secret", "s"): SECRET, ("configmap", "m"): MAP}.get((kind, name))


def resolved(*entries: Object) -> dict[str, str]:
    container = {"env": list(entries), "resources": {"limits": {"memory": "600M"}}}
    return asyncio.run(environment.environment_for(container, POD, lookup))


def referring(kind: str, **reference: Any) -> Object:
    return {"name": "V", "valueFrom": {kind: reference}}


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        pytest.param({"name": "V", "value": "text"}, "text", id="plain"),
        pytest.param({"name": "V"}, "", id="nothing"),
        pytest.param({"name": "V", "value": "$$(V) $(NONE)"}, "$(V) $(NONE)", id="escaped"),
        pytest.param(referring("secretKeyRef", name="s", key="key"), "hidden", id="secret"),
        pytest.param(referring("configMapKeyRef", name="m", key="key"), "plain", id="config-map"),
        pytest.param(referring("fieldRef", fieldPath="metadata.name"), "p", id="field"),
        pytest.param(referring("fieldRef", fieldPath="status.podIP"), "127.64.0.1", id="address"),
        pytest.param(
            referring("fieldRef", fieldPath="metadata.labels['a.b/c']"), "label", id="label"
        ),
        pytest.param(
            referring("resourceFieldRef", resource="limits.memory"), "600M", id="resource"
        ),
    ],
)
def test_a_variable_is_resolved(entry: Object, value: str) -> None:
    assert resolved(entry) == {"V": value}


def test_a_variable_may_use_those_before_it() -> None:
    entries = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"}]

    assert resolved(*entries, {"name": "C", "value": "2"})["B"] == "1$(C)"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (referring("secretKeyRef", name="x", key="key"), 'secret "x" not found'),
        (referring("configMapKeyRef", name="x", key="key"), 'configmap "x" not found'),
        (referring("secretKeyRef", name="s", key="x"), "couldn't find key x in Secret ns/s"),
    ],
)
def test_what_is_missing_is_named_unless_it_is_optional(entry: Object, words: str) -> None:
    with pytest.raises(environment.Missing, match=words):
        resolved(entry)
    (reference,) = entry["valueFrom"].values()
    optional = {
        "name": "V",
        "valueFrom": {next(iter(entry["valueFrom"])): reference | {"optional": True}},
    }
    assert resolved(optional) == {}


def test_pods_have_loopback_addresses_of_their_own() -> None:
    found = [next(addresses.candidates(f"uid-{number}")) for number in range(1000)]

    assert len(set(found)) > 990
    assert all(address.startswith("127.") for address in found)
    assert addresses.address_for("u", [next(addresses.candidates("u"))]) != found[0]
