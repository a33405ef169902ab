"""When a bearer token is renewed."""

from __future__ import annotations

import pytest

from cdi.images import errors
from cdi.images.sources.objects.tokens import Keeper, Token


class Grants:
    """Hands out t1, t2, ... which live for an hour of the test's own clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.count = 0
        self.broken = False
        self.keeper = Keeper(self._grant, lambda: self.now)

    def _grant(self) -> Token:
        if self.broken:
            raise errors.SourceUnavailable("no")
        self.count += 1
        return Token(f"t{self.count}", self.now, self.now + 3600)


def test_a_token_is_used_until_shortly_before_its_end():
    grants = Grants()
    seen = []
    for moment in (0, 3299, 3300, 6599, 6600):
        grants.now = 1000.0 + moment
        seen.append(grants.keeper.value())
    assert seen == ["t1", "t1", "t2", "t2", "t3"]


def test_a_refused_token_is_replaced_unless_it_is_new():
    grants = Grants()
    grants.keeper.value()
    assert not grants.keeper.refused()
    grants.now += 60
    assert grants.keeper.refused()
    assert grants.keeper.value() == "t2"


def test_an_old_token_serves_while_no_other_is_to_be_had():
    grants = Grants()
    grants.keeper.value()
    grants.broken = True
    grants.now += 3500
    assert grants.keeper.value() == "t1"
    grants.now += 100
    with pytest.raises(errors.SourceUnavailable):
        grants.keeper.value()
