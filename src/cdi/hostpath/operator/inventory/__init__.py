"""
Everything that a HostPathProvisioner stands for, as data.

    marks        labels of everything
    pools        the pools of an object, and how names become short enough
    claimed      what pools on claims need on every node
    daemonsets   the driver and the legacy provisioner
    access       accounts, roles, bindings
    monitoring   for Prometheus' operator, where there is one
    openshift    for OpenShift
    installed    all of it

No I/O: functions from settings, the object and a few facts of the cluster to new objects.
"""
