"""
Certificates of an installation: made, renewed with overlap, and kept in Secrets and ConfigMaps.

    chains       which there are: four signers, their bundles, what they sign. Data
    decide       what has to be made anew, and when to look again. Pure
    contents     certificates in Secrets and bundles in ConfigMaps, read and written
    renewal      one chain: what is there to what should be. Makes keys, does no I/O
    signingkey   the key of tokens, exchanged in three steps. Pure but for the making of keys
    sync         all of it, against a cluster

For how long, the CDI object says (`cdi.storage.lifetimes`).

Trust goes first: a new signer's certificate is in the bundle before anything is signed with it, and
what it replaces stays in the bundle until it has expired.
"""
