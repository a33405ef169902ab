"""
Local volumes of a cluster's nodes, as the hostpath provisioner offers them.

    csi         the CSI driver: the protocol, and its three services
    keeper      the volumes and snapshots of one node: one operation at a time on each
    pools       the directories that they are in

Elsewhere: how volumes are made, copied and removed (`cdi.volumes`).
"""
