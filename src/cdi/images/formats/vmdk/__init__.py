"""
VMware disks in a single file (VMDK), read natively: at random or in file order.

Here: monolithicSparse and streamOptimized, versions 1 to 3 of "Virtual Disk Format". Not here:
writing, and every kind whose data is in other files (flat, split, VMFS, raw devices, snapshots),
all of which are refused. All input is taken for hostile. Places are in sectors of 512 bytes, all
numbers little-endian.
"""

from cdi.images.formats.vmdk.forward import ForwardVmdk
from cdi.images.formats.vmdk.header import Header, parse_header
from cdi.images.formats.vmdk.inspection import inspect
from cdi.images.formats.vmdk.ranged import RandomVmdk

__all__ = ["ForwardVmdk", "Header", "RandomVmdk", "inspect", "parse_header"]
