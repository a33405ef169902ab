"""
Alerts and recorded rules as Prometheus reads them: the syntax, and when somebody is called.

Each row is a world of series that do not change, and the alerts that fire in it after half an hour.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cdi.operator.inventory import monitoring
from cdi.operator.settings import Images, Settings

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus"
)

SETTINGS = Settings(namespace="disks", version="v1", images=Images.all("x"))
UP = 'up{namespace="disks", pod="cdi-operator-1"}'
READY = "kubevirt_cdi_cr_ready"
PENDING = "kubevirt_cdi_datavolume_pending"
WELL = {UP: 1, READY: 1, PENDING: 0}


def restarts(pod: str, container: str, count: int) -> dict[str, int]:
    name = "kube_pod_container_status_restarts_total"
    return {f'{name}{{pod="{pod}", container="{container}"}}': count}


def profile(name: str = "fast", instance: str = "a", **said: str) -> dict[str, int]:
    usual = {
        "complete": "true",
        "default": "false",
        "virtdefault": "false",
        "rwx": "true",
        "smartclone": "true",
        "degraded": "false",
    }
    labels = {"storageclass": name, "provisioner": "disk.example", "instance": instance}
    text = ", ".join(f'{key}="{value}"' for key, value in (labels | usual | said).items())
    return {f"kubevirt_cdi_storageprofile_info{{{text}}}": 1}


def cron(outdated: int, pending: str) -> dict[str, int]:
    labels = f'namespace="golden", cron_name="fedora", pending="{pending}"'
    return {f"kubevirt_cdi_dataimportcron_outdated{{{labels}}}": outdated}


VIRT = {"virtdefault": "true"}
DEFAULT = {"default": "true"}
POOR = {"degraded": "true"}
IN_CLASS = {"storageclass": "fast", "provisioner": "disk.example"}


@pytest.mark.parametrize(
    ("series", "fires"),
    [
        pytest.param(WELL, {}, id="all-is-well"),
        pytest.param({READY: 1}, {"CDIOperatorDown": {}}, id="no-operator"),
        pytest.param({**WELL, UP: 0}, {"CDIOperatorDown": {}}, id="operator-does-not-answer"),
        pytest.param(
            {READY: 1, 'up{namespace="other", pod="cdi-operator-1"}': 1},
            {"CDIOperatorDown": {}},
            id="another-installations-operator",
        ),
        pytest.param({**WELL, READY: 0}, {"CDINotReady": {}}, id="not-ready"),
        pytest.param({**WELL, READY: -1}, {}, id="not-known-yet"),
        pytest.param(
            {**WELL, **restarts("importer-a", "importer", 4)},
            {"CDIDataVolumeUnusualRestartCount": {}},
            id="importer-restarts",
        ),
        pytest.param({**WELL, **restarts("importer-a", "importer", 3)}, {}, id="a-few-restarts"),
        pytest.param({**WELL, **restarts("importer-a", "other", 9)}, {}, id="other-container"),
        pytest.param(
            {**WELL, **restarts("cdi-upload-a", "cdi-upload-server", 4)},
            {"CDIDataVolumeUnusualRestartCount": {}},
            id="upload-server-restarts",
        ),
        pytest.param(
            {**WELL, **restarts("u-source-pod", "cdi-clone-source", 4)},
            {"CDIDataVolumeUnusualRestartCount": {}},
            id="clone-source-restarts",
        ),
        pytest.param(
            {**WELL, **profile(complete="false")},
            {"CDIStorageProfilesIncomplete": IN_CLASS},
            id="incomplete-profile",
        ),
        pytest.param(
            {**WELL, **cron(1, "false")},
            {"CDIDataImportCronOutdated": {"namespace": "golden", "cron_name": "fedora"}},
            id="outdated-cron",
        ),
        pytest.param({**WELL, **cron(1, "true")}, {}, id="cron-waits-for-a-default"),
        pytest.param({**WELL, **cron(0, "false")}, {}, id="cron-is-up-to-date"),
        pytest.param(
            {**WELL, PENDING: 2, **profile()}, {"CDINoDefaultStorageClass": {}}, id="no-default"
        ),
        pytest.param({**WELL, PENDING: 2}, {"CDINoDefaultStorageClass": {}}, id="no-class-at-all"),
        pytest.param({**WELL, **profile()}, {}, id="no-default-and-nobody-waits"),
        pytest.param({**WELL, PENDING: 2, **profile(**DEFAULT)}, {}, id="default"),
        pytest.param({**WELL, PENDING: 2, **profile(**VIRT)}, {}, id="default-for-machines"),
        pytest.param(
            {**WELL, **profile(**VIRT), **profile("slow", **VIRT)},
            {"CDIMultipleDefaultVirtStorageClasses": {}},
            id="two-defaults-for-machines",
        ),
        pytest.param(
            {**WELL, **profile(**VIRT), **profile(instance="b", **VIRT)}, {}, id="told-twice"
        ),
        pytest.param(
            {**WELL, **profile(**DEFAULT, **POOR)},
            {"CDIDefaultStorageClassDegraded": {}},
            id="poor-default",
        ),
        pytest.param(
            {**WELL, **profile(**VIRT, **POOR), **profile("slow", **DEFAULT)},
            {"CDIDefaultStorageClassDegraded": {}},
            id="poor-default-for-machines-counts-first",
        ),
        pytest.param(
            {**WELL, **profile(**VIRT), **profile("slow", **DEFAULT, **POOR)},
            {},
            id="good-default-for-machines-is-enough",
        ),
        pytest.param({**WELL, **profile(**POOR)}, {}, id="poor-class-that-is-no-default"),
    ],
)
def test_somebody_is_called_when_it_is_time(
    tmp_path: Path, series: dict[str, int], fires: dict[str, dict[str, str]]
) -> None:
    world = [{"series": name, "values": f"{value}x60"} for name, value in series.items()]
    expected = [
        {"eval_time": "30m", "alertname": each["alert"], "exp_alerts": called(each, fires)}
        for each in alerts()
    ]
    case = {"interval": "1m", "input_series": world, "alert_rule_test": expected}
    told(tmp_path, "test", {"rule_files": ["rules.json"], "tests": [case]})


def called(alert: dict[str, Any], fires: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """What Prometheus says of an alert: once with these labels, or not at all."""
    if alert["alert"] not in fires:
        return []
    labels = fires[alert["alert"]]
    told_as = {key: filled(text, labels) for key, text in alert["annotations"].items()}
    return [{"exp_labels": alert["labels"] | labels, "exp_annotations": told_as}]


def filled(text: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text


def test_prometheus_understands_the_rules(tmp_path: Path) -> None:
    groups = monitoring.rule_groups(SETTINGS)
    count = sum(len(each["rules"]) for each in groups)
    assert f"SUCCESS: {count} rules found" in told(tmp_path, "check", {})


def alerts() -> list[dict[str, Any]]:
    groups = monitoring.rule_groups(SETTINGS)
    return next(each["rules"] for each in groups if each["name"] == "alerts.rules")


def told(folder: Path, word: str, case: dict[str, Any]) -> str:
    """What promtool says of the rules; JSON is YAML, too."""
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"groups": monitoring.rule_groups(SETTINGS)}))
    file = rules
    if case:
        file = folder / "case.json"
        file.write_text(json.dumps(case))
    found = subprocess.run(
        ["promtool", word, "rules", file.name], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout
