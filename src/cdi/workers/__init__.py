"""
The processes that move bytes, one module an executable: `python -m cdi.workers.<role>`.

A worker knows its order (`cdi.api.workorder`), the mounts it was given
(`cdi.api.workersettings`) and `cdi.images`, which does the work. It knows no Kubernetes: what it
has to say goes into the termination message, the metrics and the log.
"""

from cdi import firstprocess

firstprocess.end_when_told()  # each of them takes a moment to load
