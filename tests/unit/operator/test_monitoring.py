"""Alerts and recorded rules against the table of what has to be, and a page for each alert."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdi.operator.inventory import monitoring
from cdi.operator.settings import Images, Settings
from cdi.web.metrics import ProcessMetrics

SETTINGS = Settings(namespace="disks", version="v1", images=Images.all("x"))
RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"

# Name, after which time, severity, impact.
ALERTS = """
CDIOperatorDown 10m critical critical
CDINotReady 10m critical critical
CDIDataVolumeUnusualRestartCount 5m warning none
CDIStorageProfilesIncomplete 5m info none
CDIDataImportCronOutdated 15m warning none
CDINoDefaultStorageClass 5m warning none
CDIMultipleDefaultVirtStorageClasses 5m warning none
CDIDefaultStorageClassDegraded 5m warning none
"""


def groups():
    return {each["name"]: each["rules"] for each in monitoring.rule_groups(SETTINGS)}


def test_there_are_the_alerts_of_the_table():
    found = {
        (
            each["alert"],
            each["for"],
            each["labels"]["severity"],
            each["labels"]["operator_health_impact"],
        )
        for each in groups()["alerts.rules"]
    }
    assert found == {tuple(line.split()) for line in ALERTS.strip().splitlines()}


@pytest.mark.parametrize("alert", groups()["alerts.rules"], ids=lambda each: each["alert"])
def test_every_alert_says_whose_it_is_and_has_a_page(alert):
    assert alert["labels"]["kubernetes_operator_part_of"] == "kubevirt"
    assert alert["labels"]["kubernetes_operator_component"] == "containerized-data-importer"
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"].endswith(f"/{alert['alert']}")
    assert (RUNBOOKS / f"{alert['alert']}.md").read_text().startswith(f"# {alert['alert']}\n")


def test_recorded_rules_exist_under_both_names():
    recorded = {each["record"]: each["expr"] for each in groups()["recordingRules.rules"]}
    restarts = [f"{what}_pods_high_restart" for what in ("import", "upload", "clone")]
    pairs = {"kubevirt_cdi_operator_up": "cluster:kubevirt_cdi_operator_up:sum"} | {
        f"kubevirt_cdi_{each}": f"cluster:kubevirt_cdi_{each}:count" for each in restarts
    }
    assert set(recorded) == {*pairs, *pairs.values()}
    assert all(recorded[old] == recorded[new] for old, new in pairs.items())
    assert 'namespace="disks"' in recorded["kubevirt_cdi_operator_up"]


def test_rules_are_sorted():
    for rules in groups().values():
        names = [each.get("alert") or each["record"] for each in rules]
        assert names == sorted(names)


# Published by the operator, by the controller that leads, and by it for each cron.
PUBLISHED = {
    "kubevirt_cdi_cr_ready",
    "kubevirt_cdi_datavolume_pending",
    "kubevirt_cdi_dataimportcron_outdated",
    "kubevirt_cdi_storageprofile_info",
}


def test_every_metric_that_an_alert_reads_is_recorded_or_published():
    recorded = {each["record"] for each in groups()["recordingRules.rules"]}
    read = {
        name
        for each in groups()["alerts.rules"]
        for name in re.findall(r"(?:cluster:)?kubevirt_cdi_[a-z_]+(?::[a-z]+)?", each["expr"])
    }
    assert read - recorded == PUBLISHED
    metrics = ProcessMetrics()
    metrics.readiness(1)
    metrics.cron_outdated("ns", "cron", outdated=True, pending=False)
    metrics.follow_storage(lambda: 0, list)
    shown = set(re.findall(r"^# TYPE (\S+)", metrics.text().decode(), re.MULTILINE))
    assert shown >= PUBLISHED
