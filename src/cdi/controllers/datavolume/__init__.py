"""
DataVolumes: from what the user wants to a claim, and from the claim's state to a status.

    operation     which controller a DataVolume belongs to
    claim         the claim of a DataVolume
    adoption      whether a claim needs to be filled at all
    importsource  the VolumeImportSource of a DataVolume
    static        volumes that somebody prepared by hand
    seen          what one look at a DataVolume collects
    sync          which objects there should be
    phase         the phase that follows from the claim
    external      the same for claims that a foreign populator fills
    conditions    Bound, Ready and Running
    status        all of the status
    decide        sync and status as one plan
    reconciler    where all this is observed and carried out
"""
