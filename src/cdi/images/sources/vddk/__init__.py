"""
A disk of a virtual machine in vSphere, read by VMware's VDDK library inside of nbdkit.

    values     what vSphere says of a machine, its disks and snapshots: plain data
    choosing   which disk, which snapshot, which changes: pure
    areas      the areas that changed, as extents of the disk
    vsphere    the one module that speaks to vSphere
    command    nbdkit's command line; what its log and its last words mean
    prepare    all of it together

The library is VMware's and comes from the user; only amd64 has one.
"""
