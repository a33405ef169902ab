"""
The upload server: `python -m cdi.workers.uploadserver` takes one upload, and fills one volume.

    process     the order comes in, one termination message goes out
    server      what is served where, who may send, how the server ends
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
