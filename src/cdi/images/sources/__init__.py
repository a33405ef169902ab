"""How bytes are fetched: one module a protocol, all of them a `source.Source`."""
