"""The table of upgrades."""

from __future__ import annotations

import pytest

from cdi.operator.versions import Step, step


@pytest.mark.parametrize(
    ("phase", "observed", "operator", "wanted"),
    [
        pytest.param("Deploying", "v1.0.0", "v2.0.0", Step.NONE, id="still-deploying"),
        pytest.param("", "", "v2.0.0", Step.NONE, id="not-begun"),
        pytest.param("Deployed", "v1.0.0", "v1.0.0", Step.NONE, id="same-text"),
        pytest.param("Deployed", "devel", "devel", Step.NONE, id="same-text-no-version"),
        pytest.param("Deployed", "", "v1.0.0", Step.UPGRADE, id="nothing-observed"),
        pytest.param("Deployed", "devel", "v1.0.0", Step.UPGRADE, id="observed-no-version"),
        pytest.param("Deployed", "v1.0.0", "devel", Step.UPGRADE, id="operator-no-version"),
        pytest.param("Deployed", "v1.9.0", "v1.10.0", Step.UPGRADE, id="newer"),
        pytest.param("Deployed", "1.0.0", "v1.0.1", Step.UPGRADE, id="leading-v-does-not-count"),
        pytest.param("Deployed", "v1.0.0", "1.0.0", Step.NONE, id="same-but-for-the-v"),
        pytest.param("Deployed", "v1.0.0+1", "v1.0.0+2", Step.NONE, id="build-does-not-count"),
        pytest.param("Deployed", "v1.0.0-rc.2", "v1.0.0-rc.10", Step.UPGRADE, id="numbers-count"),
        pytest.param(
            "Deployed", "v1.0.0-rc.1", "v1.0.0", Step.UPGRADE, id="release-after-candidate"
        ),
        pytest.param("Deployed", "v1.0.0-1", "v1.0.0-a", Step.UPGRADE, id="numbers-before-words"),
        pytest.param("Deployed", "v1.0.0-a", "v1.0.0-a.1", Step.UPGRADE, id="more-is-more"),
        pytest.param("Deployed", "v2.0.0", "v1.0.0", Step.DOWNGRADE, id="older"),
        pytest.param("Upgrading", "v2.0.0", "v1.0.0", Step.DOWNGRADE, id="older-on-the-way"),
        pytest.param("Upgrading", "v1.0.0", "v2.0.0", Step.UPGRADE, id="on-the-way"),
    ],
)
def test_the_step_follows_from_the_two_versions(phase, observed, operator, wanted):
    assert step(phase, observed, operator) is wanted
