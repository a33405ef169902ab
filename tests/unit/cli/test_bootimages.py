"""`cdi status --boot-images`: which image a DataSource names, how old it is, what is awaited."""

from datetime import UTC, datetime, timedelta

import pytest

from cdi.cli import bootimages

DIGEST = "sha256:" + "a" * 64
NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)


def condition(kind, status, reason, message=""):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def source(name="fedora", cron="", ready="True", reason="Ready"):
    labels = {"cdi.kubevirt.io/dataImportCron": cron} if cron else {}
    return {
        "metadata": {"name": name, "namespace": "ns", "labels": labels},
        "status": {"conditions": [condition("Ready", ready, reason, reason)]},
    }


def cron(name="cron", *conditions, last="fedora-aaaaaaaaaaaa"):
    current = {"DataVolumeName": "fedora-aaaaaaaaaaaa", "Digest": DIGEST}
    return {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"managedDataSource": "fedora"},
        "status": {
            "currentImports": [current],
            "lastImportedPVC": {"name": last},
            "lastImportTimestamp": "2030-01-01T10:00:00Z",
            "conditions": list(conditions),
        },
    }


GOOD = (condition("Progressing", "False", "NoImport"), condition("UpToDate", "True", "UpToDate"))
BUSY = (
    condition("Progressing", "True", "ImportProgressing", "Import is progressing"),
    condition("UpToDate", "False", "ImportProgressing"),
)
DEAF = (condition("Progressing", "False", "PollFailed", "Polling failed: 429"), GOOD[1])


@pytest.mark.parametrize(
    ("given", "row"),
    [
        pytest.param(
            cron("cron", *GOOD), "ns fedora True cron aaaaaaaaaaaa 1d UpToDate", id="up-to-date"
        ),
        pytest.param(
            cron("cron", *BUSY, last="fedora-bbbbbbbbbbbb"),
            "ns fedora True cron bbbbbbbbbbbb 1d Import is progressing",
            id="still-names-the-last-one",
        ),
        pytest.param(
            cron("cron", *DEAF),
            "ns fedora True cron aaaaaaaaaaaa 1d Polling failed: 429",
            id="deaf",
        ),
    ],
)
def test_a_row_says_which_image_how_old_and_what_is_awaited(given, row):
    found = bootimages.boot_images([source(cron="cron")], [given])
    assert " ".join(bootimages.table(found, NOW)[1].split()) == row


def test_sources_without_a_cron_and_crons_without_a_source_are_there():
    alone = source("alone", ready="False", reason="NotFound")
    found = bootimages.boot_images([alone], [cron("cron", *BUSY)])
    assert [(each.source, each.cron, each.ready) for each in found] == [
        ("alone", "", "False"),
        ("fedora", "cron", ""),
    ]
    assert found[0].as_document() | {"ready": False} == found[0].as_document()
    assert found[1].as_document()["digest"] == DIGEST


@pytest.mark.parametrize(
    ("since", "shown"),
    [(timedelta(days=3, hours=5), "3d"), (timedelta(minutes=90), "1h"), (timedelta(0), "0s")],
)
def test_an_age_has_one_unit(since, shown):
    assert bootimages.age(since) == shown
