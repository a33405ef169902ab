"""
Disks whose bytes are found through tables: what qcow2 and VMDK share.

Here: runs of host bytes and what they mean (`runs`), those still to come (`agenda`), and the tables
that are read at random with the units cut from their runs (`units`). Not here: any format's own
fields.
"""
