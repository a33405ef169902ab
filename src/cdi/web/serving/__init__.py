"""
What every process of CDI that listens needs, whatever it serves.

    server     one HTTPS or HTTP server, as a part for `kube.manager`: start, drain, stop
    tls        certificates, client authorities and the TLS profile, followed without a restart
    health     /healthz and /readyz
    metrics    /metrics, for those whom Kubernetes knows and allows
    process    log lines and signals
"""
