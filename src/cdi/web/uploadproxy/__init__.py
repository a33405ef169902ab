"""
What Deployment `cdi-uploadproxy` runs: takes uploads from outside, and passes them to the server
of the claim that they are for.

    server        all of it, as a part for a manager
    paths         which paths there are, and what they become at the server
    permission    who may: the bearer token of a request
    readiness     whether a claim takes an upload, from its annotations: pure
    claims        the same, waited for
    endpoints     where a claim's server is
    peers         connections to servers, with certificates on both sides
    forwarding    one request and its answer, streamed both ways
    refusals      what ends a request here
    crossorigin   pages of others
    metrics       what was passed on
    pages         the page for people, whose files are in `page/`, and what it may ask
    listing       the volumes that it offers: pure

Nothing is kept here: any replica serves any request, and one that dies loses no more than the
connections that it had. Memory does not depend on how much is sent.
"""
