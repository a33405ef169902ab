"""
HyperConverged, as far as it concerns boot images: which of them a cluster keeps, and where.

    settings      what a HyperConverged says, at whichever of its places
    common        the images that are shipped, and the DataSources that machines expect
    templates     shipped and own templates, merged: what is in effect
    architectures one template for each architecture of the cluster
    golden        DataImportCrons and DataSources, and who manages which
    fixed         the namespace of boot images, its roles and network policies
    installation  the CDI object
    decide        all of it: what should exist, what should go, and the status
    reconciler    look, decide, act
    setup         wired to its watches

Elsewhere: what a DataImportCron does (`controllers.dataimportcron`). A cluster with a
HyperConverged operator has all of this already; `reconciler` steps back there.
"""
