"""Server-side apply and managedFields, as Kubernetes keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.standalone.schema import fields, fieldset, registry

KINDS = {(kind.group, kind.kind): kind for kind in registry.builtin_kinds()}
CONFIG_MAP = KINDS["", "ConfigMap"]
DEPLOYMENT = KINDS["apps", "Deployment"]
CLAIM = KINDS["", "PersistentVolumeClaim"]

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-02T00:00:00Z"

(WIDGET,) = registry.kinds_of_crd(
    {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "size": {"type": "integer"},
                                        "tags": {
                                            "type": "array",
                                            "items": {"type": "string"},
                                            "x-kubernetes-list-type": "set",
                                        },
                                        "parts": {
                                            "type": "array",
                                            "x-kubernetes-list-type": "map",
                                            "x-kubernetes-list-map-keys": ["name"],
                                            "items": {
                                                "type": "object",
                                                "required": ["name"],
                                                "properties": {
                                                    "name": {"type": "string"},
                                                    "weight": {"type": "integer"},
                                                },
                                            },
                                        },
                                    },
                                },
                                "status": {
                                    "type": "object",
                                    "x-kubernetes-preserve-unknown-fields": True,
                                },
                            },
                        }
                    },
                }
            ],
        },
    }
)


def config_map(data, **meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default", **meta},
        "data": data,
    }


def widget(spec):
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "default"},
        "spec": spec,
    }


def entries(obj):
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


def test_a_create_owns_what_it_states_and_marks_new_maps():
    made = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "kubectl-create", NOW)
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:a": {}}},
        }
    ]


def test_a_deployment_is_owned_field_by_field_as_kubectl_shows_it():
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%"}, "type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "nginx",
                            "resources": {},
                            "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        }
                    ],
                    "securityContext": {},
                },
            },
        },
    }
    made = fields.track_update(DEPLOYMENT, None, deployment, "kubectl-create", NOW)
    assert entries(made)["kubectl-create", "Update"] == {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:resources": {},
                            "f:ports": {
                                ".": {},
                                'k:{"containerPort":80,"protocol":"TCP"}': {
                                    ".": {},
                                    "f:containerPort": {},
                                    "f:protocol": {},
                                },
                            },
                        }
                    },
                    "f:securityContext": {},
                },
            },
        },
    }


def test_a_custom_object_is_owned_with_its_spec():
    made = fields.track_update(WIDGET, None, widget({"size": 1}), "kubectl-create", NOW)
    assert entries(made) == {
        ("kubectl-create", "Update"): {"f:spec": {".": {}, "f:size": {}}},
    }


def test_an_update_takes_what_it_changes_and_leaves_the_rest():
    old = fields.track_update(CONFIG_MAP, None, config_map({"a": "1", "b": "1"}), "one", NOW)
    new = {**old, "data": {"a": "2", "b": "1", "c": "1"}}
    made = fields.track_update(CONFIG_MAP, old, new, "two", LATER)
    assert entries(made) == {
        ("one", "Update"): {"f:data": {".": {}, "f:b": {}}},
        ("two", "Update"): {"f:data": {"f:a": {}, "f:c": {}}},
    }


def test_what_is_removed_is_nobodys():
    old = fields.track_update(CONFIG_MAP, None, config_map({"a": "1", "b": "1"}), "one", NOW)
    made = fields.track_update(CONFIG_MAP, old, {**old, "data": {"b": "1"}}, "two", LATER)
    assert entries(made) == {("one", "Update"): {"f:data": {".": {}, "f:b": {}}}}


def test_an_update_that_changes_nothing_leaves_times_alone():
    old = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "one", NOW)
    assert fields.track_update(CONFIG_MAP, old, old, "one", LATER) == old


def test_an_update_without_managed_fields_keeps_them():
    old = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "one", NOW)
    new = config_map({"a": "1"})
    assert entries(fields.track_update(CONFIG_MAP, old, new, "two", LATER)) == entries(old)


def test_one_empty_entry_forgets_all_managers():
    old = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "one", NOW)
    new = config_map({"a": "1"}, managedFields=[{}])
    assert entries(fields.track_update(CONFIG_MAP, old, new, "two", LATER)) == {}


def test_a_status_update_owns_status_only_under_its_subresource():
    old = fields.track_update(WIDGET, None, widget({"size": 1}), "user", NOW)
    new = {**old, "status": {"ready": True}}
    made = fields.track_update(WIDGET, old, new, "controller", LATER, "status")
    (entry,) = (e for e in made["metadata"]["managedFields"] if e["manager"] == "controller")
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {".": {}, "f:ready": {}}}


def test_applying_what_is_new_creates_it():
    made = fields.apply(CONFIG_MAP, None, config_map({"a": "1"}), "me", False, NOW)
    assert made["data"] == {"a": "1"}
    assert entries(made) == {("me", "Apply"): {"f:data": {"f:a": {}}}}


def test_applying_again_changes_nothing_not_even_the_time():
    made = fields.apply(CONFIG_MAP, None, config_map({"a": "1"}), "me", False, NOW)
    assert fields.apply(CONFIG_MAP, made, config_map({"a": "1"}), "me", False, LATER) == made


def test_what_the_applier_leaves_out_goes():
    made = fields.apply(CONFIG_MAP, None, config_map({"a": "1", "b": "1"}), "me", False, NOW)
    again = fields.apply(CONFIG_MAP, made, config_map({"a": "1"}), "me", False, LATER)
    assert again["data"] == {"a": "1"}


def test_what_another_manager_owns_too_stays():
    made = fields.apply(CONFIG_MAP, None, config_map({"a": "1", "b": "1"}), "me", False, NOW)
    both = fields.apply(CONFIG_MAP, made, config_map({"b": "1"}), "you", False, NOW)
    again = fields.apply(CONFIG_MAP, both, config_map({"a": "1"}), "me", False, LATER)
    assert again["data"] == {"a": "1", "b": "1"}
    assert entries(again) == {
        ("me", "Apply"): {"f:data": {"f:a": {}}},
        ("you", "Apply"): {"f:data": {"f:b": {}}},
    }


def test_a_conflict_is_told_in_kubernetes_words():
    live = fields.track_update(
        CONFIG_MAP, None, config_map({"a": "1"}), "kubectl-client-side-apply", NOW
    )
    with pytest.raises(fields.ConflictError) as caught:
        fields.apply(CONFIG_MAP, live, config_map({"a": "2"}), "me", False, LATER)
    assert str(caught.value) == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.a'
    )
    (cause,) = caught.value.causes
    assert (cause.type, cause.field, cause.message) == (
        "FieldManagerConflict",
        ".data.a",
        'conflict with "kubectl-client-side-apply" using v1',
    )


def test_several_conflicts_are_listed_by_manager():
    live = fields.track_update(CONFIG_MAP, None, config_map({"a": "1", "b": "1"}), "one", NOW)
    live = fields.apply(CONFIG_MAP, live, config_map({"c": "1"}), "two", False, NOW)
    wanted = config_map({"a": "2", "b": "2", "c": "2"})
    with pytest.raises(fields.ConflictError) as caught:
        fields.apply(CONFIG_MAP, live, wanted, "me", False, LATER)
    assert str(caught.value) == (
        'Apply failed with 3 conflicts: conflicts with "one" using v1:\n- .data.a\n- .data.b\n'
        'conflicts with "two":\n- .data.c'
    )


def test_force_takes_the_fields_over():
    live = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "one", NOW)
    made = fields.apply(CONFIG_MAP, live, config_map({"a": "2"}), "me", True, LATER)
    assert made["data"] == {"a": "2"}
    assert entries(made) == {
        ("me", "Apply"): {"f:data": {"f:a": {}}},
        ("one", "Update"): {"f:data": {}},
    }


def test_the_same_value_is_shared_without_conflict():
    live = fields.track_update(CONFIG_MAP, None, config_map({"a": "1"}), "one", NOW)
    made = fields.apply(CONFIG_MAP, live, config_map({"a": "1"}), "me", False, LATER)
    assert set(entries(made)) == {("me", "Apply"), ("one", "Update")}


def test_kubectl_takes_over_what_it_applied_client_side():
    text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}'
    annotations = {fields.LAST_APPLIED: text}
    live = fields.track_update(
        CONFIG_MAP, None, config_map({"a": "1"}, annotations=annotations), "old-kubectl", NOW
    )
    made = fields.apply(CONFIG_MAP, live, config_map({"a": "2"}), "kubectl", False, LATER)
    assert made["data"] == {"a": "2"}
    assert '"a":"2"' in made["metadata"]["annotations"][fields.LAST_APPLIED]


def test_lists_with_keys_merge_and_give_back_what_only_the_applier_had():
    one = {"parts": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]}
    made = fields.apply(WIDGET, None, widget(one), "me", False, NOW)
    other = fields.apply(WIDGET, made, widget({"parts": [{"name": "c"}]}), "you", False, NOW)
    assert [part["name"] for part in other["spec"]["parts"]] == ["a", "b", "c"]
    again = fields.apply(
        WIDGET, other, widget({"parts": [{"name": "b", "weight": 2}]}), "me", False, LATER
    )
    assert again["spec"]["parts"] == [{"name": "b", "weight": 2}, {"name": "c"}]
    assert entries(again)["me", "Apply"] == {
        "f:spec": {"f:parts": {'k:{"name":"b"}': {".": {}, "f:name": {}, "f:weight": {}}}}
    }


def test_sets_merge_value_by_value():
    made = fields.apply(WIDGET, None, widget({"tags": ["a", "b"]}), "me", False, NOW)
    both = fields.apply(WIDGET, made, widget({"tags": ["b", "c"]}), "you", False, NOW)
    assert both["spec"]["tags"] == ["a", "b", "c"]
    again = fields.apply(WIDGET, both, widget({"tags": ["a"]}), "me", False, LATER)
    assert sorted(again["spec"]["tags"]) == ["a", "b", "c"]
    assert entries(made)["me", "Apply"] == {"f:spec": {"f:tags": {'v:"a"': {}, 'v:"b"': {}}}}


def test_atomic_lists_are_owned_whole():
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    made = fields.apply(CLAIM, None, claim, "me", False, NOW)
    assert entries(made)["me", "Apply"] == {
        "f:spec": {"f:accessModes": {}, "f:resources": {"f:requests": {"f:storage": {}}}}
    }


def test_applying_through_the_main_resource_leaves_the_status_alone():
    live = {**fields.apply(WIDGET, None, widget({"size": 1}), "me", False, NOW), "status": {"a": 1}}
    wanted = {**widget({"size": 2}), "status": {"a": 2}}
    made = fields.apply(WIDGET, live, wanted, "me", False, LATER)
    assert (made["spec"], made["status"]) == ({"size": 2}, {"a": 1})


def test_more_than_ten_updaters_become_ancient_changes():
    live = fields.track_update(CONFIG_MAP, None, config_map({}), "m0", NOW)
    for number in range(1, 14):
        data = {**live.get("data", {}), f"k{number}": "1"}
        time = f"2026-01-01T00:00:{number:02d}Z"
        live = fields.track_update(CONFIG_MAP, live, {**live, "data": data}, f"m{number}", time)
    names = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names


VALUES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4)


@given(VALUES, VALUES, VALUES)
def test_applying_ends_with_what_was_applied_whatever_was_there(live_data, mine, yours):
    live = fields.track_update(CONFIG_MAP, None, config_map(live_data), "one", NOW)
    first = fields.apply(CONFIG_MAP, live, config_map(mine), "me", True, NOW)
    last = fields.apply(CONFIG_MAP, first, config_map(yours), "me", True, LATER)
    assert yours.items() <= last.get("data", {}).items()
    owners = {key for key in mine if key not in yours and key not in live_data}
    assert not owners & set(last.get("data") or {})


@given(
    st.recursive(
        st.just({}),
        lambda inner: st.dictionaries(
            st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"']), inner, min_size=1, max_size=3
        ),
    )
)
def test_fields_documents_survive_a_round_trip(document):
    paths = fieldset.parse_fields(document)
    assert fieldset.parse_fields(fieldset.fields_of(paths)) == paths
