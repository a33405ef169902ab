"""
Disks of oVirt and its kin: the engine is asked for an image transfer, and the imageio daemon of a
host, which reads the disk, for its bytes.

    markup     the engine's XML, read without trusting it
    patience   how long everything is waited for
    engine     one conversation with the engine: logging in, asking, its faults
    catalog    which disk, or which disk snapshot, is meant
    transfers  one image transfer: begun, waited for, extended, ended
    daemon     what the daemon serves under a transfer's URL
    lease      a transfer that is kept alive, and replaced where that is sound
    prepare    a lease as something to import from
    source     the bytes: an ordinary source over a lease

Ticket URLs let whoever knows them read the disk. Like passwords and tokens they are never shown.
"""
