"""
One HTTP client, made for reading large objects in ranges: little processor time for each request.

Every request goes through six rooms:

    client      requests of one source, along redirects; what a kind of server wants (`Service`)
    pool        connections, made and kept
    connection  one socket, with waits that end
    request     headers, and who may see which; the request as it is sent
    response    the head and the body that come back
    urls        where things are, and whether credentials may go there

and some come by others: `semantics` (ranges, validators), `options`; `trust` and `proxies` where
there are any; `chunks`, `cookies` and `retry` when a server makes it necessary; `failures` and
`refusals` for what goes wrong.

Elsewhere: what is read over it, and when to go on after a break (`sources`).
"""
