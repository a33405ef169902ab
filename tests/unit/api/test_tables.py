"""Each row of the API reference holds for the definitions, and they hold nothing else."""

import pytest

from cdi.api import crds, schema
from cdi.api.core import claims, metadata, placement
from support import api_tables

DEFINITIONS = {definition["spec"]["names"]["kind"]: definition for definition in crds.all()}
SCHEMAS = {
    kind: definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for kind, definition in DEFINITIONS.items()
}
KUBERNETES = {
    view.__name__: view
    for module in (claims, metadata, placement)
    for view in vars(module).values()
    if isinstance(view, type) and issubclass(view, metadata.View)
}
TYPES = {
    "string": {"type": "string"},
    "dur": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "object": {"type": "object"},
    "map": {"type": "object"},
    "list": {"type": "array"},
}
ROWS = [
    pytest.param(kind, row, id=f"{kind}.{row.path}")
    for kind in api_tables.KINDS
    for row in api_tables.rows_of(kind)
]


def steps(path):
    """Split `a.b[].c{}` into a, b, [], c, {}."""
    return path.replace("[]", ".[]").replace("{}", ".{}").split(".")


def node_after(node, taken):
    for step in taken:
        if step == "[]":
            node = node["items"]
        elif step == "{}":
            node = node["additionalProperties"]
        else:
            node = node["properties"][step]
    return node


def without_words(node):
    """Drop descriptions: they belong to the place, not to the type."""
    if isinstance(node, dict):
        return {
            key: without_words(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [without_words(item) for item in node] if isinstance(node, list) else node


def rules_of(row):
    """Return the keywords that a row asks for beyond its type."""
    wanted = {}
    for rule in row.rules:
        name, _, value = rule.partition("=")
        if name == "enum":
            wanted["enum"] = value.split(",")
        elif name in {"atomic", "set"}:
            wanted["x-kubernetes-list-type"] = name
        elif name == "nullable":
            wanted["nullable"] = True
        elif name == "pattern":
            wanted["pattern"] = value
        elif name != "rule":
            wanted[name] = int(value)
    return wanted


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_a_row_of_the_reference_holds(kind, row):
    *parents, name = steps(row.path)
    holder = node_after(SCHEMAS[kind], parents)
    node = node_after(holder, [name])
    assert (name in holder.get("required", [])) == row.required
    if row.type.startswith("@"):
        assert without_words(node) == without_words(schema.schema_of(KUBERNETES[row.type[1:]]))
        return
    own = {"description", "properties", "required", "items", "additionalProperties"}
    says = {key: value for key, value in node.items() if key not in own}
    assert ("rule" in row.rules) == ("x-kubernetes-validations" in says)
    says.pop("x-kubernetes-validations", None)
    assert says == TYPES[row.type] | rules_of(row)


def paths(node, path, known):
    """Yield every path in a schema, not looking into Kubernetes' own types."""
    if path and known.get(path, "").startswith("@"):
        yield path
        return
    if path:
        yield path
    for name, inner in node.get("properties", {}).items():
        yield from paths(inner, f"{path}.{name}" if path else name, known)
    if "items" in node:
        yield from paths(node["items"], f"{path}[]", known)
    if "additionalProperties" in node:
        yield from paths(node["additionalProperties"], f"{path}{{}}", known)


@pytest.mark.parametrize("kind", api_tables.KINDS)
def test_a_kind_has_no_field_that_the_reference_does_not_know(kind):
    known = {row.path: row.type for row in api_tables.rows_of(kind)}
    root = {"apiVersion", "kind", "metadata"}
    assert set(paths(SCHEMAS[kind], "", known)) - root == set(known)


@pytest.mark.parametrize("kind", api_tables.KINDS)
def test_the_root_of_a_kind_is_ordinary(kind):
    properties = without_words(SCHEMAS[kind]["properties"])
    assert properties["apiVersion"] == properties["kind"] == {"type": "string"}
    assert properties["metadata"] == {"type": "object"}
    assert SCHEMAS[kind]["required"] == ["spec"]


@pytest.mark.parametrize("kind", api_tables.SERVED)
def test_a_kind_is_served_as_the_reference_says(kind):
    plural, scope, short_names, categories, columns, status = api_tables.SERVED[kind]
    spec = DEFINITIONS[kind]["spec"]
    assert spec["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        **({"shortNames": short_names} if short_names else {}),
        **({"categories": categories} if categories else {}),
    }
    assert spec["scope"] == scope
    for version in spec["versions"]:
        shown = version.get("additionalPrinterColumns", [])
        assert [(c["name"], c["type"], c["jsonPath"]) for c in shown] == columns
        assert ("subresources" in version) == status


@pytest.mark.parametrize("kind", api_tables.SERVED)
def test_a_kind_is_served_in_the_versions_of_the_reference(kind):
    group, versions = api_tables.VERSIONS.get(kind, api_tables.ONE_VERSION)
    spec = DEFINITIONS[kind]["spec"]
    assert spec["group"] == group
    assert [(v["name"], v["served"], v["storage"]) for v in spec["versions"]] == versions
    assert "conversion" not in spec


def test_only_the_object_transfer_is_deprecated():
    warnings = {
        kind: version["deprecationWarning"]
        for kind, definition in DEFINITIONS.items()
        for version in definition["spec"]["versions"]
        if version.get("deprecated")
    }
    assert set(warnings) == {"ObjectTransfer"}
    assert "v1beta1" in warnings["ObjectTransfer"]
    assert "removed" in warnings["ObjectTransfer"]


def test_every_stored_kind_is_in_the_reference():
    assert set(DEFINITIONS) - set(api_tables.SERVED) == {"HyperConverged", "SSP"}


@pytest.mark.parametrize("kind", ["CDI", "CDIConfig", "DataVolume"])
def test_explain_has_words_for_the_kind_its_spec_and_its_status(kind):
    root = SCHEMAS[kind]
    assert root["description"]
    assert root["properties"]["spec"]["description"]
    assert root["properties"]["status"]["description"]
