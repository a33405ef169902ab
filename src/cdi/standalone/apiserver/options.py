"""
The parameters of a request, typed: how to write, to delete, to list.

Values come from the query string and, for deletions, from the body as well. Raises ApiError for
values that make no sense. Durations are in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.standalone.apiserver import status

Document = dict[str, Any]
Query = Mapping[str, str]

VALIDATIONS = ("Ignore", "Warn", "Strict")
POLICIES = ("Orphan", "Background", "Foreground")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to create, update or patch."""

    dry_run: bool = False
    manager: str = ""
    force: bool = False
    validation: str = "Warn"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. `grace` None leaves the period to the kind."""

    dry_run: bool = False
    grace: int | None = None
    policy: str = ""
    uid: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What to list or watch."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    revision: str = ""
    match: str = ""
    watch: bool = False
    bookmarks: bool = False
    initial_events: bool = False
    timeout: float | None = None
    include_object: str = "Metadata"
    extra: Document = field(default_factory=dict)


def parse_write(query: Query, agent: str) -> WriteOptions:
    """The write options; `agent` (the User-Agent) names the manager where none is given."""
    validation = query.get("fieldValidation", "") or "Warn"
    if validation not in VALIDATIONS:
        raise status.bad_request(
            f'fieldValidation: Unsupported value: "{validation}": supported values: '
            '"", "Ignore", "Warn", "Strict"'
        )
    return WriteOptions(
        dry_run=_dry_run(query.get("dryRun", "")),
        manager=query.get("fieldManager", "") or agent.split("/", 1)[0] or "unknown",
        force=_flag(query, "force"),
        validation=validation,
    )


def parse_delete(query: Query, body: Document) -> DeleteOptions:
    """The deletion options; what the body says wins over the query."""
    dry_runs = body.get("dryRun") or [query.get("dryRun", "")]
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    if policy and policy not in POLICIES:
        raise status.ApiError(
            422,
            "Invalid",
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: '
            f'"{policy}": supported values: "Foreground", "Background", "Orphan"',
        )
    orphan = body.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = _flag(query, "orphanDependents")
    if not policy and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    grace = body.get("gracePeriodSeconds")
    if grace is None and query.get("gracePeriodSeconds"):
        grace = _number(query, "gracePeriodSeconds")
    return DeleteOptions(
        dry_run=any(_dry_run(str(value)) for value in dry_runs),
        grace=grace,
        policy=policy,
        uid=preconditions.get("uid") or "",
        revision=preconditions.get("resourceVersion") or "",
    )


def parse_list(query: Query) -> ListOptions:
    """The list and watch options."""
    timeout = query.get("timeoutSeconds")
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=_number(query, "limit") if query.get("limit") else 0,
        token=query.get("continue", ""),
        revision=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        watch=_flag(query, "watch"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial_events=_flag(query, "sendInitialEvents"),
        timeout=_number(query, "timeoutSeconds") if timeout else None,
        include_object=query.get("includeObject", "") or "Metadata",
    )


def _flag(query: Query, name: str) -> bool:
    return name in query and query[name].lower() in ("", "1", "t", "true")


def _number(query: Query, name: str) -> int:
    try:
        return int(query[name])
    except ValueError as error:
        raise status.bad_request(f'{name}: Invalid value: "{query[name]}"') from error


def _dry_run(value: str) -> bool:
    if value not in ("", "All"):
        raise status.bad_request(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return value == "All"
