"""
ObjectTransfers (deprecated): a DataVolume or a claim moves to another name or namespace.

Its volume stays where it is and changes hands; what was there is remembered in the status of the
transfer, before anything is deleted, and made anew at the target.

    seen        what is known about one transfer
    moved       what is remembered of a source, and what its target looks like
    decide      phases, and what is the same for both kinds
    claims      moving a claim
    volumes     moving a DataVolume, by a transfer of its claim
    reconciler  where all this is observed and carried out
"""
