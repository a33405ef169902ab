"""
Everything that an installation consists of, as data.

    rules            who may do what
    access           accounts, roles, bindings
    services         Services
    deployments      the three Deployments
    webhooks         webhook configurations and the APIService
    definitions      CustomResourceDefinitions
    secrets          where certificates are kept
    disruption       PodDisruptionBudgets
    monitoring       for Prometheus' operator, where there is one
    openshift        for OpenShift
    populators       for Kubernetes' data source validator, where there is one
    networkpolicies  printed only
    operator         the operator itself: printed, not managed
    installed        all of it that one CDI object stands for

No I/O: functions from settings, the CDI object and a few facts of the cluster to new objects.
"""
