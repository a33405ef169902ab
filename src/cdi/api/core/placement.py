"""Where pods may run: node selectors, affinity to nodes and to other pods, tolerations."""

from typing import Annotated, ClassVar

from cdi.api.core.metadata import LabelSelector
from cdi.api.view import ATOMIC_LIST, ATOMIC_MAP, Int32, Int64, View, doc


class NodeSelectorRequirement(View):
    """One condition on a node."""

    key: Annotated[str, doc("Label or field that the condition is about.")]
    operator: Annotated[str, doc("In, NotIn, Exists, DoesNotExist, Gt or Lt.")]
    values: Annotated[
        list[str] | None,
        doc(
            "Values to compare with: some for In and NotIn, none for Exists and DoesNotExist, "
            "exactly one whole number for Gt and Lt.",
            **ATOMIC_LIST,
        ),
    ] = None


class NodeSelectorTerm(View):
    """Conditions on a node, all of which have to hold; none at all selects no node."""

    SCHEMA: ClassVar = ATOMIC_MAP

    match_expressions: Annotated[
        list[NodeSelectorRequirement] | None,
        doc("Conditions on the node's labels.", **ATOMIC_LIST),
    ] = None
    match_fields: Annotated[
        list[NodeSelectorRequirement] | None,
        doc("Conditions on the node's fields.", **ATOMIC_LIST),
    ] = None


class NodeSelector(View):
    """Terms, one of which has to select the node."""

    SCHEMA: ClassVar = ATOMIC_MAP

    node_selector_terms: Annotated[
        list[NodeSelectorTerm],
        doc("Terms, one of which has to select the node.", **ATOMIC_LIST),
    ]


class PreferredSchedulingTerm(View):
    """Nodes that are preferred, and how much."""

    preference: Annotated[NodeSelectorTerm, doc("Which nodes are preferred.")]
    weight: Annotated[Int32, doc("How much they are preferred, from 1 to 100.")]


class NodeAffinity(View):
    """Which nodes a pod needs or prefers."""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredSchedulingTerm] | None,
        doc("Nodes that are preferred when the pod is placed.", **ATOMIC_LIST),
    ] = None
    required_during_scheduling_ignored_during_execution: Annotated[
        NodeSelector | None,
        doc("Nodes that are allowed when the pod is placed. Running pods are left alone."),
    ] = None


class PodAffinityTerm(View):
    """Pods beside which, or away from which, a pod is placed."""

    topology_key: Annotated[
        str, doc("Node label that says what counts as the same place. Not empty.")
    ]
    label_selector: Annotated[
        LabelSelector | None, doc("Labels of the pods that count; absent means no pod.")
    ] = None
    match_label_keys: Annotated[
        list[str] | None,
        doc("Labels for which those pods have the value of the new pod.", **ATOMIC_LIST),
    ] = None
    mismatch_label_keys: Annotated[
        list[str] | None,
        doc("Labels for which those pods have another value than the new pod.", **ATOMIC_LIST),
    ] = None
    namespace_selector: Annotated[
        LabelSelector | None,
        doc("Labels of the namespaces that count beside `namespaces`; empty means all."),
    ] = None
    namespaces: Annotated[
        list[str] | None,
        doc(
            "Namespaces that count; neither this nor a selector means the pod's own.", **ATOMIC_LIST
        ),
    ] = None


class WeightedPodAffinityTerm(View):
    """Pods that are preferred as neighbours, or avoided, and how much."""

    pod_affinity_term: Annotated[PodAffinityTerm, doc("Which pods are meant, and how near.")]
    weight: Annotated[Int32, doc("How much it matters, from 1 to 100.")]


class PodAffinity(View):
    """Beside which pods a pod has to be placed, or is placed by preference."""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm] | None,
        doc("Pods beside which it is placed by preference.", **ATOMIC_LIST),
    ] = None
    required_during_scheduling_ignored_during_execution: Annotated[
        list[PodAffinityTerm] | None,
        doc("Pods beside which it has to be placed.", **ATOMIC_LIST),
    ] = None


class PodAntiAffinity(View):
    """Away from which pods a pod has to be placed, or is placed by preference."""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm] | None,
        doc("Pods away from which it is placed by preference.", **ATOMIC_LIST),
    ] = None
    required_during_scheduling_ignored_during_execution: Annotated[
        list[PodAffinityTerm] | None,
        doc("Pods away from which it has to be placed.", **ATOMIC_LIST),
    ] = None


class Affinity(View):
    """Which nodes, and which neighbours, a pod needs or prefers."""

    node_affinity: Annotated[
        NodeAffinity | None, doc("On which nodes pods have to run, or run by preference.")
    ] = None
    pod_affinity: Annotated[
        PodAffinity | None, doc("Beside which other pods they have to run, or run by preference.")
    ] = None
    pod_anti_affinity: Annotated[
        PodAntiAffinity | None,
        doc("Away from which other pods they have to run, or run by preference."),
    ] = None


class Toleration(View):
    """A taint of nodes that a pod puts up with."""

    effect: Annotated[
        str | None,
        doc("NoSchedule, PreferNoSchedule or NoExecute; absent means every effect."),
    ] = None
    key: Annotated[
        str | None, doc("Key of the taint; absent, with operator Exists, means every taint.")
    ] = None
    operator: Annotated[
        str | None, doc("How the value is compared: Equal, the default, Exists, Lt or Gt.")
    ] = None
    toleration_seconds: Annotated[
        Int64 | None, doc("For NoExecute: seconds that the pod stays; absent means for ever.")
    ] = None
    value: Annotated[str | None, doc("Value of the taint; empty with operator Exists.")] = None


class NodePlacement(View):
    """Where the pods of one part of CDI may run."""

    affinity: Annotated[
        Affinity | None, doc("Which nodes and which neighbours the pods need or prefer.")
    ] = None
    node_selector: Annotated[
        dict[str, str] | None, doc("Labels that a node has to have to run the pods.")
    ] = None
    tolerations: Annotated[
        list[Toleration] | None, doc("Taints of nodes that the pods put up with.")
    ] = None
