"""
Unpack a tar archive into a directory: all of it, or nothing.

`run` carries out an `UnpackRequest`. Entries grow in a hidden directory beside their place
(`partial`), put there by hands that never leave it (`tree`, `names`); when the archive has been
read to its end, verified and synced, a marker commits it, and they move into place (`moving`).

What is like GNU tar with --preserve-permissions --no-same-owner: modes whatever the umask, times,
the owner is who unpacks, slashes at the front of names go, later entries win. What is stricter:
names that lead upwards, links that lead outside, devices and pipes are refused, each with the
name of the entry. Sizes are in bytes. Raises TransferError.
"""

from cdi.images.archive.attempt import UnpackRequest, clear, run

__all__ = ["UnpackRequest", "clear", "run"]
