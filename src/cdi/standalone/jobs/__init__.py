"""
Jobs and CronJobs on one machine: as much of them as CDI's own have need of.

    cronjobs    Jobs at the minutes of a schedule
    jobs        one pod at a time until one succeeds, or too many have failed
    runner      both, wired to their watches

A Job runs one pod at a time, whatever its `parallelism` says. Pods that are not CDI's workers are
not run here at all; `agent.roles` says why.
"""
