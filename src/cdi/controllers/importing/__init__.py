"""
The import controller: any claim with import annotations gets its importer pod, until it is full.

The claim's annotations are its whole input, whether a DataVolume, a populator or a person wrote
them, and its annotations are its output.

    requests          which annotations ask for an import, and writing them for a source
    checkpoints       imports in several stages
    pod, mounts       the importer pod as it has to be created
    prerequisites     what a pod needs before it can start
    seen              what is known about a claim when that is decided
    decide            what to do next
    claimupdate       what the claim is to say about it
    reconciler        where all this is observed and carried out

What other workers' pods have as well is in `working`.
"""
