"""Bodies as kubectl 1.32 sends them for its create commands, byte for byte."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.standalone.schema import protobuf

BODIES = [
    pytest.param(
        "azhzAAoMCgJ2MRIGU2VjcmV0Ei0KEgoCczESABoAIgAqADIAOABCABIGCgFhEgFiEg0KBHVzZXISBWFkbWlu"
        "GgAaACIA",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s1"},
            "data": {"a": "Yg==", "user": "YWRtaW4="},
        },
        id="secret",
    ),
    pytest.param(
        "azhzAAoMCgJ2MRIGU2VjcmV0EpUBChMKA3JlZxIAGgAiACoAMgA4AEIAEl4KES5kb2NrZXJjb25maWdqc29u"
        "Ekl7ImF1dGhzIjp7InIuZXhhbXBsZS5jb20iOnsidXNlcm5hbWUiOiJ1IiwicGFzc3dvcmQiOiJwIiwiYXV0"
        "aCI6ImRUcHcifX19Gh5rdWJlcm5ldGVzLmlvL2RvY2tlcmNvbmZpZ2pzb24aACIA",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "reg"},
            "data": {
                ".dockerconfigjson": "eyJhdXRocyI6eyJyLmV4YW1wbGUuY29tIjp7InVzZXJuYW1lIjoidSIs"
                "InBhc3N3b3JkIjoicCIsImF1dGgiOiJkVHB3In19fQ=="
            },
            "type": "kubernetes.io/dockerconfigjson",
        },
        id="secret-tls-docker",
    ),
    pytest.param(
        "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEhwKEgoCYzESABoAIgAqADIAOABCABIGCgFrEgF2GgAiAA==",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c1"}, "data": {"k": "v"}},
        id="configmap",
    ),
    pytest.param(
        "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEh4KFgoGdGVhbS1hEgAaACIAKgAyADgAQgASABoCCgAaACIA",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}},
        id="namespace",
    ),
    pytest.param(
        "azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFQoTCgNib3QSABoAIgAqADIAOABCABoAIgA=",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}},
        id="serviceaccount",
    ),
    pytest.param(
        "azhzAAoPCghiYXRjaC92MRIDSm9iEoQBChIKAmoxEgAaACIAKgAyADgAQgASZDJiChAKABIAGgAiACoAMgA4"
        "AEIAEk4SKwoCajESB2J1c3lib3gaBGVjaG8aAmhpKgBCAGoAcgCAAQCIAQCQAQCiAQAaBU5ldmVyMgBCAEoA"
        "UgBYAGAAaACCAQCKAQCaAQDCAQAaCCAAKAAwADoAGgAiAA==",
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "j1"},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "j1", "image": "busybox", "command": ["echo", "hi"]}
                        ],
                        "restartPolicy": "Never",
                    }
                }
            },
        },
        id="job",
    ),
    pytest.param(
        "azhzAAoTCghiYXRjaC92MRIHQ3JvbkpvYhKkAQoSCgJjahIAGgAiACoAMgA4AEIAEosBCgsqLzUgKiAqICog"
        "KhoAKnoKEgoCY2oSABoAIgAqADIAOABCABJkMmIKEAoAEgAaACIAKgAyADgAQgASThInCgJjahIHYnVzeWJv"
        "eBoEZGF0ZSoAQgBqAHIAgAEAiAEAkAEAogEAGglPbkZhaWx1cmUyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIB"
        "ABoAGgAiAA==",
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "cj"},
            "spec": {
                "schedule": "*/5 * * * *",
                "jobTemplate": {
                    "metadata": {"name": "cj"},
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {"name": "cj", "image": "busybox", "command": ["date"]}
                                ],
                                "restartPolicy": "OnFailure",
                            }
                        }
                    },
                },
            },
        },
        id="cronjob",
    ),
    pytest.param(
        "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EroBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2Vi"
        "EogBCAISDAoKCgNhcHASA3dlYhpuChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEk4SMAoFbmdpbngS"
        "B25naW54OjEqADIKCgAQABhQIgAqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCa"
        "AQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "containers": [
                            {"name": "nginx", "image": "nginx:1", "ports": [{"containerPort": 80}]}
                        ]
                    },
                },
            },
        },
        id="deployment",
    ),
    pytest.param(
        "azhzAAoNCgJ2MRIHU2VydmljZRJpCh8KA3N2YxIAGgAiACoAMgA4AEIAWgoKA2FwcBIDc3ZjEkIKGwoHODAt"
        "ODA4MBIDVENQGFAiBwgAEJA/GgAoABIKCgNhcHASA3N2YxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoA"
        "GgAiAA==",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "svc", "labels": {"app": "svc"}},
            "spec": {
                "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                "selector": {"app": "svc"},
                "type": "ClusterIP",
            },
        },
        id="service",
    ),
    pytest.param(
        "azhzAAoNCgJ2MRIHU2VydmljZRJqCh0KAm5wEgAaACIAKgAyADgAQgBaCQoDYXBwEgJucBJFCiAKCTU2Nzgt"
        "ODA4MBIDVENQGK4sIgcIABCQPxoAKIDrARIJCgNhcHASAm5wGgAiCE5vZGVQb3J0OgBCAFIAWgBgAGgAGgIK"
        "ABoAIgA=",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "np", "labels": {"app": "np"}},
            "spec": {
                "ports": [
                    {
                        "name": "5678-8080",
                        "protocol": "TCP",
                        "port": 5678,
                        "targetPort": 8080,
                        "nodePort": 30080,
                    }
                ],
                "selector": {"app": "np"},
                "type": "NodePort",
            },
        },
        id="service-nodeport",
    ),
    pytest.param(
        "azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxKRAQoSCgJyYhIAGgAi"
        "ACoAMgA4AEIAEikKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aBGphbmUiABIgCg5TZXJ2aWNl"
        "QWNjb3VudBIAGgNib3QiB2RlZmF1bHQaLgoZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxILQ2x1c3RlclJv"
        "bGUaBHZpZXcaACIA",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "rb"},
            "subjects": [
                {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"},
                {"kind": "ServiceAccount", "name": "bot", "namespace": "default"},
            ],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "view",
            },
        },
        id="rolebinding",
    ),
    pytest.param(
        "azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtDbHVzdGVyUm9sZRIkChIKAmNyEgAaACIA"
        "KgAyADgAQgASDgoDZ2V0KgcvbG9ncy8qGgAiAA==",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "cr"},
            "rules": [{"verbs": ["get"], "nonResourceURLs": ["/logs/*"]}],
        },
        id="clusterrole",
    ),
    pytest.param(
        "azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSbwoTCgNj"
        "cmISABoAIgAqADIAOABCABIoCgVHcm91cBIZcmJhYy5hdXRob3JpemF0aW9uLms4cy5pbxoCZzEiABouChly"
        "YmFjLmF1dGhvcml6YXRpb24uazhzLmlvEgtDbHVzdGVyUm9sZRoEdmlldxoAIgA=",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "crb"},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "g1"}],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "view",
            },
        },
        id="clusterrolebinding",
    ),
    pytest.param(
        "azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRJBChIKAnExEgAaACIAKgAyADgAQgASKQoKCgNjcHUSAwoBMQoO"
        "CgZtZW1vcnkSBAoCMUcKCwoEcG9kcxIDCgEyGgAaACIA",
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q1"},
            "spec": {"hard": {"cpu": "1", "memory": "1G", "pods": "2"}},
        },
        id="quota",
    ),
    pytest.param(
        "azhzAAolChRzY2hlZHVsaW5nLms4cy5pby92MRINUHJpb3JpdHlDbGFzcxI1ChIKAnBjEgAaACIAKgAyADgA"
        "QgAQ6AcYACIEaGlnaCoUUHJlZW1wdExvd2VyUHJpb3JpdHkaACIA",
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "pc"},
            "value": 1000,
            "description": "high",
            "preemptionPolicy": "PreemptLowerPriority",
        },
        id="priorityclass",
    ),
    pytest.param(
        "azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIgChAKABIAGgAiACoAMgA4"
        "AEIAEgYKAXgg2AQaBAoAEgAaACIA",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["x"], "expirationSeconds": 600},
        },
        id="token",
    ),
    pytest.param(
        "azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSPAoTCgNwZGISABoAIgAqADIAOABCABIZ"
        "CgkIARAAGgM1MCUSDAoKCgNhcHASA3dlYhoKCAAYACAAKAAwABoAIgA=",
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "pdb"},
            "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}},
            "status": {
                "disruptionsAllowed": 0,
                "currentHealthy": 0,
                "desiredHealthy": 0,
                "expectedPods": 0,
            },
        },
        id="poddisruptionbudget",
    ),
    pytest.param(
        "azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJKChMKA2luZxIAGgAiACoAMgA4AEIAEi8a"
        "LQoHZm9vLmNvbRIiCiAKHgoEL2JhchIPIg0KBHN2YzESBQoAEJA/GgVFeGFjdBoCCgAaACIA",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "ing"},
            "spec": {
                "rules": [
                    {
                        "host": "foo.com",
                        "http": {
                            "paths": [
                                {
                                    "path": "/bar",
                                    "backend": {
                                        "service": {"name": "svc1", "port": {"number": 8080}}
                                    },
                                    "pathType": "Exact",
                                }
                            ]
                        },
                    }
                ]
            },
        },
        id="ingress",
    ),
]


@pytest.mark.parametrize(("body", "want"), BODIES)
def test_a_body_of_kubectl_is_read_as_the_object_it_states(body, want):
    assert protobuf.decode(base64.b64decode(body)) == want


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"{}", "does not appear to be a protobuf", id="json"),
        pytest.param(b"k8s\x00\x0a\x05\x0a\x02v1", "unexpected EOF", id="cut"),
        pytest.param(b"k8s\x00\x0a\x09\x0a\x02v1\x12\x03Foo", 'no kind "Foo"', id="unknown-kind"),
        pytest.param(b"k8s\x00\x0b", "illegal wireType", id="group"),
    ],
)
def test_a_body_that_is_no_message_is_refused(body, words):
    with pytest.raises(protobuf.MalformedBody, match=words):
        protobuf.decode(body)


@given(st.binary(max_size=200), st.sampled_from([param.values[0] for param in BODIES]))
def test_damaged_bodies_are_read_or_refused_but_never_crash(noise, body):
    whole = base64.b64decode(body)
    damaged = whole[: len(whole) // 2] + noise + whole[len(whole) // 2 :]
    with contextlib.suppress(protobuf.MalformedBody):
        assert isinstance(protobuf.decode(damaged), dict)
