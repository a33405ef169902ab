"""The types of Kubernetes that we embed are Kubernetes' own: names, types, what is required."""

import re

import pytest
from kubernetes.client import models

from cdi.api import schema
from cdi.api.core import claims, metadata, placement

PAIRS = [
    pytest.param(ours, getattr(models, theirs), id=ours.__name__)
    for ours, theirs in [
        (claims.ModifyVolumeStatus, "V1ModifyVolumeStatus"),
        (claims.PersistentVolumeClaimCondition, "V1PersistentVolumeClaimCondition"),
        (claims.PersistentVolumeClaimSpec, "V1PersistentVolumeClaimSpec"),
        (claims.PersistentVolumeClaimStatus, "V1PersistentVolumeClaimStatus"),
        (claims.ResourceClaim, "CoreV1ResourceClaim"),
        (claims.ResourceRequirements, "V1ResourceRequirements"),
        (claims.VolumeHealthCondition, "V1VolumeHealthCondition"),
        (claims.VolumeHealthStatus, "V1VolumeHealthStatus"),
        (claims.VolumeResourceRequirements, "V1VolumeResourceRequirements"),
        (metadata.LabelSelector, "V1LabelSelector"),
        (metadata.LabelSelectorRequirement, "V1LabelSelectorRequirement"),
        (metadata.LocalObjectReference, "V1LocalObjectReference"),
        (metadata.ObjectReference, "V1ObjectReference"),
        (metadata.OwnerReference, "V1OwnerReference"),
        (metadata.TypedLocalObjectReference, "V1TypedLocalObjectReference"),
        (metadata.TypedObjectReference, "V1TypedObjectReference"),
        (placement.Affinity, "V1Affinity"),
        (placement.NodeAffinity, "V1NodeAffinity"),
        (placement.NodeSelector, "V1NodeSelector"),
        (placement.NodeSelectorRequirement, "V1NodeSelectorRequirement"),
        (placement.NodeSelectorTerm, "V1NodeSelectorTerm"),
        (placement.PodAffinity, "V1PodAffinity"),
        (placement.PodAffinityTerm, "V1PodAffinityTerm"),
        (placement.PodAntiAffinity, "V1PodAntiAffinity"),
        (placement.PreferredSchedulingTerm, "V1PreferredSchedulingTerm"),
        (placement.Toleration, "V1Toleration"),
        (placement.WeightedPodAffinityTerm, "V1WeightedPodAffinityTerm"),
    ]
]
# The client's models show quantities as plain strings; these are maps of quantities.
QUANTITIES = {"limits", "requests", "capacity", "allocatedResources"}
SCALARS = {"str": "string", "bool": "boolean", "int": "integer", "datetime": "string"}


def shape_of(node):
    """Return the type that a schema gives a value, in words."""
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if node["type"] == "array":
        return f"list of {shape_of(node['items'])}"
    if "additionalProperties" in node:
        return f"map of {shape_of(node['additionalProperties'])}"
    return node["type"]


def shape_of_model(name, type_):
    if listed := re.fullmatch(r"List\[(.*)\]", type_):
        return f"list of {shape_of_model(name, listed[1])}"
    if mapped := re.fullmatch(r"Dict\[str, (.*)\]", type_):
        return f"map of {'quantity' if name in QUANTITIES else shape_of_model(name, mapped[1])}"
    return SCALARS.get(type_, "object")


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_an_embedded_type_has_the_fields_and_types_of_kubernetes(ours, theirs):
    properties = schema.schema_of(ours)["properties"]
    wanted = {
        theirs.attribute_map[field]: shape_of_model(theirs.attribute_map[field], type_)
        for field, type_ in theirs.openapi_types.items()
    }
    assert {name: shape_of(node) for name, node in properties.items()} == wanted


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_an_embedded_type_requires_what_kubernetes_requires(ours, theirs):
    wanted = {
        theirs.attribute_map[name]
        for name, field in theirs.model_fields.items()
        if field.is_required() and name in theirs.attribute_map
    }
    assert set(schema.schema_of(ours).get("required", [])) == wanted


@pytest.mark.parametrize(
    ("ours", "path", "keyword", "value"),
    [
        pytest.param(claims.PersistentVolumeClaimSpec, "accessModes", "list", "atomic", id="modes"),
        pytest.param(claims.PersistentVolumeClaimSpec, "dataSource", "map", "atomic", id="source"),
        pytest.param(claims.PersistentVolumeClaimSpec, "dataSourceRef", "map", None, id="ref"),
        pytest.param(claims.PersistentVolumeClaimSpec, "selector", "map", "atomic", id="selector"),
        pytest.param(claims.ResourceRequirements, "claims", "list", "map", id="claims"),
        pytest.param(metadata.LabelSelector, "matchExpressions", "list", "atomic", id="labels"),
        pytest.param(
            placement.NodeAffinity,
            "requiredDuringSchedulingIgnoredDuringExecution",
            "map",
            "atomic",
            id="node-selector",
        ),
        pytest.param(
            placement.NodeAffinity,
            "preferredDuringSchedulingIgnoredDuringExecution",
            "list",
            "atomic",
            id="preferred-nodes",
        ),
        pytest.param(placement.NodeSelector, "nodeSelectorTerms", "list", "atomic", id="terms"),
        pytest.param(placement.NodeSelectorTerm, "matchFields", "list", "atomic", id="fields"),
        pytest.param(placement.PodAffinityTerm, "namespaces", "list", "atomic", id="namespaces"),
        pytest.param(placement.PodAffinityTerm, "labelSelector", "map", "atomic", id="pods"),
        pytest.param(
            placement.PodAntiAffinity,
            "requiredDuringSchedulingIgnoredDuringExecution",
            "list",
            "atomic",
            id="away-from",
        ),
        pytest.param(placement.NodePlacement, "tolerations", "list", None, id="tolerations"),
    ],
)
def test_an_embedded_type_is_merged_by_the_server_as_kubernetes_does(ours, path, keyword, value):
    node = schema.schema_of(ours)["properties"][path]
    assert node.get(f"x-kubernetes-{keyword}-type") == value


def test_a_local_reference_has_an_empty_name_by_default():
    assert schema.schema_of(metadata.LocalObjectReference)["properties"]["name"]["default"] == ""
