"""
What a URL of the resource API points to.

Here: /api/v1/... and /apis/GROUP/VERSION/... to a Target. Elsewhere: everything that is not a
resource (discovery, health), and whether the target exists.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, a collection in a namespace, an object or a subresource of it."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows the subresource: the path of a proxied request
    watch: bool = False  # the old way to ask for a watch, by a path segment


def parse_target(path: str) -> Target | None:
    """The target of `path`, or None when it is no resource path."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    name, subresource = (*parts[1:3], "", "")[:2]
    return Target(
        group, version, parts[0], namespace, name, subresource, "/".join(parts[3:]), watch
    )
