"""
What storage can do, and what a claim has to ask of it: pure functions over plain objects.

Objects come in as the API server sends them and are never changed; values, new objects or a
typed error come out. No I/O, no clock: whoever calls looks things up and says what time it is.

    modes, capabilities, provisioners, local   what is known about provisioners
    classes, snapshots, volumes                choosing among what a cluster has
    profile, profileinfo, conditions           the status of a StorageProfile, and its metric
    legacydefaults                             modes from the predecessor of StorageProfiles
    overhead, sizes                            how much to ask for so that a disk fits
    rendering                                  a claim completed from all of these
    scratch                                    scratch claims: when, which class, what size
    config, proxy, podresources                the status of the CDIConfig
    tlsprofile                                 what the CDIConfig says about TLS
    lifetimes                                  what the CDI object says about certificates
    uploadaddress, certificates                where clients reach the upload proxy

Elsewhere: how quantities are written (`cdi.api.quantity`), how clones are planned and who writes
any of this to a cluster (`cdi.controllers`).
"""
