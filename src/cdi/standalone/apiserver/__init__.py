"""
A Kubernetes-compatible API server over the store, measured by what stock kubectl expects.

    server          TLS, start and stop, wiring         rest           HTTP request to operation
    authentication  who asks                            authorization  whether they may (RBAC)
    paths, options  what a URL asks for                 negotiation    in which form they want it
    catalog         which kinds are served              definitions    kinds that users bring (CRDs)
    objects         create, read, update, delete        listing, watching
    purge           delete many                         garbage, namespaces, expiry: clean-up
    checks, metadata, deletion, patching, selectors     pure rules of the above
    discovery, openapi                                  what clients learn about the kinds
    podadmission                                        what a pod names and has to exist
    admission, subresources                             where other parts plug in their own rules

Elsewhere: the kinds and their schemas (`standalone.schema`), durability (`standalone.store`).
"""
