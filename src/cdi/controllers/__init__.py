"""
CDI's controllers: from DataVolumes and annotated claims to filled volumes.

Every controller is the same three steps. *Observe* collects what a decision needs, from caches;
*decide* is a pure function from that to a `plan.Plan`; *act* carries a plan out. What watches
and queues is `cdi.kube`; what storage can do and how large claims must be is `cdi.storage`.

    plan, act                      what a decision says, and the one place that writes
    cluster, kinds                 the caches that observations come from
    settings, metadata, boundcondition  what all of them share
    progress                       how far an importer is
    datavolume                     DataVolume -> claim, and the status of DataVolumes
    importing                      annotated claim -> importer pod -> annotations of the claim
    populating                     claim with a data source -> prime claim -> volume moved over
    storageprofile, cdiconfig      what is known about classes, and the settings of it all
    setup                          all of them as parts of a `cdi.kube` manager

Nothing here serves HTTP, reads disks or knows whether the API server is a cluster's or ours.
Objects are plain dicts as the server sent them and are never changed in place.
"""
