"""
How another build of CDI reads what ours has left on a cluster, and goes on with it.

`imported` and `uploaded` read a worker's end as the API has it since before `permanent` and the
other keys of ours. `apply` brings an installation to what its operator wants, by what was applied
last. `Controllers` is what its controllers make of claims and pods; they know the annotations,
names, owners and finalizers of the API, and none that only ours has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cdi.kube.mergepatch import merge_patch_for
from support.operated import Cluster

Object = dict[str, Any]

FILLED, AGAIN, FAILED, SCRATCH = "filled", "started again", "failed", "with scratch space"
APPLIED: Final = "operator.cdi.kubevirt.io/lastAppliedConfiguration"
CREATED: Final = "operator.cdi.kubevirt.io/createVersion"
# Who it takes for whom, and lets go of in its time. Of Kubernetes' own there may be any.
FINALIZERS: Final = frozenset(
    {
        "operator.cdi.kubevirt.io",
        *(
            f"cdi.kubevirt.io/{each}"
            for each in (
                "dataVolumeFinalizer",
                "clonePopulator",
                "cloneSource",
                "importImageStream",
                "objectTransfer",
            )
        ),
    }
)
_EVERYWHERE: Final = (
    "customresourcedefinitions,clusterroles,clusterrolebindings,apiservices,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations"
)
_IN_NAMESPACE: Final = "deployments,services,serviceaccounts,roles,rolebindings,secrets,configmaps"
_OWN: Final = "cdi.kubevirt.io"
_STORAGE: Final = "cdi.kubevirt.io/storage."
_PHASE: Final = _STORAGE + "pod.phase"
_CLONED: Final = "cdi.kubevirt.io/cloneSource"


def imported(exit_code: int, text: str) -> str:
    if exit_code > 0:
        return AGAIN
    said = json.loads(text)
    if "checksum mismatch" in said["message"]:
        return FAILED
    return SCRATCH if said["scratchSpaceRequired"] else FILLED


def uploaded(exit_code: int, text: str) -> str:
    """Upload servers, and all pods of whose messages nothing is known."""
    if exit_code > 0 or json.loads(text).get("deadlinePassed"):
        return AGAIN
    return FILLED


def strangers(obj: Object) -> set[str]:
    """Finalizers of CDI that it would never take off."""
    held = obj["metadata"].get("finalizers") or []
    return {each for each in held if _OWN in each} - FINALIZERS


def three_way(current: Object, desired: Object) -> Object:
    """A merge patch: all that is desired, without what was applied last and is not any more."""
    text = current["metadata"].get("annotations", {}).get(APPLIED)
    last = json.loads(text) if text else {}
    return _over(_only_removals(merge_patch_for(last, desired)), desired)


def _only_removals(patch: Object) -> Object:
    found: Object = {}
    for key, value in patch.items():
        if value is None:
            found[key] = None
        elif isinstance(value, dict) and (rest := _only_removals(value)):
            found[key] = rest
    return found


def _over(patch: Object, desired: Object) -> Object:
    made = dict(patch)
    for key, value in desired.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = _over(made[key], value) if both else value
    return made


@dataclass(frozen=True)
class Controllers:
    """What the other build's controllers do for one namespace."""

    cluster: Cluster
    space: str

    def claim(self, name: str) -> Object:
        return self.cluster.get("pvc", name, "-n", self.space)

    def work_claim(self, name: str) -> Object:
        """The one that a worker fills: the prime, where a populator is at work."""
        found = self.claim(name)
        if not found["spec"].get("dataSourceRef"):
            return found
        prime = self.claim(f"prime-{found['metadata']['uid']}")
        (owner,) = prime["metadata"]["ownerReferences"]
        assert owner["uid"] == found["metadata"]["uid"]
        assert owner["controller"] is True
        return prime

    def worker(self, claim: Object, named: str, otherwise: str) -> Object:
        """The pod of a claim, by its annotation or else by its name, if the claim controls it."""
        name = claim["metadata"]["annotations"].get(_STORAGE + named, otherwise)
        pod = self.cluster.get("pod", name, "-n", self.space)
        owners = [each for each in pod["metadata"]["ownerReferences"] if each.get("controller")]
        assert [each["uid"] for each in owners] == [claim["metadata"]["uid"]], name
        return pod

    def finish_import(self, name: str) -> str:
        """Wait for the importer that runs, and say what it makes of its end."""
        claim = self.work_claim(name)
        otherwise = f"importer-{claim['metadata']['name']}"
        pod = self.worker(claim, "import.importPodName", otherwise)
        ended = imported(*self._end(pod))
        if ended == FILLED:
            self._succeed(name, claim, pod["metadata"]["name"])
        return ended

    def finish_upload(self, name: str) -> str:
        claim = self.work_claim(name)
        pod = self._server(claim)
        ended = uploaded(*self._end(pod))
        if ended == FILLED:
            self._succeed(name, claim, pod["metadata"]["name"])
        return ended

    def finish_copy(self, name: str) -> str:
        """
        Of a claim that is the target of a copy by two pods: its server, then its source.

        Its predecessor may have got as far as to a whole disk, or to the very end.
        """
        claim = self.claim(name)
        given = claim["metadata"]["annotations"]
        if _CLONED not in claim["metadata"].get("finalizers", []):
            return FILLED
        source = given[_STORAGE + "sourceClonePodName"]
        assert source == f"{claim['metadata']['uid']}-source-pod"
        whole = given.get(_PHASE) == "Succeeded"
        ended = FILLED if whole else uploaded(*self._end(self._server(claim)))
        if ended == FILLED:
            namespace = given["k8s.io/CloneRequest"].partition("/")[0]
            selected = f"cdi.kubevirt.io/storage.clone.cloneUniqeId={source}"
            pods = ("pods", "-n", namespace, "-l", selected)
            assert len(self.cluster.get(*pods)["items"]) == 1
            self.cluster.wait(
                f"pod/{source}", "jsonpath={.status.phase}=Succeeded", "-n", namespace
            )
            self._annotate(name, {"k8s.io/CloneOf": "true"})
            self.cluster.kubectl("delete", *pods)
            self._let_go(name, _CLONED)
            self._succeed(name, claim, given[_STORAGE + "uploadPodName"])
        return ended

    def _server(self, claim: Object) -> Object:
        return self.worker(claim, "uploadPodName", f"cdi-upload-{claim['metadata']['name']}")

    def _end(self, pod: Object) -> tuple[int, str]:
        name = pod["metadata"]["name"]
        self.cluster.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", "-n", self.space)
        ended = self.cluster.get("pod", name, "-n", self.space)["status"]["containerStatuses"][0]
        said = ended["state"]["terminated"]
        return said["exitCode"], said.get("message", "")

    def _succeed(self, name: str, claim: Object, pod: str) -> None:
        """The worker is over: the claim says so, its pods and Service go, and the volume moves."""
        made = claim["metadata"]["name"]
        self._annotate(made, {_PHASE: "Succeeded"})
        where = ("-n", self.space, "--ignore-not-found")
        self.cluster.kubectl("delete", "pod,service", pod, *where)
        if made != name:
            self._annotate(name, {_PHASE: "Succeeded"})
            self._rebind(claim, self.claim(name))
        status = json.dumps({"status": {"phase": "Succeeded", "progress": "100.0%"}})
        patch = ("--type=merge", "-p", status, "--subresource=status")
        self.cluster.kubectl("patch", "dv", name, "-n", self.space, *patch)

    def _rebind(self, prime: Object, target: Object) -> None:
        volume = prime["spec"]["volumeName"]
        reference = {
            "namespace": self.space,
            "name": target["metadata"]["name"],
            "uid": target["metadata"]["uid"],
            "resourceVersion": None,
        }
        patch = json.dumps({"spec": {"claimRef": reference}})
        self.cluster.kubectl("patch", "pv", volume, "--type=merge", "-p", patch)
        name = target["metadata"]["name"]
        self.cluster.wait(f"pvc/{name}", "jsonpath={.status.phase}=Bound", "-n", self.space)
        self.cluster.kubectl("delete", "pvc", prime["metadata"]["name"], "-n", self.space)

    def _annotate(self, claim: str, given: dict[str, str]) -> None:
        patch = json.dumps({"metadata": {"annotations": given}})
        self.cluster.kubectl("patch", "pvc", claim, "-n", self.space, "--type=merge", "-p", patch)

    def _let_go(self, claim: str, finalizer: str) -> None:
        held = self.claim(claim)["metadata"].get("finalizers", [])
        patch = json.dumps({"metadata": {"finalizers": [x for x in held if x != finalizer]}})
        self.cluster.kubectl("patch", "pvc", claim, "-n", self.space, "--type=merge", "-p", patch)


def managed(cluster: Cluster, namespace: str, cdi: Object) -> Iterator[Object]:
    """What it takes for its own: what bears the mark, and belongs to the CDI object."""
    kinds = (_EVERYWHERE, _IN_NAMESPACE)
    for place, kind in zip(((), ("-n", namespace)), kinds, strict=True):
        for each in cluster.get(kind, *place, "-l", CREATED)["items"]:
            owners = each["metadata"].get("ownerReferences", [])
            if any(x["uid"] == cdi["metadata"]["uid"] and x.get("controller") for x in owners):
                yield each


def apply(cluster: Cluster, wanted: Object) -> None:
    """Bring one object to what it wants; of Secrets and ConfigMaps the data stays."""
    name = wanted["metadata"]["name"]
    place = ("-n", wanted["metadata"]["namespace"]) if "namespace" in wanted["metadata"] else ()
    kind = wanted["kind"]
    found = cluster.kubectl("get", kind, name, *place, "-o", "json", "--ignore-not-found")
    if not found.strip():
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(wanted))
        return
    patch = three_way(json.loads(found), wanted)
    if kind in ("Secret", "ConfigMap"):
        patch = {"metadata": patch["metadata"]}
    text = json.dumps(patch)
    cluster.kubectl("patch", kind, name, *place, "--type=merge", "-p", text)
