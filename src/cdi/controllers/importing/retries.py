"""
How long an import is tried again after a failure that somebody may mend elsewhere.

A file that is not there yet, a user who may not read it, a certificate that nobody trusts: all of
it can be mended without a word to us, so the importer is started again, with the kubelet's
growing pauses, until the patience of the claim has run out. What it was about is on the object
from the first attempt. What nobody can mend elsewhere is final at once, and not decided here.

A pause ends early when what the import depends on has changed: the claim's size, its Secret, its
ConfigMap. `Inputs` are the versions of these; those of the last failure stand on the claim.
Durations are in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdi.api import annotations, durations
from cdi.controllers.working.report import Ended, Report, parse_moment
from cdi.kube import objects
from cdi.kube.objects import Object

PATIENCE: Final = 3600.0  # an hour: long enough for people, and it ends within a working day
LONGEST: Final = 10 * 365 * 86400.0  # for ever; more is no time that a calendar has
LOOK_AGAIN: Final = 10.0  # at what the import depends on, which no watch tells


# An attempt that lasted so long had got somewhere: what stopped it is a new trouble. The kubelet's
# back-off thinks the same of it.
_A_WHILE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an import depends on besides its source, by version; empty where there is none."""

    secret: str = ""
    config_map: str = ""

    def with_size(self, claim: Object) -> str:
        """All of it as the text that a claim remembers."""
        return f"{size_of(claim)} secret={self.secret} configMap={self.config_map}"


def size_of(claim: Object) -> str:
    """What a claim remembers of an end that only another size could change."""
    return f"size={objects.get(claim, 'spec', 'resources', 'requests', 'storage', default='')}"


def patience_of(claim: Object, config: Mapping[str, Any] | None) -> timedelta:
    """How long a claim's import is tried again: as it says, or the CDIConfig; an hour otherwise.

    What is no duration does not count, so that a slip of the pen ends no import early.
    """
    said = objects.annotations(claim).get(annotations.RETRY_FOR)
    for text in (said, objects.get(config, "spec", "importRetryFor")):
        try:
            return timedelta(seconds=min(durations.parse(text or ""), LONGEST))
        except durations.InvalidDuration:
            continue
    return timedelta(seconds=PATIENCE)


def failing_since(claim: Object, ended: Ended, now: datetime) -> datetime:
    """Since when an import fails, given how it ended now."""
    at = min(ended.at or now, now)  # a clock that was ahead once buys no patience
    if ended.began is not None and at - ended.began >= _A_WHILE:
        return at
    since = parse_moment(objects.annotations(claim).get(annotations.FAILING_SINCE))
    return min(since or at, now)


def may_be_mended(report: Report) -> bool:
    """Whether an importer ended because of something that somebody may mend elsewhere."""
    return report.fatal is not None and report.fatal.termination.mendable


def has_changed(claim: Object, inputs: Inputs) -> bool:
    """Whether an import depends on something else than when it failed."""
    before = objects.annotations(claim).get(annotations.FAILED_WITH)
    return before is not None and before not in (inputs.with_size(claim), size_of(claim))
