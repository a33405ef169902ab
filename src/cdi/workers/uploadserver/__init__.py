"""
The upload server: `python -m cdi.workers.uploadserver` takes one upload, and fills one volume.

    process     the order comes in, one termination message goes out
    server      where it listens, which way connections go, how it ends
    door        where they come in
    copies      those of disks that are asked for in ranges (`workers.ranged`)
    requests    those of HTTP: what is served where, and who may send
    uploads     which upload has the volume, and when the next one takes over
    body        from a request to the transfer
    filling     what becomes of the bytes
    tus         uploads that go on: the protocol, and what is kept between its requests
    metrics     how far it is
    answers     what the sender is told
    tls         the line, and the name of who is at its other end

The event loop has the network, a thread has the disk; a bounded queue lies between them
(`images.sources.handed`). A server stays up after an upload that failed: the next one begins with
an empty volume. After one that succeeded it ends. Sizes are in bytes, durations in seconds.
"""
