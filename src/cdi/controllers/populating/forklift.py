"""
The populators of oVirt and OpenStack: primes are filled by the import controller, in one stage.

Source objects are of a group of their own, and a claim may leave the group out. The pod is called
as clients look for it, `populate-<UID of the target>`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from cdi.api import annotations, names, resources
from cdi.controllers import kinds, plan
from cdi.controllers.importing import pod, requests
from cdi.controllers.populating import news
from cdi.controllers.populating.populator import Populator
from cdi.controllers.populating.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object

_KIND = "forklift"  # of all primes of these populators


class _Forklift(Populator):
    """What both have in common."""

    inherited = (annotations.RETRY_FOR, annotations.SCRATCH_CLASS)
    source: ClassVar[str]  # as importers know it
    address: ClassVar[str]  # the fields of a source object
    disk: ClassVar[str]

    def request(self, source: Object) -> Mapping[str, str]:
        spec = objects.get(source, "spec", default={})
        asked = {
            annotations.SOURCE: self.source,
            annotations.ENDPOINT: spec.get(self.address),
            annotations.SECRET: spec.get("secretRef"),
            annotations.DISK_ID: spec.get(self.disk),
            annotations.MULTUS_DEFAULT_NETWORK: spec.get("transferNetwork"),
            annotations.USE_POPULATOR: annotations.TRUE,
        }
        return {key: value for key, value in asked.items() if value}

    def of_target(self, target: Object) -> Mapping[str, str]:
        return {annotations.IMPORT_POD: names.populate_pod_for(objects.uid(target))}

    def worker_of(self, prime: Object) -> str:
        return pod.pod_name_of(prime)

    def news(self, seen: Seen, prime: Object) -> Sequence[plan.Event]:
        return news.of_import(seen, prime, filled=self.is_filled(prime))

    def is_target(self, claim: Object) -> bool:
        reference = objects.get(claim, "spec", "dataSourceRef", default={})
        return (
            reference.get("apiGroup") in (None, resources.FORKLIFT_GROUP)
            and reference.get("kind") == self.resource.kind
            and bool(reference.get("name"))
            and reference.get("namespace") in (None, objects.namespace(claim))
        )

    def kind_of_prime(self) -> str:
        return _KIND

    def owns(self, prime: Object) -> bool:
        given = objects.annotations(prime)
        named = given.get(annotations.POPULATOR_KIND) == _KIND
        return named and given.get(annotations.SOURCE) == self.source


class OvirtPopulator(_Forklift):
    """Fills claims that name an OvirtVolumePopulator."""

    controller = "ovirt-populator-controller"
    resource = kinds.OVIRT_POPULATORS
    cache = "ovirt_populators"
    source = requests.OVIRT
    address = "engineUrl"
    disk = "diskId"


class OpenstackPopulator(_Forklift):
    """Fills claims that name an OpenstackVolumePopulator."""

    controller = "openstack-populator-controller"
    resource = kinds.OPENSTACK_POPULATORS
    cache = "openstack_populators"
    source = requests.OPENSTACK
    address = "identityUrl"
    disk = "imageId"
