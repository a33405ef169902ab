"""
Clones: a claim that names a VolumeCloneSource gets the content of a claim or of a snapshot.

There is no prime. A *temporary claim* is made beside the source, in the source's namespace, by the
storage itself or by pods that copy; then its volume is handed to the target, and what was
temporary goes. How it is done is a *strategy*, chosen once and kept on the target; it is carried
out as a list of short *phases*, which may all be run again.

    seen            what one look at a target collects
    strategy        which strategy, and why not a better one
    snapshotclass   which VolumeSnapshotClass takes the snapshots
    temporaries     the objects that a clone makes for itself
    outcome         what a phase has come to
    csiclone, snapshotting, restoring, preparing, copying, handover    one phase each
    copypod, preppod                               the pods of phases
    inplace         copies into claims that are bound from the beginning
    nodes           whether one pod can have both volumes
    sending, sendingkeys, sendingreconciler        copies over the network
    planner         which phases make up a strategy
    shown           what the target says of it
    decide          what to do next
    reconciler      where all this is observed and carried out
"""
