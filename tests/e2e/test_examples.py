"""The examples work as they are, but for the URL that users put in."""

from pathlib import Path

import pytest
import yaml

from support.manifests import WAITING_CLASS

pytestmark = pytest.mark.e2e

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", [pytest.param(each, id=each.stem) for each in EXAMPLES])
def test_an_example_works(space, server, images, file):
    text = file.read_text(encoding="utf-8")
    text = text.replace("local-wffc", WAITING_CLASS)
    ours = server.put("/disk.qcow2", images.blob("qcow2"))
    urls = {word for word in text.split() if word.startswith("https://")}
    for url in urls:
        text = text.replace(url, ours)
    space.kubectl("apply", "-f-", stdin=text)
    (wanted,) = yaml.safe_load_all(text)
    name = wanted["metadata"]["name"]
    if wanted["kind"] == "DataVolume":
        space.wait_phase(name, "Succeeded")
    else:
        phase = r"{.metadata.annotations.cdi\.kubevirt\.io/storage\.pod\.phase}"
        space.wait(f"pvc/{name}", f"jsonpath={phase}=Succeeded")
