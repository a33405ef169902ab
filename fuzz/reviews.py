"""
Fuzz admission: whatever a review holds, every rule answers, or it is said to be no review.

Anybody who reaches the API server of a cluster can send one.
"""

from __future__ import annotations

import json

import msgspec

from fuzz import harness

with harness.instrumented():
    from support import reviews


def seeds() -> list[bytes]:
    return [json.dumps(review).encode() for review in reviews.sound()]


def check(data: bytes) -> None:
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    reviews.judged(document)


if __name__ == "__main__":
    harness.run(seeds, check)
