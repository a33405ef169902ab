"""Alerts about a HyperConverged as Prometheus reads them: syntax, and when somebody is called."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cdi.bootsources import alerts, metrics

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus"
)

IMAGE = {"data_import_cron_name": "fedora", "managed_data_source_name": "fedora"}
OF_IMAGE = '{data_import_cron_name="fedora", managed_data_source_name="fedora"}'
CDI = {"component_name": "cdi/cdi"}


@pytest.mark.parametrize(
    ("series", "values", "fires"),
    [
        pytest.param(
            f"{metrics.ANNOTATED}{OF_IMAGE}",
            "0x60",
            {"HCOGoldenImageWithNoArchitectureAnnotation": IMAGE},
            id="not-annotated",
        ),
        pytest.param(f"{metrics.ANNOTATED}{OF_IMAGE}", "1x60", {}, id="annotated"),
        pytest.param(
            f"{metrics.SUPPORTED}{OF_IMAGE}",
            "0x60",
            {"HCOGoldenImageWithNoSupportedArchitecture": IMAGE},
            id="not-supported",
        ),
        pytest.param(f"{metrics.SUPPORTED}{OF_IMAGE}", "1x60", {}, id="supported"),
        pytest.param(
            metrics.MULTI_ARCH, "0x60", {"HCOMultiArchGoldenImagesDisabled": {}}, id="one-arch"
        ),
        pytest.param(metrics.MULTI_ARCH, "1x60", {}, id="several"),
        pytest.param(
            f'{metrics.OVERWRITTEN}{{component_name="cdi/cdi"}}',
            "0x27 1x30",
            {"KubeVirtCRModified": CDI},
            id="just-changed",
        ),
        pytest.param(
            f'{metrics.OVERWRITTEN}{{component_name="cdi/cdi"}}',
            "0x9 1x50",
            {},
            id="changed-long-ago",
        ),
        pytest.param(
            f'{metrics.PATCHED}{{annotation_name="x/jsonpatch"}}',
            "1x60",
            {"UnsupportedHCOModification": {"annotation_name": "x/jsonpatch"}},
            id="patched",
        ),
        pytest.param(f'{metrics.PATCHED}{{annotation_name="x"}}', "0x60", {}, id="not-patched"),
    ],
)
def test_somebody_is_called_when_it_is_time(
    tmp_path: Path, series: str, values: str, fires: dict[str, dict[str, str]]
) -> None:
    expected = [
        {
            "eval_time": "30m",
            "alertname": each["alert"],
            "exp_alerts": [_called(each, fires[each["alert"]])] if each["alert"] in fires else [],
        }
        for each in alerts.groups()[0]["rules"]
    ]
    case = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values}],
        "alert_rule_test": expected,
    }
    (tmp_path / "rules.json").write_text(json.dumps({"groups": alerts.groups()}))
    test = {"rule_files": ["rules.json"], "tests": [case]}
    (tmp_path / "case.json").write_text(json.dumps(test))
    done = subprocess.run(
        ["promtool", "test", "rules", "case.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _called(alert: dict, labels: dict[str, str]) -> dict:
    annotations = dict(alert["annotations"])
    for name, value in labels.items():
        annotations["summary"] = annotations["summary"].replace(f"{{{{ $labels.{name} }}}}", value)
    return {"exp_labels": alert["labels"] | labels, "exp_annotations": annotations}
