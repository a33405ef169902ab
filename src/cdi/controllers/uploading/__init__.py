"""
The upload controller: any claim that asks for bytes gets a server that takes them.

People upload to one, and host-assisted clones copy to one: both are the same pod, Service and
certificates, and differ in whose certificate the server accepts. The claim's annotations are the
whole input, and the output.

    requests        which annotations ask for a server, and whom it listens to
    clonetarget     whether a clone's source fits its target
    pod             the server's pod and Service as they have to be created
    certificates    the Secret with the server's certificate: makes keys
    seen            what is known about a claim when it is decided what to do
    decide          what to do next
    claimupdate     what the claim is to say about it
    prerequisites   what a pod needs beside it
    reconciler      where all this is observed and carried out

Without scratch space: the server writes what it receives straight into the volume. A format that
needs random access makes the server ask for it, and its pod is replaced by one that has it.
"""
