"""
Everything that is wanted, written into a ConfigMap for whoever asks for it.

An operator with DUMP_INSTALL_STRATEGY (spec/operator.md, section 8.2) keeps one ConfigMap beside
the installation: installers read from it which permissions it needs before they grant them.

The definitions alone are nearly as large as a ConfigMap may be, so that the manifests are packed:
`kubectl get configmap cdi-install-strategy -o jsonpath='{.binaryData.manifests\\.yaml\\.gz}' |
base64 -d | gunzip`. They are JSON documents, which is YAML too. Pure.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Final

from cdi.kube.installing.steps import Create, Step, Update
from cdi.kube.objects import Object, Objects

NAME: Final = "cdi-install-strategy"
KEY: Final = "manifests.yaml.gz"


def steps(wanted: Objects, shell: Object, current: Object | None) -> Sequence[Step]:
    """What makes the ConfigMap say `wanted`; `shell` is the ConfigMap still without content."""
    content = {KEY: packed(wanted)}
    if current is None:
        return [Create({**shell, "binaryData": content})]
    if current.get("binaryData") == content:
        return []
    return [Update({**current, "binaryData": content})]


def packed(wanted: Objects) -> str:
    """The manifests as `binaryData` holds them; the same for the same objects."""
    text = "".join(f"---\n{json.dumps(each, sort_keys=True)}\n" for each in wanted)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
