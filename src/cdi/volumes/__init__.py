"""
Local volumes: making, growing, attaching and removing directories and block devices.

    pool        the volumes beneath one directory: made, grown, cloned, measured, erased
    snapshots   what volumes held at one moment
    records     what was asked of each volume
    mounts      where directories and devices are shown, and file systems
    devices     the block devices of volumes, and who may use them
    loops       files that the machine shows as block devices
    copying     a file's data, shared where the file system can
    trees       a directory with all that is in it
    formatting  file systems of devices
    quotas      directories that their file system holds to a size
    errors      why something could not be done

It knows nothing of Kubernetes and imports nothing of ours: whoever gives volumes to pods of one
machine, or to a kubelet, stands on it. Every call blocks, may be repeated, and leaves either the
old or the new state when it is killed. Sizes are in bytes.
"""
