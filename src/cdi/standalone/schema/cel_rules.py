"""
`x-kubernetes-validations`: the CEL rules of custom kinds.

Here: which rules see which values, and what a broken one says. The language is the `cel` package's,
loaded when a schema first has a rule; functions that Kubernetes adds to the
language are in `cel_functions`. A rule that names `oldSelf` looks at updates only.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cdi.standalone.schema import cel_functions, paths, typed
from cdi.standalone.schema.causes import FieldError

if TYPE_CHECKING:
    import cel

RULES = "x-kubernetes-validations"

_OLD = re.compile(r"\boldSelf\b")
_ABSENT = object()

_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
_ESCAPES = {".": "__dot__", "-": "__dash__", "/": "__slash__"}

_REASONS = {
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}

Schema = dict[str, Any]


def validate(schema: Schema, obj: dict[str, Any], old: dict[str, Any] | None) -> list[FieldError]:
    """Objections of every rule in the schema. The object has passed structural validation."""
    if not _has_rules(schema):
        return []
    return list(_check(schema, obj, _ABSENT if old is None else old, ""))


def compile_error(rule: str) -> str | None:
    """What is wrong with the text of a rule; None when it is one."""
    try:
        _program(rule)
    except ValueError as error:
        return str(error)
    return None


def _has_rules(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if RULES in schema:
        return True
    below = [*schema.get("properties", {}).values(), schema.get("items")]
    # The schema of metadata is Kubernetes' own, shared and without rules.
    return any(_has_rules(each) for each in [*below, schema.get("additionalProperties")])


def _check(schema: Schema, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    if not _has_rules(schema) or value is None:
        return
    for rule in schema.get(RULES, ()):
        if found := _break(rule, schema, value, old, path):
            yield found
    for below, each, before, where in _parts(schema, value, old, path):
        yield from _check(below, each, before, where)


def _parts(
    schema: Schema, value: Any, old: Any, path: str
) -> Iterator[tuple[Schema, Any, Any, str]]:
    if isinstance(value, dict):
        fields: dict[str, Any] = old if isinstance(old, dict) else {}
        for name, each in value.items():
            below = typed.field_schema(schema, name)
            yield below, each, fields.get(name, _ABSENT), paths.child(path, name)
    elif isinstance(value, list):
        keyed = typed.shape_of(schema, value) is typed.Shape.KEYED_LIST
        known = _by_key(schema, old) if keyed and isinstance(old, list) else {}
        for index, each in enumerate(value):
            before = known.get(typed.key_of(schema, each), _ABSENT) if keyed else _ABSENT
            yield typed.item_schema(schema), each, before, paths.item(path, index)


def _by_key(schema: Schema, items: list[Any]) -> dict[str, Any]:
    return {typed.key_of(schema, each): each for each in items if isinstance(each, dict)}


def _break(
    rule: dict[str, Any], schema: Schema, value: Any, old: Any, path: str
) -> FieldError | None:
    text = rule["rule"]
    if old is _ABSENT and _OLD.search(text):
        return None
    try:
        if _evaluate(text, value, old) is True:
            return None
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        return _objection(rule, schema, path, f"{error} evaluating rule: {_stated(rule)}")
    return _objection(rule, schema, path, _message(rule, value, old))


def _stated(rule: dict[str, Any]) -> str:
    return str(rule.get("message") or rule["rule"]).strip()


def _message(rule: dict[str, Any], value: Any, old: Any) -> str:
    if expression := rule.get("messageExpression"):
        try:
            found = _evaluate(expression, value, old)
        except (KeyError, RuntimeError, TypeError, ValueError):
            found = None
        if isinstance(found, str) and found.strip():
            return found.strip()
    return str(rule.get("message") or f"failed rule: {rule['rule'].strip()}").strip()


def _objection(rule: dict[str, Any], schema: Schema, path: str, detail: str) -> FieldError:
    kind = schema.get("type", "object")
    reason = rule.get("reason", "FieldValueInvalid")
    words = _REASONS.get(reason)
    field = (path + rule.get("fieldPath", "")).removeprefix(".") or "<nil>"
    head = words or f'Invalid value: "{kind}"'
    return FieldError(reason, field, kind, f"{head}: {detail}")


def _evaluate(text: str, value: Any, old: Any) -> Any:
    context = _language().Context()
    for name, function in cel_functions.FUNCTIONS.items():
        context.add_function(name, function)
    context.add_variable("self", escaped(value))
    if old is not _ABSENT:
        context.add_variable("oldSelf", escaped(old))
    return _program(text).execute(context)


@functools.lru_cache(maxsize=1024)
def _program(text: str) -> cel.Program:
    program: cel.Program = _language().compile(text)
    return program


@functools.cache
def _language() -> Any:
    """The package's native module by itself: its __init__ loads a command line (0.3 s) as well."""
    package = importlib.util.find_spec("cel")
    if package is None or not package.submodule_search_locations:
        raise ImportError("the package common-expression-language is not installed")
    loaders = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    folder = next(iter(package.submodule_search_locations))
    found = importlib.machinery.FileFinder(folder, loaders).find_spec("cel")
    if found is None or found.loader is None:
        import cel  # only where its native module cannot be had by itself

        return cel
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def escaped(value: Any) -> Any:
    """Keys that CEL cannot name, spelled as Kubernetes does: `__dash__`, `__namespace__`."""
    if isinstance(value, dict):
        return {_escape(key): escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [escaped(each) for each in value]
    return value


def _escape(key: str) -> str:
    if key in _RESERVED:
        return f"__{key}__"
    if "__" in key:
        key = key.replace("__", "__underscores__")
    for sign, word in _ESCAPES.items():
        key = key.replace(sign, word)
    return key


def rules_of(schema: Any, path: str, alone: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every rule, its place, and the list around it whose items have no past, if there is one."""
    if not isinstance(schema, dict):
        return
    for index, rule in enumerate(schema.get(RULES) or ()):
        yield f"{path}.{RULES}[{index}]", rule, alone
    for name, field in (schema.get("properties") or {}).items():
        yield from rules_of(field, f"{path}.properties[{name}]", alone)
    nameless = alone or ("" if schema.get("x-kubernetes-list-type") == "map" else path)
    yield from rules_of(schema.get("items"), f"{path}.items", nameless)
    yield from rules_of(schema.get("additionalProperties"), f"{path}.additionalProperties", alone)


def is_transition(rule: str) -> bool:
    """Whether the rule compares with the value before."""
    return _OLD.search(rule) is not None
