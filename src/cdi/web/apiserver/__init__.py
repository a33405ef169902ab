"""
`cdi apiserver`: what Kubernetes' API server asks of CDI on a cluster.

    server       the process: what is started in which order
    webhooks     admission rules (`web.admission`) behind AdmissionReview
    lookups      what the rules ask about the cluster
    aggregated   upload.cdi.kubevirt.io (`web.uploadtokens`), for users of a front proxy
    frontproxy   who that front proxy is, and whom it speaks for
    keystore     the Secret with the keys of tokens
    answers      bodies, limits, and errors as Status
"""
