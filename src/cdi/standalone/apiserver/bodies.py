"""
What a client sent: JSON, YAML or Kubernetes' protobuf to a document. Raises ApiError (400, 415).

Nothing that is nested deeper than MAX_DEPTH comes out of here, nor what its aliases would blow up:
everything behind may walk a document without a thought.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import yaml

from cdi.standalone.apiserver import jsonerrors, status
from cdi.standalone.schema import decoding, protobuf

Document = dict[str, Any]

JSON = "application/json"
YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
PROTOBUF = "application/vnd.kubernetes.protobuf"
KNOWN = (JSON, "application/yaml", PROTOBUF)
# Levels. The deepest definitions of users have about fifty, Kubernetes' readers stop at 10,000;
# ours are Python and share a stack of a thousand calls with whoever reads on.
MAX_DEPTH = 150
_SUMMARY = 30  # bytes of a body that an error message repeats
# What Kubernetes reads the kind of a body into, as its messages say it.
_TYPED = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


class NoJson(status.ApiError):
    """A body that is no JSON; `problem` says why."""

    def __init__(self, problem: str) -> None:
        super().__init__(400, "BadRequest", problem)
        self.problem = problem


def parse_object(body: bytes, content_type: str, kind: str = "") -> Document:
    """The object in a request body, which has to be of a `kind` if that is said."""
    media = content_type.partition(";")[0].strip().lower()
    if media == PROTOBUF:
        return _parse_protobuf(body)
    if media in YAML:
        return _as_object(_yaml_of(body, kind), body, kind)
    if media not in ("", JSON):
        raise status.unsupported_media_type(KNOWN)
    try:
        return _as_object(parse_json(body), body, kind)
    except NoJson as error:
        problem = f"couldn't get version/kind; json parse error: {error.problem}"
        raise _unrecognized(problem, body, kind) from error


def parse_json(body: bytes) -> object:
    """Any JSON value. Raises NoJson."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoJson(jsonerrors.problem_with(body)) from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        check_depth(value)
    return value


class NoYaml(status.ApiError):
    """A body that is no YAML; `problem` says why."""

    def __init__(self, error: Exception) -> None:
        mark = getattr(error, "problem_mark", None)
        # Counted as the library of Kubernetes counts, which leaves out the first line.
        line = mark.line if mark else 0
        line += bool(line) and isinstance(error, yaml.scanner.ScannerError)
        where = f"line {line}: " if line else ""
        self.problem = f"yaml: {where}{getattr(error, 'problem', None) or error}"
        super().__init__(400, "BadRequest", self.problem)


def parse_yaml(body: bytes) -> object:
    """Any YAML value, as JSON would hold it. Raises NoYaml."""
    try:
        with _no_collection():
            value = yaml.load(body, Loader=_JsonLoader)  # noqa: S506 (a SafeLoader without timestamps)
    except RecursionError as error:
        raise _too_deep() from error
    except (yaml.YAMLError, ValueError) as error:
        raise NoYaml(error) from error
    # What a text says once has no more parts than the text has characters.
    check_depth(value, len(body) + 1)
    return value


@contextmanager
def _no_collection() -> Iterator[None]:
    """
    Let the garbage collector wait.

    It looks at every node of a large text again and again while it grows, which is most of the
    time that reading one takes; nothing of it is garbage before the end.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def check_depth(value: object, parts: int | None = None) -> None:
    """Refuse what is nested too deeply, or has more parts, repeated ones counted, than `parts`."""
    layer, depth, seen = [value], 0, 0
    while layer:
        if depth > MAX_DEPTH:
            raise _too_deep()
        seen += len(layer)
        if parts is not None and seen > parts:
            raise status.bad_request("the object provided contains excessive aliasing")
        layer = [part for each in layer for part in _parts(each)]
        depth += 1


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> status.ApiError:
    return status.bad_request(f"the object provided exceeded max depth of {MAX_DEPTH}")


class _JsonLoader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date stays a string."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _parse_protobuf(body: bytes) -> Document:
    try:
        return protobuf.decode(body)
    except ValueError as error:
        raise status.bad_request(f"the object provided is not valid protobuf: {error}") from error


def _yaml_of(body: bytes, kind: str) -> object:
    try:
        return parse_yaml(body)
    except NoYaml as error:
        raise _unrecognized(error.problem, body, kind) from error


def _as_object(value: object, body: bytes, kind: str) -> Document:
    if value is None:
        return {}
    if not isinstance(value, dict):
        problem = f"json: cannot unmarshal {decoding.go_name(value)} into Go value of type {_TYPED}"
        problem = f"couldn't get version/kind; json parse error: {problem}"
        raise _unrecognized(problem, body, kind)
    for key in ("kind", "apiVersion"):
        if not isinstance(value.get(key, ""), str | None):
            found = decoding.go_name(value[key])
            problem = f"json: cannot unmarshal {found} into Go struct field .{key} of type string"
            problem = f"couldn't get version/kind; json parse error: {problem}"
            raise _unrecognized(problem, body, kind)
    return value


def _unrecognized(problem: str, body: bytes, kind: str) -> status.ApiError:
    if not kind:
        return status.bad_request(problem)
    shown = f"the object provided is unrecognized (must be of type {kind}): {problem}"
    return status.bad_request(f"{shown} ({_summary(body)})")


def _summary(body: bytes) -> str:
    """The beginning of a body, so that its author knows it again."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > _SUMMARY else ""
    beginning = body[:_SUMMARY]
    shown = beginning.decode("utf-8", "replace") if body[:1] == b"{" else beginning.hex()
    return shown + more
