"""
One HTTP client, made for reading large objects in ranges: little processor time for each request.

Every request goes through six rooms:

    client      requests of one source, along redirects; what a kind of server wants (`Service`)
    pool        connections, kept and used again
    connection  one socket, with waits that end
    request     headers, and who may see which; the request as it is sent
    response    the head that comes back, and what it means; the body
    urls        where things are, and whether credentials may go there

and some open others: `dialer` where TLS (`tls`) or a proxy (`proxies`) is in between, `redirects`,
`codings` and `retry` when a server makes it necessary, `urlparts` for more than a plain URL,
`failures` for all that goes wrong. `options` is what users name.

Elsewhere: what is read over it, and when to go on after a break (`sources`).
"""
