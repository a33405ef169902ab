"""
HyperConverged, as far as it concerns boot images: which of them a cluster keeps, and where.

    settings      what a HyperConverged says, at whichever of its places
    common        the images that are shipped, and the DataSources that machines expect
    templates     shipped and own templates, merged: what is in effect
    nodes         the architectures of the cluster
    streams       ImageStreams that shipped templates name
    installation  the CDI object; `ssp`: the SSP object; `patching`: annotations that patch both
    decide        all that a HyperConverged comes to, and its status

    golden        DataImportCrons and DataSources, and who manages which
    fixed         the namespace of boot images, its roles and network policies
    sspdecide     all that an SSP comes to, and its end

    measures      what somebody may have to be called for; `metrics`: told to Prometheus;
                  `alerts`: when somebody is called; `overwriting`: changes of others

    plan, act     what is decided, and whoever carries it out
    reconciler, sspreconciler
                  look, decide, act
    others        operators beside which all of this steps back
    definitions   of both kinds, where nobody has brought them
    setup         wired to its watches

Elsewhere: what a DataImportCron does (`controllers.dataimportcron`). A cluster with a
HyperConverged operator has all of this already.
"""
