"""
Populators: a claim that names a source object is filled before it is bound.

A *prime* claim of the same shape is made beside the *target*; a worker fills it; then its
volume is handed to the target, and the prime goes.

    populator   what every populator has to say: a small interface
    imports     the import populator
    uploads     the upload populator
    registry    which populator fills a claim
    readiness   whether a target can have its prime now
    prime       the prime claim, and what travels between the two
    rebind      handing the volume over
    mirror      events of the prime, told on the target
    decide      what to do next
    reconciler  where all this is observed and carried out
"""
