"""Every definition that `cdi crds` prints is one that the API server takes, whichever it is."""

import json

import pytest

from cdi.api import crds

pytestmark = pytest.mark.e2e

DEFINITIONS = {definition["metadata"]["name"]: definition for definition in crds.all()}


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("how", [("--server-side", "--force-conflicts"), ()])
def test_a_definition_is_taken(cluster, name, how):
    manifest = json.dumps(DEFINITIONS[name])
    told = cluster.kubectl("apply", *how, "--dry-run=server", "-f-", stdin=manifest)
    assert told.startswith(f"customresourcedefinition.apiextensions.k8s.io/{name} ")
