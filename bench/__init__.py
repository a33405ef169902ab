"""
Measure `cdi import` against plain tools, in the same run, on the same machine: `make bench`.

    __main__   what is measured, in which order
    disk       the disk everybody imports, and its variants
    webserver  nginx over loopback;  throttle: a cap on every connection in front of it
    contenders the programs that race;  race: one run after the other, alternating
    watch      one program's wall time, memory and written bytes
    extras     the rows that are no race: capped connections, growth, start-up
    controlplane  `cdi up`: start, imports, writes, memory;  machine: the process
    webhooks   `cdi apiserver`: start, latency at a steady rate, memory
    rows       ratios, means and budgets: values only;  table: how they are printed

Sizes are in bytes and times in seconds.
"""
