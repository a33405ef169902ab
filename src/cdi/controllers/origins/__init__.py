"""
What is cloned, as DataVolumes and the clone populator look at it.

    origin        the claim or the snapshot, and what concerns it
    use           whether it may be read now
    permission    whether it may be read by whoever asks, from another namespace
"""
