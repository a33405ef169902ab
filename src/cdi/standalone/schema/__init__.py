"""
What the embedded API server knows about objects: kinds, fields, rules, merges and columns.

Here: pure functions over plain dicts. Elsewhere: storage (`store`) and HTTP (`apiserver`). Nothing
in this package does I/O except reading its own tables in `types/` when a kind is first used.

The doors: `registry` (which kinds exist), `admit` (unknown fields, defaults, validation),
`fields` (server-side apply and managedFields), `strategic` (strategic merge patches),
`protobuf` (bodies of clients that speak it) and `table` (what `kubectl get` prints).
"""
