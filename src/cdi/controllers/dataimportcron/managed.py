"""
The DataSource that follows a cron's newest import.

It moves only to what can be cloned from, as long as it names anything that exists. What others
change in it is put back, unless they took it over by taking the cron's label off.
"""

from __future__ import annotations

from cdi.api import labels
from cdi.controllers import kinds, metadata, plan, sourceref
from cdi.controllers.dataimportcron import formats, marks
from cdi.controllers.dataimportcron.draft import Draft
from cdi.controllers.dataimportcron.importing import is_populated
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects
from cdi.kube.cache import Cache
from cdi.kube.objects import Key, Object


def follow(draft: Draft) -> None:
    """Let the DataSource name the newest import."""
    seen, found = draft.seen, draft.seen.data_source
    if found is None:
        wanted = _new(seen)
        wanted["spec"]["source"] = _wanted(draft, {})
        draft.before.append(plan.Create(kinds.DATA_SOURCES, wanted))
        return
    if objects.is_deleting(found) or not is_managed(found, seen):
        return
    after = metadata.changed(found, labels=marks.labels_for(seen))
    before = objects.get(found, "spec", "source", default={})
    after["spec"] = {**found["spec"], "source": _wanted(draft, before)}
    if after != found:
        draft.before.append(plan.Change(kinds.DATA_SOURCES, found, after))


def is_managed(data_source: Object, seen: Seen) -> bool:
    return objects.labels(data_source).get(labels.DATA_IMPORT_CRON) == seen.name


def rival_of(cron: Object, data_source: Object | None, crons: Cache) -> str:
    """The cron that has the DataSource, if it is another one that manages it still."""
    name = objects.labels(data_source or {}).get(labels.DATA_IMPORT_CRON, "")
    if not name or name == objects.name(cron):
        return ""
    other = crons.get(Key(objects.namespace(cron), name))
    if other is None or objects.is_deleting(other):
        return ""
    manages = objects.get(other, "spec", "managedDataSource")
    return name if manages == objects.get(cron, "spec", "managedDataSource") else ""


def _wanted(draft: Draft, before: Object) -> Object:
    seen, last = draft.seen, draft.status.get("lastImportedPVC")
    if not last:
        return before
    product = seen.product(str(last["name"]))
    usable = formats.is_ready(product) if seen.wants_snapshots else is_populated(product)
    if not usable and seen.points_at_something:
        return before
    return {(sourceref.SNAPSHOT if seen.wants_snapshots else sourceref.PVC): dict(last)}


def _new(seen: Seen) -> Object:
    return {
        "apiVersion": kinds.DATA_SOURCES.api_version,
        "kind": kinds.DATA_SOURCES.kind,
        "metadata": {
            "name": seen.managed,
            "namespace": seen.namespace,
            "labels": marks.given_labels(seen),
        },
        "spec": {},
    }
