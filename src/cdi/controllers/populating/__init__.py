"""
The import populator: a claim that names a VolumeImportSource is filled before it is bound.

A *prime* claim of the same shape is made beside the *target*; the import controller fills it;
then its volume is handed to the target, and the prime goes.

    readiness   whether a target can have its prime now
    prime       the prime claim, and what travels between the two
    rebind      handing the volume over
    mirror      events of the prime, told on the target
    decide      what to do next
    reconciler  where all this is observed and carried out
"""
