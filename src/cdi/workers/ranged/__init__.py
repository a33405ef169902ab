"""
A disk over the network in ranges, between a clone source and an upload server of ours.

    greeting    what a connection says first
    clienthello who asks for this protocol, as it is read off the beginning of TLS
    sealed      a connection after TLS has told its ends who they are
    export      the sender's end of one connection: an NBD server
    sender      the sender's end of one copy
    comparing   the transfer at the server's end, which `uploadserver.copies` begins

A client says in its TLS greeting (ALPN) that it speaks PROTOCOL or HTTP/1.1. A server that knows
only the latter, ours of yesterday or one of others, chooses that, and is sent one POST as always;
it sees nothing of this. With PROTOCOL every connection begins with a line of JSON. The first one
of a copy is answered at its beginning and at its end; over the others the upload server asks, as
an NBD client, for what has data, several ranges at a time. So the transfer is that of an import:
journaled, resumable, zeros left out. One command more than NBD has asks for a digest: what is
read is compared at once, and what an earlier attempt has brought before the disk is committed.
"""
