"""
Disks in container images: from the name of an image to the disk in it.

    reference    what `docker://` and `oci-archive:` name
    store        what an image is read from: manifests, configurations, blobs
      client       ... a registry, with `auth` and `credentials`
      archive      ... a tar file of OCI layout on this machine
    manifest     manifests and indexes as values; `platforms` chooses among them
    config       what the image says of itself; `labels` makes labels of its environment
    layers       one layer, searched once
    search       where in all the layers the disk is
    image        all of it together: `open_image`

Everything that is named by a digest is verified against it: manifests and configurations here,
layers while they are read.
"""

from cdi.images.sources.registry.image import (
    Found,
    Wanted,
    digest_behind,
    look_into,
    open_image,
)

__all__ = ["Found", "Wanted", "digest_behind", "look_into", "open_image"]
