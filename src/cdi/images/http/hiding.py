"""What of a URL is not to be shown, as a hash: enough to tell two of them apart."""

from __future__ import annotations

import hashlib


def hidden_query(query: str) -> str:
    """Keep the names of a query's parameters and hide their values."""
    return "&".join(_hashed_parameter(parameter) for parameter in query.split("&"))


def _hashed_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:  # a bare token is a value, not a name
        name, value = "", parameter
    return f"{name}{equals}{hidden(value)}"


def hidden(value: str) -> str:
    return "~" + hashlib.sha256(value.encode()).hexdigest()[:12]
