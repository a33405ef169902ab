"""
In which form an answer is wanted: JSON or YAML, the object, a Table or only its metadata.

Here: the Accept header to a View. Elsewhere: tables (`schema.table`). Raises ApiError (406).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from cdi.standalone.apiserver import status
from cdi.standalone.store import record

Document = dict[str, Any]


class Shape(Enum):
    """What is made of an object before it is sent."""

    OBJECT = "Object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class View:
    """The form that the client asked for; `version` is that of meta.k8s.io for tables."""

    shape: Shape = Shape.OBJECT
    yaml: bool = False
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """The media type of the answer."""
        return "application/yaml" if self.yaml else "application/json"

    def render(self, document: Document) -> bytes:
        """The answer's bytes."""
        if self.yaml:
            return yaml.safe_dump(document, sort_keys=False).encode()
        return record.encode_plain(document)


_SHAPES = {
    "Table": Shape.TABLE,
    "PartialObjectMetadata": Shape.METADATA,
    "PartialObjectMetadataList": Shape.METADATA,
}
_VERSIONS = ("v1", "v1beta1")
_JSON = ("application/json", "application/*", "*/*")
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")


def parse_accept(header: str) -> View:
    """The first form of the header that we can serve."""
    if not header.strip():
        return View()
    for item in header.split(","):
        media, parameters = _parse_range(item)
        if media not in _JSON and media not in _YAML:
            continue
        wanted = parameters.get("as")
        if wanted is None:
            return View(yaml=media in _YAML)
        version = parameters.get("v", "v1")
        known = parameters.get("g") == "meta.k8s.io" and version in _VERSIONS
        if wanted in _SHAPES and known:
            return View(_SHAPES[wanted], media in _YAML, version)
    # A client that only speaks protobuf still understands a JSON body with its media type.
    if _PROTOBUF in header:
        return View()
    raise status.not_acceptable()


def is_known(header: str) -> bool:
    """Whether one of the forms is one that we know, whatever is to be made of the object."""
    known = (*_JSON, *_YAML, _PROTOBUF)
    return not header.strip() or any(_parse_range(each)[0] in known for each in header.split(","))


def parameters_of(header: str, media: str) -> list[dict[str, str]]:
    """The parameter sets under which `media` occurs in the header, in order."""
    ranges = (_parse_range(item) for item in header.split(","))
    return [parameters for name, parameters in ranges if name == media]


def _parse_range(item: str) -> tuple[str, dict[str, str]]:
    media, *parameters = (part.strip() for part in item.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return media.lower(), {name.strip(): value.strip() for name, _, value in pairs}


def partial_metadata(document: Document) -> Document:
    """The PartialObjectMetadata of an object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": document.get("metadata", {}),
    }
