"""
Bytes: source -> verify -> decompress -> decode -> target.

Here: how bytes are fetched (`sources`), decompressed (`codecs`), understood (`formats`),
written (`target`), joined into one transfer (`transfer`), remembered across a crash (`journal`)
and why a transfer stops (`errors`). What does not belong here: Kubernetes, claims, pods and
anything else of `cdi`; this package is a library that someone could use by itself.

All of it blocks and is meant for threads. Sizes and offsets are in bytes, times in seconds.
"""
