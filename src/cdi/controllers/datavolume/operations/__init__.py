"""
One module for each way to fill the claim of a DataVolume.

    operation     what every operation has to say: a small interface
    sourceobject  what a populator of ours is told with
    registry      which operation a DataVolume asks for, by the kind of its source
    imports       import, with importsource for its populator; blank disks, too
    uploads       upload, with uploadsource for its populator
    external      a foreign populator fills the claim

A new operation is one module here and one line in `registry`; see docs/architecture.md. What is
the same for all of them (rendering, adoption, conditions, status) is outside.
"""
