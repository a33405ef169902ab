"""
What the operator is told by whoever installed it, and what it tells a Deployment of itself.

`parse_environment` and `environment_for` are each other's reverse: the one is read by the process,
the other written into its Deployment. Raises InvalidSettings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from cdi.api.alerts import RUNBOOKS


class InvalidSettings(ValueError):
    """The environment lacks something, or says something that cannot be followed."""


@dataclass(frozen=True, slots=True)
class Images:
    """The image of each part; of this project they are usually one."""

    controller: str
    importer: str
    cloner: str
    populator: str  # of oVirt and OpenStack
    api_server: str
    upload_proxy: str
    upload_server: str

    @classmethod
    def all(cls, image: str) -> Images:
        """One image for everything."""
        return cls(*(image for _ in fields(cls)))


_IMAGES: Final = {
    "controller": "CONTROLLER_IMAGE",
    "importer": "IMPORTER_IMAGE",
    "cloner": "CLONER_IMAGE",
    "populator": "OVIRT_POPULATOR_IMAGE",
    "api_server": "APISERVER_IMAGE",
    "upload_proxy": "UPLOAD_PROXY_IMAGE",
    "upload_server": "UPLOAD_SERVER_IMAGE",
}
_VERSION: Final = "OPERATOR_VERSION"
_VERBOSITY: Final = "VERBOSITY"
_PULL_POLICY: Final = "PULL_POLICY"
_CLUSTER_RESOURCES: Final = "DEPLOY_CLUSTER_RESOURCES"
_REQUIRED: Final = (_VERSION, *_IMAGES.values(), _VERBOSITY, _PULL_POLICY, _CLUSTER_RESOURCES)
_MONITORING: Final = "MONITORING_NAMESPACE"
_RUNBOOKS: Final = "RUNBOOK_URL_TEMPLATE"
_DUMP: Final = "DUMP_INSTALL_STRATEGY"
_POLICIES: Final = ("Always", "IfNotPresent", "Never")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One operator: what it installs, and where."""

    namespace: str
    version: str
    images: Images
    verbosity: int = 1
    pull_policy: str = "IfNotPresent"
    cluster_resources: bool = True  # False: somebody else installs what belongs to no namespace
    monitoring_namespace: str = "monitoring"  # where Prometheus runs
    runbooks: str = RUNBOOKS  # with one %s, for the name of an alert
    dump: bool = False  # write everything that is wanted into a ConfigMap


def parse_environment(environment: Mapping[str, str], namespace: str) -> Settings:
    """The settings of this process. Raises InvalidSettings, which names the variable."""
    if missing := [name for name in _REQUIRED if not environment.get(name)]:
        raise InvalidSettings(f"not set: {', '.join(missing)}; the operator's Deployment sets them")
    policy = environment[_PULL_POLICY]
    if policy not in _POLICIES:
        raise InvalidSettings(f"{_PULL_POLICY}={policy!r}: must be one of {', '.join(_POLICIES)}")
    runbooks = environment.get(_RUNBOOKS) or RUNBOOKS
    if runbooks.count("%s") != 1 or runbooks.replace("%s", "").count("%"):
        raise InvalidSettings(f"{_RUNBOOKS}={runbooks!r}: must have exactly one %s")
    images = Images(**{field: environment[name] for field, name in _IMAGES.items()})
    return Settings(
        namespace=namespace,
        version=environment[_VERSION],
        images=images,
        verbosity=_number(environment, _VERBOSITY),
        pull_policy=policy,
        cluster_resources=_truth(environment, _CLUSTER_RESOURCES),
        monitoring_namespace=environment.get(_MONITORING) or "monitoring",
        runbooks=runbooks,
        dump=_truth(environment, _DUMP) if environment.get(_DUMP) else False,
    )


def environment_for(settings: Settings) -> dict[str, str]:
    """The variables of an operator with these settings."""
    found = {
        _VERSION: settings.version,
        **{name: str(getattr(settings.images, field)) for field, name in _IMAGES.items()},
        _VERBOSITY: str(settings.verbosity),
        _PULL_POLICY: settings.pull_policy,
        _CLUSTER_RESOURCES: "true" if settings.cluster_resources else "false",
        _MONITORING: settings.monitoring_namespace,
        _RUNBOOKS: settings.runbooks,
    }
    if settings.dump:
        found[_DUMP] = "true"
    return found


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise InvalidSettings(f"{name}={environment[name]!r}: must be a number") from None


# As Go's strconv.ParseBool reads them, which manifests of others were written for.
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def _truth(environment: Mapping[str, str], name: str) -> bool:
    said = environment[name]
    if said not in _TRUE | _FALSE:
        raise InvalidSettings(f"{name}={said!r}: must be true or false")
    return said in _TRUE
