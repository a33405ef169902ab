"""
What `cdi image-upload` consists of; `cli.image_upload` puts it together.

    arguments    what the command line says, checked
    documents    the objects that are made: pure
    existing     what a claim that is there already allows: pure
    volume       finding or making the volume, and waiting for its upload server
    proxy        where the upload proxy is, and whom to believe there
    resumable    the upload itself, by tus
    plain        the same for a proxy without tus: from the first byte on, or not at all
    progress     how far it is, shown
    sessions     uploads to be gone on with, remembered between two runs
    failure      what ends the command
"""
