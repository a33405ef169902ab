"""
Kubernetes for any controller: objects in, decisions elsewhere, writes out.

Here: where the API server is and as whom we speak (`connection`), the verbs (`client` over
`transport`), lists and watches kept as caches (`informer`, `cache`), the work queue (`queue`),
the loop around a reconciler (`controller`), start and stop (`manager`), leader election
(`leader`), events (`events`), writes that may be repeated (`apply`), and what operators have in
common (`installing`). What does not belong
here: anything of CDI; this package imports nothing of `cdi`, and another controller could use
it as it is.

Everything that does I/O is asyncio and belongs to one event loop. Objects are plain dicts as
the server sent them, so no field is lost on a round trip. Times are in seconds. Every error is
one of `errors`. Time is handed in as a `clock.Clock`.
"""
