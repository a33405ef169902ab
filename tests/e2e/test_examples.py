"""The examples work as they are, but for the URL that users put in."""

from pathlib import Path

import pytest
import yaml

from support.cluster import Namespace
from support.manifests import WAITING_CLASS

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
# An example that rests on another one says so in its first line.
FIRST = {"datavolume-clone": "datavolume-http"}
POD_PHASE = r"jsonpath={.metadata.annotations.cdi\.kubevirt\.io/storage\.pod\.phase}"


@pytest.mark.parametrize("name", sorted(each.stem for each in EXAMPLES.glob("*.yaml")))
def test_an_example_works(space, server, images, name):
    url = server.put("/disk.qcow2", images.blob("qcow2"))
    for each in filter(None, (FIRST.get(name), name)):
        text = adapted((EXAMPLES / f"{each}.yaml").read_text(encoding="utf-8"), url, space)
        space.kubectl("apply", "-f-", stdin=text)
        for wanted in yaml.safe_load_all(text):
            wait_until_it_is_done(space, wanted)


def adapted(text: str, url: str, space: Namespace) -> str:
    text = text.replace("local-wffc", WAITING_CLASS)
    text = text.replace("namespace: default", f"namespace: {space.name}")
    for each in {word for word in text.split() if word.startswith("https://")}:
        text = text.replace(each, url)
    return text


def wait_until_it_is_done(space: Namespace, wanted: dict) -> None:
    name, spec = wanted["metadata"]["name"], wanted["spec"]
    match wanted["kind"]:
        case "DataVolume":
            phase = "UploadReady" if "upload" in spec["source"] else "Succeeded"
            space.wait_phase(name, phase)
        case "DataImportCron":
            space.wait(f"datasource/{spec['managedDataSource']}", "condition=Ready")
        case "PersistentVolumeClaim" if "dataSourceRef" in spec:
            space.wait(f"pvc/{name}", "jsonpath={.status.phase}=Bound")
        case "PersistentVolumeClaim":
            space.wait(f"pvc/{name}", f"{POD_PHASE}=Succeeded")
