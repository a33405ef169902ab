"""
The messages of the Container Storage Interface 1.12, as far as the driver understands them.

    values          what they are made of
    plugin_calls    who the driver is
    volume_calls    volumes and room for them
    snapshot_calls  snapshots
    node_calls      volumes of pods
    abilities       what controller and node can do

Names and numbers are those of the specification (package `csi.v1`). Fields that are not declared,
secrets above all, are not read.
"""
