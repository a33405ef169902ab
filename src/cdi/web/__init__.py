"""
HTTP faces of CDI. `admission` decides what may be written; servers are beside it.

Nothing here carries out what was decided about volumes: that is `cdi.controllers`.
"""
