"""The commands of `cdi`, one module each: what it takes, and what then runs.

A command imports what it runs when it runs. So its help and the completion of shells are quick, and
a command never pays for what another one needs.
"""
