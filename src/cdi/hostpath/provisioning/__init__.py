"""
Volumes for the claims of a cluster, made by the process that has them: no sidecars, no leader.

    claims       what is to become of one claim: a pure decision
    reclaim      what is to become of one volume: a pure decision
    persistent   the PersistentVolumes, as they are created
    sources      what a claim wants its volume to hold
    backend      who makes and removes the data
    legacy       the same for the legacy provisioner
    provisioner  the two controllers that carry the decisions out
    snapshots    snapshots that a cluster asks for
    capacities   how much room a node has, for the scheduler
    watches      what they watch

Every node runs them, and sees all claims; which node a claim is for is said by its annotations.
"""
