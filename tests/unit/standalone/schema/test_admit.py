"""What is refused, dropped and filled in, in Kubernetes' words."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.standalone.schema import admit, registry

KINDS = {(kind.group, kind.kind): kind for kind in registry.builtin_kinds()}


def definition(schema, **spec):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
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
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
            **spec,
        },
    }


def custom(**properties):
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    (info,) = registry.kinds_of_crd(definition(schema))
    return info


def widget(**spec):
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "default"},
        "spec": spec,
    }


def texts(errors):
    return [str(error) for error in errors]


STRING = {"type": "string"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "value", "want"),
    [
        pytest.param(
            INTEGER,
            "x",
            'spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"',
            id="type",
        ),
        pytest.param(
            {"type": "string", "enum": ["b", "a"]},
            "c",
            'spec.f: Unsupported value: "c": supported values: "b", "a"',
            id="enum",
        ),
        pytest.param(
            {"type": "string", "pattern": "^a+$"},
            "b",
            "spec.f: Invalid value: \"b\": spec.f in body should match '^a+$'",
            id="pattern",
        ),
        pytest.param(
            {"type": "string", "pattern": "^a+$"},
            "a\n",
            "spec.f: Invalid value: \"a\\n\": spec.f in body should match '^a+$'",
            id="pattern-ends-at-the-end",
        ),
        pytest.param(
            {"type": "string", "maxLength": 2},
            "abc",
            "spec.f: Too long: may not be more than 2 bytes",
            id="max-length",
        ),
        pytest.param(
            {"type": "string", "minLength": 2},
            "a",
            'spec.f: Invalid value: "a": spec.f in body should be at least 2 chars long',
            id="min-length",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1},
            0,
            "spec.f: Invalid value: 0: spec.f in body should be greater than or equal to 1",
            id="minimum",
        ),
        pytest.param(
            {"type": "integer", "maximum": 5},
            6,
            "spec.f: Invalid value: 6: spec.f in body should be less than or equal to 5",
            id="maximum",
        ),
        pytest.param(
            {"type": "number", "maximum": 5, "exclusiveMaximum": True},
            5,
            "spec.f: Invalid value: 5: spec.f in body should be less than 5",
            id="exclusive-maximum",
        ),
        pytest.param(
            {"type": "array", "items": STRING, "maxItems": 1},
            ["a", "b"],
            "spec.f: Too many: 2: must have at most 1 items",
            id="max-items",
        ),
        pytest.param(
            {"type": "array", "items": STRING, "minItems": 1},
            [],
            "spec.f: Invalid value: []: spec.f in body should have at least 1 items",
            id="min-items",
        ),
        pytest.param(
            {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            'spec.f[1]: Duplicate value: "a"',
            id="set",
        ),
        pytest.param(
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["n"],
                "items": {"type": "object", "required": ["n"], "properties": {"n": STRING}},
            },
            [{"n": "a"}, {"n": "a"}],
            'spec.f[1]: Duplicate value: {"n":"a"}',
            id="map",
        ),
        pytest.param(
            {"type": "object", "required": ["a"], "properties": {"a": STRING}},
            {},
            "spec.f.a: Required value",
            id="required",
        ),
        pytest.param(
            {"type": "string", "format": "date-time"},
            "now",
            'spec.f: Invalid value: "now": spec.f in body must be of type date-time: "now"',
            id="format",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True},
            1.5,
            'spec.f: Invalid value: "number": spec.f in body must be of type integer,string: '
            '"number"',
            id="int-or-string",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a": STRING, "b": STRING},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {},
            'spec.f: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). '
            "Found none valid",
            id="one-of",
        ),
        pytest.param(
            {
                "type": "array",
                "items": STRING,
                "x-kubernetes-validations": [
                    {"rule": "self.all(m, m in ['RWO', 'RWX'])", "message": "Illegal AccessMode"}
                ],
            },
            ["RWO", "no"],
            'spec.f: Invalid value: "array": Illegal AccessMode',
            id="cel",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"low": INTEGER, "high": INTEGER},
                "x-kubernetes-validations": [
                    {"rule": "self.low <= self.high", "reason": "FieldValueForbidden"}
                ],
            },
            {"low": 2, "high": 1},
            "spec.f: Forbidden: failed rule: self.low <= self.high",
            id="cel-without-message",
        ),
        pytest.param(
            {
                "type": "string",
                "x-kubernetes-validations": [
                    {"rule": "isURL(self) && url(self).getScheme() == 'https'", "message": "https"}
                ],
            },
            "http://a/",
            'spec.f: Invalid value: "string": https',
            id="cel-functions",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"a-b": INTEGER},
                "x-kubernetes-validations": [
                    {"rule": "self.a__dash__b > 1", "messageExpression": "'got ' + string(1)"}
                ],
            },
            {"a-b": 1},
            'spec.f: Invalid value: "object": got 1',
            id="cel-escaped-names-and-message-expression",
        ),
    ],
)
def test_a_custom_field_is_refused(schema, value, want):
    assert texts(admit.validate(custom(f=schema), widget(f=value), None)) == [want]


def test_transition_rules_look_at_updates_only():
    info = custom(
        f={
            "type": "string",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}],
        }
    )
    assert admit.validate(info, widget(f="a"), None) == []
    assert texts(admit.validate(info, widget(f="b"), widget(f="a"))) == [
        'spec.f: Invalid value: "string": is immutable'
    ]


def test_unknown_fields_are_named_and_pruned():
    info = custom(
        known=STRING, free={"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    )
    obj = widget(known="a", foo=1, free={"any": {"thing": 1}})
    assert admit.unknown_fields(info, obj) == ["spec.foo"]
    admit.prune(info, obj)
    assert obj["spec"] == {"known": "a", "free": {"any": {"thing": 1}}}


def test_unknown_fields_of_a_pod_have_their_index():
    obj = {
        "kind": "Pod",
        "metadata": {"name": "p", "lables": {}},
        "spec": {"containers": [{"name": "a", "bar": 1}], "foo": 1, "nodeSelector": {"any": "x"}},
    }
    assert admit.unknown_fields(KINDS["", "Pod"], obj) == [
        "metadata.lables",
        "spec.containers[0].bar",
        "spec.foo",
    ]


def test_defaults_of_a_schema_fill_what_is_absent_or_null():
    info = custom(
        a={"type": "string", "default": "x"},
        b={"type": "object", "default": {}, "properties": {"c": {"type": "integer", "default": 1}}},
        d={"type": "string", "nullable": True},
        e=STRING,
    )
    obj = widget(a=None, d=None, e=None)
    admit.default(info, obj)
    assert obj["spec"] == {"a": "x", "b": {"c": 1}, "d": None}


def built_in(kind, group="", **body):
    meta = {"name": "x"} | ({"namespace": "default"} if KINDS[group, kind].namespaced else {})
    body = copy.deepcopy(body)  # defaults are filled in, in place
    return {"apiVersion": KINDS[group, kind].api_version, "kind": kind, "metadata": meta, **body}


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
CONTAINER = {"name": "a", "image": "b"}


@pytest.mark.parametrize(
    ("group", "obj", "want"),
    [
        pytest.param(
            "", built_in("PersistentVolumeClaim", spec={}),
            [
                "spec.accessModes: Required value: at least 1 access mode is required",
                "spec.resources[storage]: Required value",
            ],
            id="empty-claim",
        ),
        pytest.param(
            "", built_in("PersistentVolumeClaim", spec={**CLAIM, "accessModes": ["RWO"]}),
            [
                ('spec.accessModes: Unsupported value: "RWO": supported values: "ReadOnlyMany", '
                '"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"')
            ],
            id="claim-with-unknown-mode",
        ),
        pytest.param(
            "", built_in("PersistentVolumeClaim", spec={**CLAIM, "volumeMode": "Foo"}),
            [
                ('spec.volumeMode: Unsupported value: "Foo": supported values: "Block", '
                '"Filesystem"')
            ],
            id="claim-with-unknown-volume-mode",
        ),
        pytest.param(
            "",
            built_in(
                "PersistentVolumeClaim",
                spec={**CLAIM, "resources": {"requests": {"storage": "0"}}},
            ),
            ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
            id="claim-of-nothing",
        ),
        pytest.param(
            "", built_in("PersistentVolume", spec={"accessModes": ["ReadWriteOnce"]}),
            [
                "spec.capacity: Required value",
                "spec: Required value: must specify a volume type",
            ],
            id="volume-without-source",
        ),
        pytest.param(
            "storage.k8s.io", built_in("StorageClass", "storage.k8s.io"),
            ["provisioner: Required value"], id="class-without-provisioner",
        ),
        pytest.param(
            "", built_in("ConfigMap", data={"a b": ""}),
            [
                ('data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric '
                "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                "regex used for validation is '[-._a-zA-Z0-9]+')")
            ],
            id="config-key",
        ),
        pytest.param(
            "", built_in("Secret", type="kubernetes.io/tls", data={}),
            ["data[tls.crt]: Required value", "data[tls.key]: Required value"], id="tls-secret",
        ),
        pytest.param(
            "", built_in("Pod", spec={"containers": []}),
            ["spec.containers: Required value"], id="pod-without-containers",
        ),
        pytest.param(
            "",
            built_in(
                "Pod",
                spec={
                    "restartPolicy": "Sometimes",
                    "containers": [{"name": "a"}, {**CONTAINER, "volumeMounts": [
                        {"name": "v", "mountPath": "/v"}]}],
                },
            ),
            [
                ('spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", '
                '"Never", "OnFailure"'),
                "spec.containers[0].image: Required value",
                'spec.containers[1].name: Duplicate value: "a"',
                'spec.containers[1].volumeMounts[0].name: Not found: "v"',
            ],
            id="pod-with-faults",
        ),
        pytest.param(
            "", built_in("Service", spec={"ports": [{"port": 0}]}),
            ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
            id="service-port",
        ),
        pytest.param(
            "batch",
            built_in("Job", "batch", spec={"template": {"spec": {
                "restartPolicy": "Always", "containers": [CONTAINER]}}}),
            [
                ('spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: '
                '"OnFailure", "Never"')
            ],
            id="job-that-never-ends",
        ),
        pytest.param(
            "apps",
            built_in("Deployment", "apps", spec={
                "selector": {"matchLabels": {"a": "1"}},
                "template": {"spec": {"containers": [CONTAINER]}}}),
            [
                ("spec.template.metadata.labels: Invalid value: {}: `selector` does not match "
                "template `labels`")
            ],
            id="deployment-selector",
        ),
        pytest.param(
            "coordination.k8s.io",
            built_in("Lease", "coordination.k8s.io", spec={"leaseDurationSeconds": 0}),
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"], id="lease",
        ),
        pytest.param(
            "",
            {**built_in("ConfigMap"), "metadata": {"name": "A_b", "namespace": "default"}},
            [
                ('metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist '
                "of lower case alphanumeric characters, '-' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'example.com', regex used for validation is "
                r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')")
            ],
            id="name",
        ),
        pytest.param(
            "",
            {
                **built_in("ConfigMap"),
                "metadata": {
                    "name": "a", "namespace": "default", "labels": {"a": "b c"},
                    "finalizers": ["x"],
                },
            },
            [
                ("metadata.labels: Invalid value: \"b c\": a valid label must be an empty string "
                "or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"),
                ('metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer '
                "name nor is it fully qualified"),
            ],
            id="metadata",
        ),
        pytest.param(
            "", {**built_in("Namespace"), "metadata": {"name": "a", "namespace": "b"}},
            ["metadata.namespace: Forbidden: not allowed on this type"], id="cluster-scoped",
        ),
    ],
)  # fmt: skip
def test_a_built_in_object_is_refused(group, obj, want):
    assert texts(admit.validate(KINDS[group, obj["kind"]], obj, None)) == want


BOUND = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}


def resized(size):
    return {**CLAIM, "resources": {"requests": {"storage": size}}}


@pytest.mark.parametrize(
    ("group", "kind", "old", "new", "want"),
    [
        pytest.param("", "PersistentVolumeClaim", {"spec": CLAIM, **BOUND},
            {"spec": resized("2Gi"), **BOUND}, [], id="bound-claim-grows"),
        pytest.param("", "PersistentVolumeClaim", {"spec": CLAIM, **BOUND},
            {"spec": resized("512Mi"), **BOUND},
            [("spec.resources.requests.storage: Forbidden: field can not be less than "
             "status.capacity")], id="bound-claim-shrinks"),
        pytest.param("", "PersistentVolumeClaim", {"spec": CLAIM},
            {"spec": {**CLAIM, "volumeMode": "Block"}},
            [("spec: Forbidden: spec is immutable after creation except resources.requests and "
             "volumeAttributesClassName for bound claims")], id="claim-changes-mode"),
        pytest.param("", "PersistentVolumeClaim", {"spec": CLAIM},
            {"spec": {**CLAIM, "volumeName": "pv", "storageClassName": "c"}}, [],
            id="claim-is-bound"),
        pytest.param("", "Secret", {"type": "Opaque"}, {"type": "a/b"},
            ['type: Invalid value: "a/b": field is immutable'], id="secret-type"),
        pytest.param("", "ConfigMap", {"immutable": True, "data": {"a": "1"}},
            {"immutable": True, "data": {"a": "2"}},
            ["data: Forbidden: field is immutable when `immutable` is set"], id="frozen"),
        pytest.param("storage.k8s.io", "StorageClass", {"provisioner": "a", "parameters": {}},
            {"provisioner": "b"}, ["provisioner: Forbidden: updates to provisioner are forbidden."],
            id="class"),
        pytest.param("", "Pod", {"spec": {"containers": [CONTAINER]}},
            {"spec": {"containers": [{**CONTAINER, "image": "c"}]}}, [], id="pod-image"),
        pytest.param("rbac.authorization.k8s.io", "RoleBinding",
            {"roleRef": {"apiGroup": "g", "kind": "Role", "name": "a"}},
            {"roleRef": {"apiGroup": "g", "kind": "Role", "name": "b"}},
            [('roleRef: Invalid value: {"apiGroup":"g","kind":"Role","name":"b"}: cannot change '
             "roleRef")], id="role-ref"),
    ],
)  # fmt: skip
def test_an_update_may_change(group, kind, old, new, want):
    before, after = built_in(kind, group, **old), built_in(kind, group, **new)
    assert texts(admit.validate(KINDS[group, kind], after, before)) == want


def test_a_pods_command_never_changes():
    old = built_in("Pod", spec={"containers": [CONTAINER]})
    new = built_in("Pod", spec={"containers": [{**CONTAINER, "command": ["x"]}]})
    (error,) = admit.validate(KINDS["", "Pod"], new, old)
    assert str(error).startswith("spec: Forbidden: pod updates may not change fields other than")


def test_finalizers_cannot_be_added_to_what_is_being_deleted():
    meta = {"name": "x", "namespace": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    old = {**built_in("ConfigMap"), "metadata": meta}
    new = {**old, "metadata": {**meta, "finalizers": ["a.b/c"]}}
    (error,) = admit.validate(KINDS["", "ConfigMap"], new, old)
    assert str(error) == (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
        'deleted, found new finalizers []string{"a.b/c"}'
    )


@pytest.mark.parametrize(
    ("kind", "body", "want"),
    [
        ("Pod", {"spec": {"containers": "x"}},
         ("json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
         "[]v1.Container")),
        ("ConfigMap", {"data": {"a": 1}},
         "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ("Secret", {"data": {"a": "?"}}, "illegal base64 data at input byte 0"),
        ("Pod", {"spec": {"terminationGracePeriodSeconds": True}},
         ("json: cannot unmarshal bool into Go struct field "
         "PodSpec.spec.terminationGracePeriodSeconds of type int64")),
        ("Pod", {"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": "http"}}}]}}, None),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_cannot_be_read(kind, body, want):
    assert admit.decode_problem(KINDS["", kind], built_in(kind, **body)) == want


@pytest.mark.parametrize(
    ("group", "kind", "body", "path", "want"),
    [
        ("", "Secret", {"stringData": {"a": "b"}}, ("data",), {"a": "Yg=="}),
        ("", "Secret", {}, ("type",), "Opaque"),
        ("", "PersistentVolumeClaim", {"spec": {}}, ("spec", "volumeMode"), "Filesystem"),
        ("", "PersistentVolumeClaim",
         {"spec": {"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}}},
         ("spec", "dataSourceRef"), {"kind": "PersistentVolumeClaim", "name": "a"}),
        ("", "PersistentVolume", {}, ("spec", "persistentVolumeReclaimPolicy"), "Retain"),
        ("", "Pod", {"spec": {"containers": [{"image": "a:1"}]}},
         ("spec", "containers", 0, "imagePullPolicy"), "IfNotPresent"),
        ("", "Pod", {"spec": {"containers": [{"image": "h:5/a"}]}},
         ("spec", "containers", 0, "imagePullPolicy"), "Always"),
        ("", "Service", {"spec": {"ports": [{"port": 80}]}}, ("spec", "ports", 0),
         {"port": 80, "protocol": "TCP", "targetPort": 80}),
        ("", "Namespace", {}, ("spec", "finalizers"), ["kubernetes"]),
        ("storage.k8s.io", "StorageClass", {}, ("volumeBindingMode",), "Immediate"),
        ("batch", "Job", {}, ("spec", "backoffLimit"), 6),
        ("batch", "CronJob", {}, ("spec", "concurrencyPolicy"), "Allow"),
        ("apps", "Deployment", {}, ("spec", "strategy", "rollingUpdate", "maxSurge"), "25%"),
    ],
)  # fmt: skip
def test_a_default_is_filled_in(group, kind, body, path, want):
    obj = built_in(kind, group, **copy.deepcopy(body))
    admit.default(KINDS[group, kind], obj)
    once = copy.deepcopy(obj)
    admit.default(KINDS[group, kind], obj)
    assert obj == once
    for step in path:
        obj = obj[step]
    assert obj == want


STRUCTURE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["spec", "known", "list", "x"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["spec", "status", "x"]), STRUCTURE))
def test_pruning_leaves_nothing_unknown_and_what_is_known_alone(body):
    info = custom(known=STRING, list={"type": "array", "items": {"type": "object"}})
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", **body}
    admit.prune(info, obj)
    assert admit.unknown_fields(info, obj) == []
    before = copy.deepcopy(obj)
    admit.prune(info, obj)
    assert obj == before
    admit.default(info, obj)
    admit.validate(info, obj, None)


def test_nulls_of_a_built_in_object_count_as_left_out():
    template = {"metadata": {"creationTimestamp": None}, "spec": {"containers": [CONTAINER]}}
    obj = built_in("Job", "batch", spec={"template": template, "selector": None})
    admit.default(KINDS["batch", "Job"], obj)
    assert obj["spec"]["template"]["metadata"] == {}
    assert "selector" not in obj["spec"]
