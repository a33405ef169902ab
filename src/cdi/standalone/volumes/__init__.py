"""
Volumes of one machine: what a cluster's volume controllers and a provisioner would do.

    claims      what is to become of one PersistentVolumeClaim: a pure decision
    reclaim     what is to become of one PersistentVolume: a pure decision
    matching    which volume suits a claim
    origins     what a claim may be made from: another claim, or a snapshot
    binder      the two controllers that carry the decisions out
    copies      long copies beside them
    snapshotting, snapshotter    the same of one VolumeSnapshot
    snapshotkinds                the kinds of snapshots, as one machine serves them

Elsewhere: the volumes' data (`cdi.volumes`), which pod uses a claim first and on which node
(`standalone.agent`), and what our storage classes promise (`cdi.storage.local`).
"""
