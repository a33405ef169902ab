"""
A chart. Its templates are the same objects, with values of the chart where settings go.

The definition of CDI is in `crds/`, which Helm makes first and never removes: with it would go
every DataVolume. The namespace is the release's.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.operator.inventory.definitions import own_definition
from cdi.operator.inventory.operator import default_cdi
from cdi.operator.manifests import files
from cdi.operator.settings import Images, Settings

# Written where a value belongs, and replaced in the text. None occurs in an object by itself.
_NAMESPACE: Final = "helm-release-namespace"
_IMAGE: Final = "helm-value-image"
_VERSION: Final = "helm-value-version"
_POLICY: Final = "helm-value-pull-policy"
_MONITORING: Final = "helm-value-monitoring"
_RUNBOOKS: Final = "helm-value-runbooks"
_VERBOSITY: Final = 736251

_VALUES: Final = {
    _NAMESPACE: "{{ .Release.Namespace }}",
    _IMAGE: "{{ .Values.image }}",
    _VERSION: "{{ .Values.version | default .Chart.AppVersion }}",
    _POLICY: "{{ .Values.pullPolicy }}",
    _MONITORING: "{{ .Values.monitoringNamespace }}",
    _RUNBOOKS: "{{ .Values.runbookUrlTemplate }}",
    str(_VERBOSITY): "{{ .Values.verbosity }}",
}


def chart(settings: Settings) -> dict[str, str]:
    """The chart's files; the settings become its default values."""
    templated = Settings(
        namespace=_NAMESPACE,
        version=_VERSION,
        images=Images.all(_IMAGE),
        verbosity=_VERBOSITY,
        pull_policy=_POLICY,
        monitoring_namespace=_MONITORING,
        runbooks=_RUNBOOKS,
    )
    made = files.without_namespace(files.objects_of(files.OPERATOR, templated))
    _, rest = files.split_definitions(made)
    policies = files.objects_of(files.NETWORK_POLICIES, templated)
    return {
        "Chart.yaml": files.yaml_of([_chart(settings)]),
        "values.yaml": files.yaml_of([_values(settings)]),
        "values.schema.json": json.dumps(_schema(), indent=2) + "\n",
        "crds/cdi.yaml": files.yaml_of([own_definition()]),
        "templates/operator.yaml": _template(files.yaml_of(rest)),
        "templates/cdi.yaml": _CDI,
        "templates/network-policies.yaml": (
            "{{- if .Values.networkPolicies }}\n"
            + _template(files.yaml_of(policies))
            + "{{- end }}\n"
        ),
        "templates/NOTES.txt": _NOTES,
    }


_CDI: Final = """\
{{- if .Values.cdi.create }}
---
apiVersion: cdi.kubevirt.io/v1beta1
kind: CDI
metadata:
  name: {{ .Values.cdi.name }}
spec:
  {{- toYaml .Values.cdi.spec | nindent 2 }}
{{- end }}
"""

_NOTES: Final = """\
CDI is being installed. Wait for it with

    kubectl wait cdi/{{ .Values.cdi.name }} --for=condition=Available --timeout=5m

Before you uninstall this release, delete what the operator has made, while there is an operator:

    kubectl delete cdi {{ .Values.cdi.name }}

That removes all DataVolumes, and claims that belong to them.
"""


def _template(text: str) -> str:
    """YAML with values in the places of their marks; quoted, where a mark is all there is."""
    for mark, value in _VALUES.items():
        whole = re.compile(rf"(?<=[:-] )'?{mark}'?$", re.MULTILINE)
        text = whole.sub(_quoted(value), text)
        text = text.replace(mark, value)
    return text


def _quoted(value: str) -> str:
    return value.removesuffix(" }}") + " | quote }}"


def _chart(settings: Settings) -> Object:
    return {
        "apiVersion": "v2",
        "name": "cdi",
        "description": "Fills volumes with virtual-machine disks",
        "type": "application",
        "version": settings.version.removeprefix("v"),
        "appVersion": settings.version,
        "kubeVersion": ">=1.29.0-0",
    }


def _values(settings: Settings) -> Object:
    return {
        "image": settings.images.controller,
        "version": "",
        "pullPolicy": settings.pull_policy,
        "verbosity": settings.verbosity,
        "monitoringNamespace": settings.monitoring_namespace,
        "runbookUrlTemplate": settings.runbooks,
        "networkPolicies": False,
        "cdi": {
            "create": True,
            "name": "cdi",
            "spec": default_cdi(settings.pull_policy)["spec"],
        },
    }


def _schema() -> Object:
    version = own_definition()["spec"]["versions"][0]
    spec = objects.get(version, "schema", "openAPIV3Schema", "properties", "spec")
    text = {"type": "string"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "global": {"type": "object"},
            "image": {"type": "string", "minLength": 1},
            "version": text,
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            "verbosity": {"type": "integer", "minimum": 0},
            "monitoringNamespace": {"type": "string", "minLength": 1},
            "runbookUrlTemplate": {"type": "string", "pattern": "^[^%]*%s[^%]*$"},
            "networkPolicies": {"type": "boolean"},
            "cdi": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "create": {"type": "boolean"},
                    "name": {"type": "string", "minLength": 1},
                    "spec": _strict(spec),
                },
            },
        },
    }


def _strict(schema: Any) -> Any:
    """The schema of a definition as JSON Schema: what it does not name is a mistake."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: _strict(value) for key, value in schema.items() if not key.startswith("x-kubernetes")
    }
    if "properties" in schema and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
