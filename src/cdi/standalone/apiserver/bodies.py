"""
What a client sent: JSON, YAML or Kubernetes' protobuf to a document. Raises ApiError (400, 415).
"""

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
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise status.bad_request(f"the object provided is not valid JSON: {error}") from error


def parse_yaml(body: bytes) -> object:
    """Any YAML value, as JSON would hold it."""
    try:
        value = yaml.load(body, Loader=_JsonLoader)  # noqa: S506 (a SafeLoader without timestamps)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise status.bad_request(f"the object provided is not valid YAML: {error}") from error
    return value


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
