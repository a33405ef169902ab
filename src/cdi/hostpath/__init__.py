"""
Local volumes of a cluster's nodes, as the hostpath provisioner offers them.

    csi           the CSI driver: the protocol, and its three services
    provisioning  volumes and snapshots for what a cluster claims, without sidecars
    operator      keeps both on the nodes of a cluster, as one object says
    mounter       the claim of a pool, mounted where the driver finds it
    keeper        the volumes and snapshots of one node: one operation at a time on each
    jobs, locks   what takes its time, and one at a time
    pools         the directories that they are in
    former        snapshots of whoever kept a pool before
    conditions    whether a volume is well
    metrics       what Prometheus is told; osdisk: whether volumes compete with the system
    settings      what the driver is told
    setup         all parts of driver and provisioners, wired

Elsewhere: how volumes are made, copied and removed (`cdi.volumes`).
"""
