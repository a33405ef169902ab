"""
Resumable uploads: tus 1.0.0 with creation, creation-with-upload, termination and checksum.

    headers     what requests say, as values
    session     what is kept of an upload between requests, and where
    chunk       bytes of one request, verified before they count if it has a checksum
    handlers    the requests themselves

A session is a capability: whoever knows its address may send. Only a hash of it is kept. The
offset is what the transfer has taken; while the server lives nothing that arrived is lost, and
after a kill it is where the transfer's journal says. Protocol: tus.io/protocols/resumable-upload.
"""
