"""
What may be written, and how it is completed first: pure rules, run behind webhooks and inside
the API server of one machine alike.

    request, decision      what a rule is told, and what it answers
    inquiry                what a rule may ask about the cluster, and who goes to find out
    registry               which rule is about what; the way in for servers
    review, jsonpatch      the envelope of a webhook, and the patch in it

    datavolume             a DataVolume is created or changed
    datavolumespec, claimspec, importsource, checkpoints
                           what its spec may say, part by part
    adoption               an existing claim of its name
    clonetokens, authorization
                           who may clone from where; `web.tokens` signs what says so
    dataimportcron, populators, objecttransfer, installation, hyperconverged, ssp
                           the other kinds
    claim, clonesize       completing a labelled claim

    addresses, checksums, sameness, resources
                           what texts have to look like, when two specs are the same, and how
                           resources are called

There are no rules for DataSource, VolumeCloneSource, StorageProfile, CDIConfig and the two kinds
of forklift: their schemas say all there is to say.
"""
