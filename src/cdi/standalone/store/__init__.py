"""
Objects on disk: an append-only log in SQLite whose row number is the resourceVersion.

Here: durable writes with group commit, optimistic concurrency, reads from memory, lists at an
earlier revision, watches from an earlier revision, and the lock on the state directory.
Elsewhere: what an object means. The store knows a resource, a namespace, a name and a JSON body.
"""
