"""What Prometheus is told of a HyperConverged, and when somebody is called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cdi.bootsources import alerts, measures
from cdi.bootsources.measures import Image, Measures, measures_of
from cdi.bootsources.metrics import BootMetrics
from cdi.bootsources.nodes import Architectures
from cdi.bootsources.overwriting import Overwriting
from cdi.kube.objects import Object

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
MULTI_ARCH = {"featureGates": {"enableMultiArchBootImageImport": True}}
ONE, TWO = Architectures((), ("amd64",)), Architectures((), ("amd64", "arm64"))
PATCH = "ssp.kubevirt.io/jsonpatch"
UNPATCHED = dict.fromkeys(measures.PATCHES, 0)


def hyperconverged(spec: Object, **annotations: str) -> Object:
    meta = {"name": "kubevirt-hyperconverged", "namespace": "hco", "annotations": annotations}
    return {"metadata": meta, "spec": spec}


def entry(name: str, **status: Any) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"managedDataSource": f"{name}-source"},
        "status": status,
    }


UNSUPPORTED = [{"type": "Deployed", "status": "False"}]
ENTRIES = {
    "dataImportCronTemplates": [
        entry("plain", commonTemplate=True),
        entry("fits", originalSupportedArchitectures="amd64"),
        entry("alien", originalSupportedArchitectures="riscv64", conditions=UNSUPPORTED),
    ]
}
IMAGES = (
    Image("plain", "plain-source", annotated=False, supported=True),
    Image("fits", "fits-source", annotated=True, supported=True),
    Image("alien", "alien-source", annotated=True, supported=False),
)


@pytest.mark.parametrize(
    ("given", "architectures", "found"),
    [
        pytest.param(hyperconverged({}), ONE, Measures(UNPATCHED), id="usual"),
        pytest.param(hyperconverged({}), TWO, Measures(UNPATCHED, False), id="would-matter"),
        pytest.param(
            hyperconverged(MULTI_ARCH), TWO, Measures(UNPATCHED, True, IMAGES), id="multi-arch"
        ),
        pytest.param(
            hyperconverged({}, **{PATCH: '[{"op": "remove"}, {"op": "add"}]'}),
            ONE,
            Measures({**UNPATCHED, PATCH: 2}),
            id="patched",
        ),
        pytest.param(hyperconverged({}, **{PATCH: "{"}), ONE, Measures(UNPATCHED), id="no-patch"),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}},
            TWO,
            measures.NOTHING,
            id="ending",
        ),
    ],
)
def test_what_is_measured(given: Object, architectures: Architectures, found: Measures) -> None:
    assert measures_of(given, ENTRIES, architectures) == found


def shown(metrics: BootMetrics) -> dict[str, float]:
    lines = [each for each in metrics.text().decode().splitlines() if each.startswith("kubevirt")]
    return {
        name.removeprefix("kubevirt_hco_"): float(value)
        for name, value in (each.rsplit(" ", 1) for each in lines)
        if "_created" not in name
    }


def test_measures_are_shown_and_make_way() -> None:
    metrics = BootMetrics()
    assert shown(metrics) == {}
    metrics.show(Measures({PATCH: 2}, True, IMAGES))

    def of(name: str, image: str) -> str:
        labels = f'data_import_cron_name="{image}",managed_data_source_name="{image}-source"'
        return f"dataimportcrontemplate_with_{name}{{{labels}}}"

    assert shown(metrics) == {
        f'unsafe_modifications{{annotation_name="{PATCH}"}}': 2,
        "multi_arch_boot_images_enabled": 1,
        of("architecture_annotation", "plain"): 0,
        of("architecture_annotation", "fits"): 1,
        of("architecture_annotation", "alien"): 1,
        of("supported_architectures", "fits"): 1,
        of("supported_architectures", "alien"): 0,
    }
    metrics.show(measures.NOTHING)
    assert shown(metrics) == {}


def test_a_change_of_somebody_else_is_counted_and_one_of_its_own_is_not() -> None:
    metrics = BootMetrics()
    overwriting = Overwriting(metrics)
    small, large = ({"kind": "SSP", "metadata": {"name": "ssp"}, "spec": n} for n in (1, 2))

    def counted() -> float:
        (value,) = shown(metrics).values()
        return value

    overwriting.wrote(small, differed=True)  # as a former process, or nobody, has left it
    overwriting.wrote(small, differed=False)
    overwriting.wrote(large, differed=True)
    assert counted() == 0
    overwriting.wrote(large, differed=True)
    assert counted() == 1
    assert list(shown(metrics)) == ['out_of_band_modifications_total{component_name="ssp/ssp"}']


def test_every_alert_reads_what_is_shown_and_has_a_page() -> None:
    (group,) = alerts.groups()
    told = BootMetrics()
    known = set(re.findall(r"^# TYPE (\S+)", told.text().decode(), re.MULTILINE))
    for each in group["rules"]:
        (name,) = re.findall(r"kubevirt_hco_[a-z_]+", each["expr"])
        assert name in known
        assert each["labels"]["kubernetes_operator_part_of"] == "kubevirt"
        page = (RUNBOOKS / f"{each['alert']}.md").read_text()
        assert page.startswith(f"# {each['alert']}\n")
        assert each["annotations"]["runbook_url"].endswith(f"/{each['alert']}")
    names = [each["alert"] for each in group["rules"]]
    assert names == sorted(names)
    assert len(names) == 5
