"""
A disk that an NBD server exports on a socket of this machine.

    transport   bytes of a socket, with waits that end
    handshake   what the two sides agree on
    connection  requests and replies, one at a time
    source      the disk as a source: several connections, retries, extents
    prepare     a server as a user names it

Reading only, without TLS: for servers that run beside us (nbdkit, qemu-nbd).
"""

from cdi.images.sources.nbd.source import NbdSource, Settings, dial_unix

__all__ = ["NbdSource", "Settings", "dial_unix"]
