"""
What is wrong with a text that is no JSON, in the words of Go's decoder, which clients have read.

Only asked for a text that could not be read: reading is done elsewhere, and faster (`bodies`).
"""

from __future__ import annotations

import json
from typing import Final

_END: Final = "unexpected end of JSON input"
_NAME: Final = "Expecting property name enclosed in double quotes"
_CONTROL: Final = "Invalid control character at"
_WHERE: Final = {
    "Expecting value": "looking for beginning of value",
    _NAME: "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    _CONTROL: "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}
_DELIMITER: Final = "Expecting ',' delimiter"
_ESCAPES: Final = {"'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def problem_with(body: bytes) -> str:
    """Return why a text is no JSON; it is one if nothing else is known of it."""
    text = body.decode("latin-1")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _of(text, error)
    except (RecursionError, ValueError) as error:
        return str(error)
    return "invalid UTF-8"


def _of(text: str, error: json.JSONDecodeError) -> str:
    said, at = error.msg.partition(": ")[0], error.pos
    if said.startswith("Invalid \\"):
        at += 1
    if said != _CONTROL:
        at = len(text) - len(text[at:].lstrip(" \t\r\n"))
    if said == "Unterminated string starting at" or at >= len(text):
        return _END
    where = _after(text, at) if said == _DELIMITER else _WHERE.get(said, "in the text")
    sign = _ESCAPES.get(text[at], text[at])
    return f"invalid character '{sign}' {where}"


def _after(text: str, at: int) -> str:
    """After which kind of part a comma is missing: that of the innermost open bracket."""
    open_ones, quoted, skip = list[str](), False, False
    for sign in text[:at]:
        if skip:
            skip = False
        elif quoted:
            skip, quoted = sign == "\\", sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "[{":
            open_ones.append(sign)
        elif sign in "]}":
            open_ones.pop()
    inner = open_ones[-1] if open_ones else ""
    return "after array element" if inner == "[" else "after object key:value pair"
