"""Which way from the version that was rolled out to this one. Pure."""

from __future__ import annotations

from cdi.kube import semver
from cdi.kube.semver import Step

__all__ = ["Step", "step"]


def step(phase: str, observed: str, operator: str) -> Step:
    """What an operator of version `operator` has to do where `observed` was rolled out.

    An installation that has not said what it is of is brought to this version.
    """
    if phase in ("", "Deploying") or observed == operator:
        return Step.NONE
    return semver.step(observed, operator) if observed else Step.UPGRADE
