"""
Disks whose bytes are found through tables: what qcow2 and VMDK share.

Here: runs of host bytes and what they mean (`runs`), those still to come (`agenda`), bytes going
by (`passing`), which places are taken (`places`), tables read at random (`reading`) and units cut
from runs (`units`). Not here: any format's own fields.
"""
