"""
What operators have in common: each keeps what one object stands for as that object wants it.

    kinds      what an operator watches, and by which marks it knows what it has made
    ref        how an object is told from others
    watches    what is seen of the cluster; APIs that may appear later
    steps      what differs from what is wanted, as steps. Pure
    readiness  whether pods run as they are wanted. Pure
    writer     carries steps out, and says on the object how it went
    setup      a reconciler, wired to what it watches

Elsewhere: what is wanted, when, and what the object says of it: every operator's own.
"""
