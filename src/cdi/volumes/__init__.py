"""
Local volumes: making, growing, attaching and removing directories and block devices.

    pool    the volumes beneath one directory
    loops   files that the machine shows as block devices

It knows nothing of Kubernetes and imports nothing of ours: whoever gives volumes to pods of one
machine, or to a kubelet, stands on it. Every call blocks, may be repeated, and leaves either the
old or the new state when it is killed. Sizes are in bytes.
"""
