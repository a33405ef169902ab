"""The chart as Helm itself sees it: it is well formed, and gives the objects of the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cdi.operator.inventory import operator
from cdi.operator.manifests import helm
from cdi.operator.settings import Images, Settings

# PyPI's helm-python-sdk: Helm as a library, of a quarter of a GiB; too large for every machine.
sdk = pytest.importorskip(
    "helm_python", reason="needs Helm: .venv/bin/pip install helm-python-sdk (CONTRIBUTING.md)"
)

SETTINGS = Settings(namespace="disks", version="v1.2.3", images=Images.all("registry/cdi:1"))
RECOMMENDED = ["icon is recommended"]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chart")
    for name, text in helm.chart(SETTINGS).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_helm_has_nothing_against_the_chart(chart: Path) -> None:
    said = sdk.lint(chart, strict=True, namespace="disks")
    assert said["errors"] == []
    assert [each["error"] for each in said["messages"]] == RECOMMENDED


def test_helm_makes_the_objects_of_the_manifests(chart: Path) -> None:
    rendered = sdk.Chart.load(chart).render(name="cdi", namespace="disks", is_install=True)
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    made = [each for text in texts for each in yaml.safe_load_all(text) if each]
    wanted = [
        *(
            each
            for each in operator.operator_objects(SETTINGS)
            if each["kind"] not in ("Namespace", "CustomResourceDefinition")
        ),
        operator.default_cdi("IfNotPresent"),
    ]
    assert by_name(made) == by_name(wanted)


def by_name(found: list[dict]) -> dict:
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.mark.parametrize(
    "values", [{"image": 5}, {"pullPolicy": "Sometimes"}, {"nonsense": 1}], ids=str
)
def test_values_that_make_no_sense_are_refused(chart: Path, values: dict) -> None:
    with pytest.raises(sdk.HelmError):
        sdk.Chart.load(chart).validate_schema(values)
