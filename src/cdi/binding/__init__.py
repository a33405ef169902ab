"""
What Kubernetes binds: claims and PersistentVolumes, as whoever provisions reads them.

    facts   what is in them, and the constants that are Kubernetes' own. Pure

Both the provisioners of a cluster's nodes and the binder of one machine stand on it.
"""
