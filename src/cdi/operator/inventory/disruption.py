"""PodDisruptionBudgets: a drained node takes at most one of several replicas at a time."""

from __future__ import annotations

from collections.abc import Mapping

from cdi.kube import objects
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import marks


def budgets(deployments: Objects, given: Mapping[str, str]) -> Objects:
    """One for each Deployment of which there is more than one replica."""
    return [_budget(each, given) for each in deployments if each["spec"]["replicas"] > 1]


def _budget(deployment: Object, given: Mapping[str, str]) -> Object:
    namespace, name = objects.key(deployment)
    spec = {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]}
    return marks.named("policy/v1", "PodDisruptionBudget", name, given, namespace, spec=spec)
