"""
What may be a name, a label, an annotation key, in Kubernetes' words.

Each function returns the objections to one text, none when it is fine.
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ENV_NAME = re.compile(r"[ -<>-~]+")

_MAX_SUBDOMAIN = 253
_MAX_LABEL = 63

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
    " or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _checked(text: str, shape: re.Pattern[str], rule: str, limit: int) -> list[str]:
    found = [_too_long(limit)] if len(text) > limit else []
    return found if shape.fullmatch(text) else [*found, rule]


def subdomain(text: str) -> list[str]:
    """Names of most objects, finalizer and label prefixes."""
    return _checked(text, _SUBDOMAIN, _SUBDOMAIN_RULE, _MAX_SUBDOMAIN)


def label(text: str) -> list[str]:
    """Names of namespaces, containers, volumes, ports."""
    return _checked(text, _LABEL, _LABEL_RULE, _MAX_LABEL)


def label_1035(text: str) -> list[str]:
    """Names of services and of custom resources' kinds."""
    return _checked(text, _LABEL_1035, _LABEL_1035_RULE, _MAX_LABEL)


def path_segment(text: str) -> list[str]:
    """Names of roles and bindings: anything that can stand between two slashes of a URL."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in text]


def qualified(text: str) -> list[str]:
    """Keys of labels, annotations and finalizers: `[prefix/]name`."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        example = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_QUALIFIED_RULE}{example}"]
    found = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {objection}" for objection in subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > _MAX_LABEL:
        found.append(f"name part {_too_long(_MAX_LABEL)}")
    if not _QUALIFIED.fullmatch(name):
        found.append(f"name part {_QUALIFIED_RULE}")
    return found


def label_value(text: str) -> list[str]:
    return _checked(text, _LABEL_VALUE, _LABEL_VALUE_RULE, _MAX_LABEL)


def config_key(text: str) -> list[str]:
    """Keys of config maps and secrets."""
    found = [_too_long(_MAX_SUBDOMAIN)] if len(text) > _MAX_SUBDOMAIN else []
    if not _CONFIG_KEY.fullmatch(text):
        found.append(_CONFIG_KEY_RULE)
    elif text in (".", ".."):
        found.append(f"must not be '{text}'")
    elif text.startswith(".."):
        found.append("must not start with '..'")
    return found


def env_name(text: str) -> list[str]:
    """Names of environment variables: printable ASCII without an equals sign."""
    if _ENV_NAME.fullmatch(text):
        return []
    rule = "must consist only of printable ASCII characters other than '='"
    return [f"a valid environment variable name {rule}"]
