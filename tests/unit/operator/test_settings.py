"""What the operator is told by its environment."""

from __future__ import annotations

import pytest

from cdi.operator import settings
from cdi.operator.settings import Images, InvalidSettings, Settings

GIVEN = Settings(
    namespace="cdi",
    version="v1.2.3",
    images=Images("a", "b", "c", "d", "e", "f", "g"),
    verbosity=3,
    pull_policy="Always",
    cluster_resources=False,
    monitoring_namespace="watchers",
    runbooks="https://runbooks/%s.md",
    dump=True,
)


def test_what_is_written_into_a_deployment_is_what_is_read():
    assert settings.parse_environment(settings.environment_for(GIVEN), "cdi") == GIVEN


@pytest.mark.parametrize("name", settings.environment_for(GIVEN))
def test_a_missing_variable_is_named_unless_it_has_a_default(name):
    environment = {**settings.environment_for(GIVEN), name: ""}
    if name in ("MONITORING_NAMESPACE", "RUNBOOK_URL_TEMPLATE", "DUMP_INSTALL_STRATEGY"):
        settings.parse_environment(environment, "cdi")
        return
    with pytest.raises(InvalidSettings, match=name):
        settings.parse_environment(environment, "cdi")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERBOSITY", "much"),
        ("PULL_POLICY", "Sometimes"),
        ("DEPLOY_CLUSTER_RESOURCES", "perhaps"),
        ("DUMP_INSTALL_STRATEGY", "2"),
        ("RUNBOOK_URL_TEMPLATE", "https://runbooks/"),
        ("RUNBOOK_URL_TEMPLATE", "https://%s/%s"),
        ("RUNBOOK_URL_TEMPLATE", "https://%d/%s"),
    ],
)
def test_a_value_that_cannot_be_followed_is_named(name, value):
    environment = {**settings.environment_for(GIVEN), name: value}
    with pytest.raises(InvalidSettings, match=name):
        settings.parse_environment(environment, "cdi")
