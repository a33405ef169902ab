"""What OpenShift wants of its kinds."""

from __future__ import annotations

# What OpenShift refuses a SecurityContextConstraints without, as its definition has it.
CONSTRAINTS_SAY = {
    "allowHostDirVolumePlugin",
    "allowHostIPC",
    "allowHostNetwork",
    "allowHostPID",
    "allowHostPorts",
    "allowPrivilegedContainer",
    "allowedCapabilities",
    "defaultAddCapabilities",
    "priority",
    "readOnlyRootFilesystem",
    "requiredDropCapabilities",
    "volumes",
}
