"""
`cdi status --boot-images`: every DataSource, the cron that moves it, which image it names, how old
that is, and what is awaited. Pure, but for `show`.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cdi.api import annotations, labels
from cdi.cli import rows
from cdi.controllers import kinds
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.objects import Key, Object

_HEADER: Final = ("NAMESPACE", "DATASOURCE", "READY", "CRON", "IMAGE", "AGE", "STATE")
_DIGITS: Final = 12  # of a digest, as they are in the names of imports
_GAP: Final = "   "
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class BootImage:
    """One DataSource, or the cron that has none yet."""

    namespace: str
    source: str
    ready: str = ""  # True, False, or empty where nobody has said
    cron: str = ""
    digest: str = ""
    imported: datetime | None = None
    state: str = ""
    message: str = ""

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "namespace": self.namespace,
            "dataSource": self.source,
            "ready": self.ready == "True",
            "dataImportCron": self.cron,
            "digest": self.digest,
            "imported": None if self.imported is None else self.imported.isoformat(),
            "state": self.state,
            "message": self.message,
        }


async def show(
    client: Client, default_namespace: str, *, namespace: str, json_output: bool
) -> None:
    """Print all boot images that may be read. Raises KubeError."""
    where: str | None = namespace or None
    try:
        sources = await client.list(kinds.DATA_SOURCES, where)
    except errors.Forbidden:
        where = default_namespace
        sources = await client.list(kinds.DATA_SOURCES, where)
    crons = await client.list(kinds.DATA_IMPORT_CRONS, where)
    found = boot_images(sources, crons)
    if json_output:
        print(json.dumps([each.as_document() for each in found], indent=2))
    elif found:
        print("\n".join(table(found, datetime.now(UTC))))
    else:
        print("No DataSources found.", file=sys.stderr)


def boot_images(sources: Iterable[Object], crons: Iterable[Object]) -> list[BootImage]:
    """Sum up DataSources and the crons that move them."""
    managing = {
        Key(objects.namespace(each), str(each["spec"]["managedDataSource"])): each
        for each in sorted(crons, key=objects.name, reverse=True)
    }
    by_name = {(objects.namespace(each), objects.name(each)): each for each in managing.values()}
    found = []
    for source in sources:
        key = objects.key(source)
        label = objects.labels(source).get(labels.DATA_IMPORT_CRON, "")
        cron = by_name.get((key.namespace, label)) or managing.get(key)
        managing.pop(key, None)
        found.append(_of_source(source, cron))
    found += [_of_cron(cron, key.name) for key, cron in managing.items()]
    return sorted(found, key=lambda each: (each.namespace, each.source))


def table(found: Sequence[BootImage], now: datetime) -> list[str]:
    """Return the lines of the table."""
    cells = [_HEADER, *(_cells(each, now) for each in found)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def age(since: timedelta) -> str:
    """How long ago, in its largest unit."""
    seconds = max(0, int(since.total_seconds()))
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds // size}{unit}"


def _of_source(source: Object, cron: Object | None) -> BootImage:
    ready = rows.condition(source, "Ready")
    made = BootImage(
        objects.namespace(source),
        objects.name(source),
        ready=str(ready.get("status", "")),
        state=str(ready.get("reason", "")),
        message=str(ready.get("message", "")),
    )
    return made if cron is None else _with_cron(made, cron)


def _of_cron(cron: Object, source: str) -> BootImage:
    return _with_cron(BootImage(objects.namespace(cron), source), cron)


def _with_cron(made: BootImage, cron: Object) -> BootImage:
    state = _state_of(cron)
    return BootImage(
        made.namespace,
        made.source,
        ready=made.ready,
        cron=objects.name(cron),
        digest=_digest_of(cron),
        imported=rows.moment(objects.get(cron, "status", "lastImportTimestamp")),
        state=str(state.get("reason", "")),
        message=str(state.get("message", "")),
    )


def _state_of(cron: Object) -> Object:
    """The condition that says most: what is in the way, else what is done, else how it stands."""
    progress, current = rows.condition(cron, "Progressing"), rows.condition(cron, "UpToDate")
    return current if progress.get("reason") in (None, "NoImport") else progress


def _digest_of(cron: Object) -> str:
    """The digest that the DataSource names, which may be older than the one that is wanted."""
    current: Object = objects.get(cron, "status", "currentImports", 0, default={})
    last = objects.get(cron, "status", "lastImportedPVC", "name", default="")
    if current and current.get("DataVolumeName") == last:
        return str(current.get("Digest", ""))
    if last:
        return str(last).rpartition("-")[2]
    return objects.annotations(cron).get(annotations.DESIRED_DIGEST, "")


def _cells(each: BootImage, now: datetime) -> tuple[str, ...]:
    digest = each.digest.rpartition(":")[2][:_DIGITS]
    shown = each.state if each.state in ("UpToDate", "Ready") else each.message or each.state
    return (
        each.namespace,
        each.source,
        each.ready or "-",
        each.cron or "-",
        digest or "-",
        "-" if each.imported is None else age(now - each.imported),
        " ".join(shown.split()) or "-",
    )
