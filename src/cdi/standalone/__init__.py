"""
The one-machine control plane behind `cdi up`.

Here: the store (SQLite), the Kubernetes-compatible API server over it, the schemas of the kinds
it serves, and what a cluster would otherwise bring along: node agent, volume binder, provisioner.
Elsewhere: the controllers, which use nothing but the Kubernetes API and cannot tell the two apart.
"""
