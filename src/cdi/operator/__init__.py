"""
Puts CDI on a cluster and keeps it there.

    certificates/    the four chains and the key of tokens, renewed in time
"""
