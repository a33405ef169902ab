"""
Disks whose bytes are found through tables: what qcow2 and VMDK share.

Here: runs of host bytes and what they mean (`runs`), those still to come (`agenda`), tables read
at random and the places that are taken (`tables`), and units cut from runs (`units`). Not here:
any format's own fields.
"""
