"""
Volumes of one machine: what a cluster's volume controllers and a provisioner would do.

    claims      what is to become of one PersistentVolumeClaim: a pure decision
    reclaim     what is to become of one PersistentVolume: a pure decision
    matching    which volume suits a claim
    binder      the two controllers that carry the decisions out

Elsewhere: the volumes' data (`cdi.volumes`), which pod uses a claim first and on which node
(`standalone.agent`), and what our storage classes promise (`cdi.storage.local`).
"""
