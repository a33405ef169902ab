"""
DataVolumes: from what the user wants to a claim, and from the claim's state to a status.

    source        which source a DataVolume names
    operations    one module for each way to fill a claim, and which of them a DataVolume asks for
    claim         the claim of a DataVolume
    adoption      whether a claim needs to be filled at all
    static        volumes that somebody prepared by hand
    seen          what one look at a DataVolume collects
    sync          which objects there should be
    phase         the phase that follows from the claim
    conditions    Bound, Ready and Running
    status        all of the status
    decide        sync and status as one plan
    reconciler    where all this is observed and carried out
"""
