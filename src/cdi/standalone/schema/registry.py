"""
Which kinds there are: Kubernetes' own, those of CustomResourceDefinitions, and their documents.

The door to `builtin`, `crd` and `openapi`; nothing is decided here.
"""

from __future__ import annotations

from cdi.standalone.schema.builtin import groups as builtin_groups
from cdi.standalone.schema.builtin import kinds as builtin_kinds
from cdi.standalone.schema.crd import InvalidCrd, kinds_of_crd, kinds_of_stored
from cdi.standalone.schema.kinds import Column, KindInfo, Scale
from cdi.standalone.schema.openapi import openapi_v3

__all__ = [
    "Column",
    "InvalidCrd",
    "KindInfo",
    "Scale",
    "builtin_groups",
    "builtin_kinds",
    "kinds_of_crd",
    "kinds_of_stored",
    "openapi_v3",
]
