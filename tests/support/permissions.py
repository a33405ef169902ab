"""What each role allows: the list that installers go by, written out apart from the roles."""

from __future__ import annotations

# Role, then resources (with their group behind an @, where it is not the core) and verbs.
RBAC = {
    ("ClusterRole", "cdi"): """
        events: create patch get list watch
        persistentvolumeclaims: get list watch create update delete deletecollection patch
        persistentvolumes: get list watch update
        persistentvolumeclaims/finalizers pods/finalizers: update
        pods services: get list watch create delete
        namespaces: get list watch
        configmaps: get create
        storageclasses@storage.k8s.io csidrivers@storage.k8s.io: get list watch
        proxies@config.openshift.io infrastructures@config.openshift.io: get list watch
        clusterversions@config.openshift.io: get
        *@cdi.kubevirt.io *@forklift.cdi.kubevirt.io: *
        volumesnapshots@snapshot.storage.k8s.io: get list watch create delete
        volumesnapshots@snapshot.storage.k8s.io: update deletecollection
        volumesnapshotclasses@snapshot.storage.k8s.io: get list watch create delete
        volumesnapshotcontents@snapshot.storage.k8s.io: get list watch create delete
        customresourcedefinitions@apiextensions.k8s.io: get list watch
        priorityclasses@scheduling.k8s.io: get list watch
        imagestreams@image.openshift.io: get list watch
        secrets: create
        virtualmachines/finalizers@kubevirt.io: update
        tokenreviews@authentication.k8s.io: create
        subjectaccessreviews@authorization.k8s.io: create
    """,
    ("Role", "cdi-deployment"): """
        configmaps: get list watch create update delete
        secrets: get list watch
        cronjobs@batch: get list watch create update deletecollection
        jobs@batch: create deletecollection list watch
        leases@coordination.k8s.io: get create update
        ingresses@networking.k8s.io routes@route.openshift.io: get list watch
    """,
    ("ClusterRole", "cdi-apiserver"): """
        subjectaccessreviews@authorization.k8s.io: create
        configmaps persistentvolumeclaims persistentvolumes: get list watch
        storageclasses@storage.k8s.io volumesnapshots@snapshot.storage.k8s.io: get list watch
        namespaces: get
        datavolumes@cdi.kubevirt.io: get list
        datasources@cdi.kubevirt.io: get
        volumeclonesources@cdi.kubevirt.io storageprofiles@cdi.kubevirt.io: get list watch
        cdis@cdi.kubevirt.io cdiconfigs@cdi.kubevirt.io: get list watch
        cdis/finalizers@cdi.kubevirt.io: update
    """,
    ("Role", "cdi-apiserver"): "secrets configmaps: get list watch create",
    ("ClusterRole", "cdi-uploadproxy"): "persistentvolumeclaims: get",
    ("Role", "cdi-uploadproxy"): "configmaps: get",
    ("ClusterRole", "cdi-cronjob"): "dataimportcrons@cdi.kubevirt.io: get list update patch",
    ("ClusterRole", "cdi-metrics-reader"): "/metrics: get",
    ("ClusterRole", "cdi-pprof-reader"): "/debug/pprof /debug/pprof/*: get",
    ("ClusterRole", "cdi.kubevirt.io:admin"): (
        edit := """
        datavolumes@cdi.kubevirt.io dataimportcrons@cdi.kubevirt.io: *
        datasources@cdi.kubevirt.io volumeimportsources@cdi.kubevirt.io: *
        volumeuploadsources@cdi.kubevirt.io volumeclonesources@cdi.kubevirt.io: *
        datavolumes/source@cdi.kubevirt.io: create
        uploadtokenrequests@upload.cdi.kubevirt.io: *
        ovirtvolumepopulators@forklift.cdi.kubevirt.io: *
        openstackvolumepopulators@forklift.cdi.kubevirt.io: *
    """
    ),
    ("ClusterRole", "cdi.kubevirt.io:edit"): edit,
    ("ClusterRole", "cdi.kubevirt.io:view"): """
        cdiconfigs@cdi.kubevirt.io dataimportcrons@cdi.kubevirt.io: get list watch
        datasources@cdi.kubevirt.io datavolumes@cdi.kubevirt.io: get list watch
        objecttransfers@cdi.kubevirt.io storageprofiles@cdi.kubevirt.io: get list watch
        volumeimportsources@cdi.kubevirt.io volumeuploadsources@cdi.kubevirt.io: get list watch
        volumeclonesources@cdi.kubevirt.io: get list watch
        ovirtvolumepopulators@forklift.cdi.kubevirt.io: get list watch
        openstackvolumepopulators@forklift.cdi.kubevirt.io: get list watch
    """,
    ("ClusterRole", "cdi.kubevirt.io:clone-sourcer"): "datavolumes/source@cdi.kubevirt.io: create",
    ("ClusterRole", "cdi.kubevirt.io:config-reader"): (
        "cdiconfigs@cdi.kubevirt.io storageprofiles@cdi.kubevirt.io: get list watch"
    ),
}

# What accounts of an installation may do besides, where the boot sources were added by hand.
BOOT_SOURCES = {
    "cdi-sa": """
        hyperconvergeds@hco.kubevirt.io: get list watch
        configmaps: list watch
    """,
    "cdi-apiserver": "ssps@ssp.kubevirt.io: list",
}


def allowed_by_table(text):
    found = set()
    for line in text.strip().splitlines():
        what, verbs = line.strip().rsplit(":", 1)
        for each in what.split():
            resource, _, group = each.partition("@")
            found |= {(group, resource, verb) for verb in verbs.split()}
    return found
