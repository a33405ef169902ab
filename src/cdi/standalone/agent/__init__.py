"""
The node agent: what a scheduler and a kubelet would do, on one machine, for our workers.

    settings      what whoever runs the agent decides
    scheduling    which pod may run here, and what it waits for: a pure decision
    scheduler     has that decided, and does it
    roles         which container is one of our workers, and how it is started
    lifecycle     when a container is started, restarted, given up: a pure decision
    containers    the states of a container; podstatus turns them into a pod's status
    environment   a container's variables, with their references
    mounts        a pod's volumes as directories, files and devices of this machine
    runtime       starts a container with all of these, and reads what it left
    record        what is known about one pod while it runs
    readiness     whether a container answers its readiness probe
    processes     one worker process: started, watched, stopped, found again
    launch        what runs first in that process
    addresses     an address of its own for each pod
    logs          what containers wrote, and `kubectl logs`
    node          the Node and its heart-beat
    agent         the controller that joins them

Everything a container leaves is beneath the data directory: `pods/<uid>/` while the pod exists,
`logs/` afterwards too. After a crash of the agent its workers end by themselves within seconds,
and the next agent starts them again where their journals say.
"""
