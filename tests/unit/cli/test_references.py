"""Kinds and names as people write them for kubectl."""

import pytest

from cdi.api import resources
from cdi.cli import references
from cdi.cli.references import Reference


@pytest.mark.parametrize(
    ("words", "kind", "names"),
    [
        pytest.param(["dv", "a"], "DataVolume", ["a"], id="short"),
        pytest.param(["DataVolumes", "a", "b"], "DataVolume", ["a", "b"], id="several"),
        pytest.param(["dv/a"], "DataVolume", ["a"], id="slash"),
        pytest.param(["datavolume.cdi.kubevirt.io/a"], "DataVolume", ["a"], id="as-kubectl-prints"),
        pytest.param(["persistentvolumeclaim/a"], "PersistentVolumeClaim", ["a"], id="claim"),
        pytest.param(["das", "a"], "DataSource", ["a"], id="source"),
        pytest.param(["dic/a"], "DataImportCron", ["a"], id="cron"),
        pytest.param(["po", "a"], "Pod", ["a"], id="pod"),
    ],
)
def test_kinds_and_names_are_read(words, kind, names):
    assert references.parse(words) == [Reference(kind, name) for name in names]


def test_pairs_may_be_of_different_kinds():
    assert references.parse(["dv/a", "pvc/b"]) == [
        Reference("DataVolume", "a"),
        Reference("PersistentVolumeClaim", "b"),
    ]
    assert references.parse(["dv,pvc", "a"]) == [
        Reference("DataVolume", "a"),
        Reference("PersistentVolumeClaim", "a"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["dv"], "which DataVolume", id="no-name"),
        pytest.param(["dv", ""], "empty", id="empty-name"),
        pytest.param(["vm", "a"], "'vm' is no kind", id="kind"),
        pytest.param(["vm/a"], "'vm' is no kind", id="kind-in-a-pair"),
        pytest.param(["dv", "pvc/a"], "KIND/NAME", id="mixed"),
        pytest.param(["dv/"], "KIND/NAME", id="pair-without-a-name"),
        pytest.param(["dv/a/b"], "KIND/NAME", id="two-slashes"),
    ],
)
def test_anything_else_is_refused_with_how_to_write_it(words, said):
    with pytest.raises(ValueError, match=said):
        references.parse(words)


@pytest.mark.parametrize("kind", ["DataVolume", "DataSource", "DataImportCron"])
def test_every_word_that_kubectl_knows_for_our_kinds_is_known(kind):
    found = resources.find(kind)
    words = {found.plural, kind.lower(), f"{found.plural}.{found.group}", *found.short_names}
    assert words <= set(references.KINDS[kind])
