"""Rendering: every mode with every access, size, overhead and class, against the rules in words."""

import itertools
import math

import pytest

from cdi.api import quantity
from cdi.storage import rendering
from support.storage_objects import storage_class

MIB = 1 << 20
SETS = {
    "block-first": [("ReadWriteMany", "Block"), ("ReadWriteOnce", "Filesystem")],
    "files-only": [("ReadWriteOnce", "Filesystem")],
    "both-once": [("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Filesystem")],
}
MODES = (None, "Block", "Filesystem")
ACCESS = (None, "ReadWriteOnce", "ReadWriteMany")
SIZES = ("1Mi", "500M", "1Gi", "10737418241")
OVERHEADS = ("0", "0.055", "0.06", "1")
CASES = list(itertools.product(MODES, ACCESS, SIZES, OVERHEADS, SETS))


def expected(
    mode: str | None, access: str | None, name: str
) -> tuple[str | None, list[str]] | None:
    """Volume mode and access modes that a claim gets; None where there can be none."""
    sets = SETS[name]
    if mode and access:
        return mode, [access]
    if access:
        found = next((m for a, m in sets if a == access), None)
        return found, [access]
    if mode:
        fitting = next((a for a, m in sets if m == mode), None)
        return None if fitting is None else (mode, [fitting])
    return sets[0][1], [sets[0][0]]


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize(("mode", "access", "size", "share", "name"), CASES)
def test_a_claim_is_rendered(
    mode: str | None, access: str | None, size: str, share: str, name: str
) -> None:
    sets = [{"accessModes": [a], "volumeMode": m} for a, m in SETS[name]]
    cluster = rendering.Cluster(
        classes=[storage_class(name)],
        profiles={name: {"status": {"claimPropertySets": sets}}},
        config={"status": {"filesystemOverhead": {"global": "0.5", "storageClass": {name: share}}}},
    )
    storage = {
        "storageClassName": name,
        "resources": {"requests": {"storage": size}},
        **({"volumeMode": mode} if mode else {}),
        **({"accessModes": [access]} if access else {}),
    }
    wanted = expected(mode, access, name)
    if wanted is None:
        with pytest.raises(rendering.ClaimNotValid, match="no matching accessMode"):
            rendering.render({"storage": storage}, cluster)
        return
    found = rendering.render({"storage": storage}, cluster)
    assert (found.get("volumeMode"), found["accessModes"]) == wanted
    asked = quantity.parse(size).value()
    whole = -(-asked // MIB) * MIB
    grown = asked if wanted[0] == "Block" else math.ceil(whole * (1 + float(share)))
    rendered = quantity.parse(found["resources"]["requests"]["storage"]).value()
    assert rendered == grown
