"""
Puts CDI on a cluster and keeps it there.

    settings         what the operator's own Deployment tells it
    inventory/       everything that is installed, as data: pure functions to lists of objects
    certificates/    the four chains and the key of tokens, renewed in time
"""
