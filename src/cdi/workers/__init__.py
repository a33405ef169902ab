"""
The processes that move bytes, one module an executable: `python -m cdi.workers.<role>`.

A worker knows its order (`cdi.api.workorder`), the mounts it was given
(`cdi.api.workersettings`) and `cdi.images`, which does the work. It knows no Kubernetes: what it
has to say goes into the termination message, the metrics and the log.
"""
