"""
What Deployment `cdi-uploadproxy` runs. It takes no uploads yet, and says so.

    server    the process
"""
