"""
Puts CDI on a cluster and keeps it there.

    setup            everything wired to what it watches
    reconciler       one pass: look, decide, act
    seen             one look
    decide           from one look to a plan: the whole life of a CDI object. Pure
    steps            what differs from what is wanted, object by object. Pure
    readiness        whether Deployments run as wanted. Pure
    configauthority  who says what CDIConfig says. Pure
    managed          by which marks it knows what it has made
    customizing      patches and arguments of users. Pure
    strategy         everything that is wanted, in a ConfigMap, for who asks. Pure
    versions         upgrade or not. Pure
    takeover         what another operator of CDI has installed. Pure
    definitions      versions of definitions that go. Pure
    status           phase and conditions. Pure
    plan             what a pass does, as a value
    act              doing it
    settings         what the operator's own Deployment tells it
    inventory/       everything that is installed, as data: pure functions to lists of objects
    certificates/    the four chains and the key of tokens, renewed in time
"""
