"""`cdi crds` prints what `kubectl apply -f -` takes."""

import pytest
import yaml
from click.testing import CliRunner

from cdi.api import crds
from cdi.cli.main import program


def run(*words):
    return CliRunner().invoke(program, ["crds", *words])


def documents_in(text):
    return list(yaml.load_all(text, yaml.CSafeLoader))  # the quick one: it is much text


def kinds_in(text):
    return [document["spec"]["names"]["kind"] for document in documents_in(text)]


def test_without_a_kind_every_definition_is_printed():
    done = run()
    assert done.exit_code == 0
    assert documents_in(done.stdout) == crds.all()


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        pytest.param(["DataVolume"], ["DataVolume"], id="kind"),
        pytest.param(["datavolume", "DATASOURCES"], ["DataVolume", "DataSource"], id="any-case"),
        pytest.param(
            ["dv", "das", "ot"], ["DataVolume", "DataSource", "ObjectTransfer"], id="short"
        ),
        pytest.param(["dv", "DataVolume"], ["DataVolume"], id="each-once"),
        pytest.param(["cdis.cdi.kubevirt.io"], ["CDI"], id="full-name"),
    ],
)
def test_a_kind_is_chosen_by_any_of_its_names(words, kinds):
    done = run(*words)
    assert done.exit_code == 0
    assert kinds_in(done.stdout) == kinds


def test_an_unknown_kind_is_a_usage_error_and_nothing_is_printed():
    done = run("dv", "VirtualMachine")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "no kind is called 'VirtualMachine'" in done.stderr
    assert "DataVolume" in done.stderr


def test_a_kind_without_a_definition_says_why():
    done = run("utr")
    assert done.exit_code == 2
    assert "answered by CDI's own API server" in done.stderr


def test_the_output_has_no_anchors_and_begins_each_document():
    text = run().stdout
    assert "&id" not in text
    assert text.count("\n---\n") == len(crds.all()) - 1
    assert text.startswith("---\n")
