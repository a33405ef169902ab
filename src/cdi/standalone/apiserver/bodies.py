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

from cdi.standalone.apiserver import status
from cdi.standalone.schema import protobuf

Document = dict[str, Any]

JSON = "application/json"
YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
PROTOBUF = "application/vnd.kubernetes.protobuf"
KNOWN = (JSON, "application/yaml", PROTOBUF)
# Levels. The deepest definitions of users have about fifty, Kubernetes' readers stop at 10,000;
# ours are Python and share a stack of a thousand calls with whoever reads on.
MAX_DEPTH = 150


def parse_object(body: bytes, content_type: str) -> Document:
    """The object in a request body."""
    media = content_type.partition(";")[0].strip().lower()
    if media == PROTOBUF:
        return _parse_protobuf(body)
    if media in YAML:
        return _as_object(parse_yaml(body))
    if media in ("", JSON):
        return _as_object(parse_json(body))
    raise status.unsupported_media_type(media, KNOWN)


def parse_json(body: bytes) -> object:
    """Any JSON value."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise status.bad_request(f"the object provided is not valid JSON: {error}") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        check_depth(value)
    return value


def parse_yaml(body: bytes) -> object:
    """Any YAML value, as JSON would hold it."""
    try:
        with _no_collection():
            value = yaml.load(body, Loader=_JsonLoader)  # noqa: S506 (a SafeLoader without timestamps)
    except RecursionError as error:
        raise _too_deep() from error
    except (yaml.YAMLError, ValueError) as error:
        raise status.bad_request(f"the object provided is not valid YAML: {error}") from error
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


def _as_object(value: object) -> Document:
    if not isinstance(value, dict):
        raise status.bad_request("the object provided is unrecognized: must be of type object")
    return value
