"""
Changes of others to what a HyperConverged has made, told from changes of its own.

Whoever wants the same of an object twice, and finds it different the second time, overwrites
somebody else's change. What was wanted is remembered by this process alone: after a start, nobody
is accused of what went before.
"""

from __future__ import annotations

from typing import Protocol

from cdi.kube import objects
from cdi.kube.objects import Key, Object


class Counts(Protocol):
    """Who counts; objects are `kind/name`, in lower case."""

    def known(self, component: str) -> None: ...

    def overwritten(self, component: str) -> None: ...


class Overwriting:
    """Remembers what was wanted of each object."""

    def __init__(self, told: Counts) -> None:
        self._told = told
        self._wanted: dict[tuple[str, Key], Object] = {}

    def wrote(self, wanted: Object, *, differed: bool) -> None:
        """An object is as wanted now; `differed`, whether it was there and had to be changed."""
        place = (str(wanted["kind"]), objects.key(wanted))
        component = f"{place[0]}/{place[1].name}".lower()
        if place not in self._wanted:
            self._told.known(component)
        elif differed and self._wanted[place] == wanted:
            self._told.overwritten(component)
        self._wanted[place] = wanted
