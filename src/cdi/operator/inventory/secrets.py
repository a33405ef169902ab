"""Where certificates are kept: Secrets and ConfigMaps that are made empty and filled afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from cdi.kube.objects import Objects
from cdi.operator.certificates import chains, contents
from cdi.operator.inventory import marks


def certificate_stores(namespace: str, given: Mapping[str, str]) -> Objects:
    """The objects of all chains, empty."""
    empty = {contents.CERTIFICATE: "", contents.KEY: ""}
    signers = [chain.signer for chain in chains.ALL]
    signed = [chain.target.secret for chain in chains.ALL if chain.target]
    return [
        *(
            marks.named(
                "v1", "Secret", name, given, namespace, type=contents.TYPE, data=dict(empty)
            )
            for name in (*signers, *signed)
        ),
        *(marks.named("v1", "ConfigMap", chain.bundle, given, namespace) for chain in chains.ALL),
    ]
