"""
What is given to a cluster to get an operator: the same objects in several wrappings. Pure.

    files        plain YAML for `kubectl apply -f`
    helm         a chart
    kustomize    two bases
    olm          a bundle for OpenShift's and OperatorHub's catalogues

Each returns texts by the path of the file that they belong into. All are made from
`cdi.operator.inventory`, so that none can say anything else than the others.
"""
