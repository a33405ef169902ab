"""What Prometheus is told of a HyperConverged, under the names that dashboards know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cdi.bootsources.measures import NOTHING, Measures

OVERWRITTEN: Final = "kubevirt_hco_out_of_band_modifications_total"
PATCHED: Final = "kubevirt_hco_unsafe_modifications"
MULTI_ARCH: Final = "kubevirt_hco_multi_arch_boot_images_enabled"
SUPPORTED: Final = "kubevirt_hco_dataimportcrontemplate_with_supported_architectures"
ANNOTATED: Final = "kubevirt_hco_dataimportcrontemplate_with_architecture_annotation"
_OF_IMAGE: Final = ("data_import_cron_name", "managed_data_source_name")


class BootMetrics:
    """The metrics of one process, in a registry of their own. Only whoever leads has values."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._measured = _Measured()
        self._registry.register(self._measured)
        self._overwritten = Counter(
            OVERWRITTEN,
            "Changes of others to objects of a HyperConverged, which were taken back.",
            ("component_name",),
            registry=self._registry,
        )

    def known(self, component: str) -> None:
        """Count for an object from now on: a rate needs a value from before."""
        self._overwritten.labels(component)

    def overwritten(self, component: str) -> None:
        """A change of somebody else to an object, `kind/name`, has been taken back."""
        self._overwritten.labels(component).inc()

    def show(self, measures: Measures) -> None:
        """Show this, and nothing of what was shown before."""
        self._measured.now = measures

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)


class _Measured(Collector):
    """What was measured last."""

    def __init__(self) -> None:
        self.now = NOTHING

    def collect(self) -> Iterable[Metric]:
        yield self._patched()
        yield self._multi_arch()
        yield from self._images()

    def _patched(self) -> Metric:
        family = _family(PATCHED, "Operations of JSON patches in annotations.", "annotation_name")
        for annotation, operations in self.now.patches.items():
            family.add_metric([annotation], operations)
        return family

    def _multi_arch(self) -> Metric:
        family = _family(
            MULTI_ARCH, "Whether a cluster of several architectures has boot images of each."
        )
        if self.now.multi_arch is not None:
            family.add_metric([], int(self.now.multi_arch))
        return family

    def _images(self) -> Iterable[Metric]:
        supported = _family(
            SUPPORTED, "Whether the cluster has an architecture of a boot image.", *_OF_IMAGE
        )
        annotated = _family(
            ANNOTATED, "Whether a template says which architectures its image has.", *_OF_IMAGE
        )
        for image in self.now.images:
            named = [image.cron, image.source]
            annotated.add_metric(named, int(image.annotated))
            if image.annotated:
                supported.add_metric(named, int(image.supported))
        return supported, annotated


def _family(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=labels)
