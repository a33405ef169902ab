"""
The operator of the hostpath provisioner: it keeps what a HostPathProvisioner asks for.

    inventory    everything that one object stands for, as data
    validation   which objects can be followed
    decide       from one look at the cluster to a plan
    mounting     the same for pools on claims
    status       what the object says
    act          carrying plans out
    reconciler   one pass: look, decide, act
    certificate  of the webhook: our own
    manifests    the operator itself, printed
    settings     what it is told by whoever installed it
    setup        all parts, wired
"""
