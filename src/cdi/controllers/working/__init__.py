"""
Worker pods: what importers, upload servers and clone sources, and their controllers, share.

    context           what the cluster and the installation say about worker pods
    mounts            their volumes, each with its mount
    pods              the parts of which their pods are joined
    podspec           a whole pod, for workers that need nothing but claims
    report            what a pod says about its worker
    runningcondition  condition Running of the claim, from that
    scratchclaim      room for a worker that needs random access to a stream
    claims            changes of a claim's annotations

Each kind of worker has a room of its own (`importing`), which says what it is told and decides
what its end means.
"""
