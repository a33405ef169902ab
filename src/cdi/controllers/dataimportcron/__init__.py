"""
DataImportCrons: images that keep themselves up to date.

    seen          what one look collects
    draft         what a pass has decided so far
    decide        the order of a pass
      polling       which version there is: by a poller, or by looking here
        pollers       the CronJob, its first Job, and what its pods say
        besides       what a poller waits for that is beside the cron
        nodepull      the pod for which a node pulls an image
        lookups       what is found by looking: claims, ImageStreams
      importing     the DataVolume of a new version, and how far it is
        template      what the cron's template says
      relocation    the storage class has changed
      formats       claims that become snapshots, and snapshots that become claims again
      managed       the DataSource that follows
      collecting    old imports go
      conditions    Progressing and UpToDate
      cleanup       the cron goes
    reconciler    what is looked at, and which changes concern which cron

A pass changes imports first, then the DataSource, then what is no longer needed, and last the
cron itself, whose status and annotations are written at once. What is made has a name that
follows from the digest, so that a pass that died anywhere is continued by the next.
"""
