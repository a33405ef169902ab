"""
The parameters of a request, typed: how to write, to delete, to list.

Values come from the query string and, for deletions, from the body as well. Raises ApiError for
values that make no sense. Durations are in seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdi.standalone.apiserver import status
from cdi.standalone.schema import causes, decoding, definitions

Document = dict[str, Any]
Query = Mapping[str, str]

VALIDATIONS = ("", "Ignore", "Strict", "Warn")
MAX_MANAGER = 128  # bytes of a field manager's name
_MOST_DIGITS = 20
POLICIES = ("Orphan", "Background", "Foreground")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to create, update or patch."""

    dry_run: bool = False
    manager: str = ""
    force: bool = False
    validation: str = "Warn"
    duplicates: tuple[str, ...] = ()  # what the body says twice, as strict decoding tells it
    patches: bool = False  # whether the body was a change and not an object


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


def parse_write(
    query: Query, agent: str, what: str = "UpdateOptions", duplicates: Sequence[str] = ()
) -> WriteOptions:
    """The write options; `agent` (the User-Agent) names the manager where none is given."""
    validation = query.get("fieldValidation", "")
    wrong = list(_manager_problems(query.get("fieldManager", "")))
    if validation not in VALIDATIONS:
        wrong.append(causes.unsupported("fieldValidation", validation, VALIDATIONS))
    if query.get("dryRun", "") not in ("", "All"):
        wrong.append(causes.unsupported("dryRun", [query["dryRun"]], ("All",)))
    if wrong:
        raise status.invalid_options(what, *wrong)
    return WriteOptions(
        dry_run=query.get("dryRun", "") == "All",
        manager=query.get("fieldManager", "") or _manager_of(agent),
        force=_flag(query, "force"),
        validation=validation or "Warn",
        duplicates=tuple(duplicates),
        patches=what == "PatchOptions",
    )


def _manager_problems(name: str) -> Iterator[causes.FieldError]:
    if len(name.encode(errors="replace")) > MAX_MANAGER:
        yield causes.too_long("fieldManager", name, MAX_MANAGER)
    for index, sign in enumerate(name):
        if not sign.isprintable():
            detail = f"invalid character U+{ord(sign):04X} (at position {index})"
            yield causes.invalid("fieldManager", name, detail)


def _manager_of(agent: str) -> str:
    """The name of a client that gives none: the first word of what it calls itself."""
    word = "".join(sign for sign in agent.split("/", 1)[0] if sign.isprintable())
    return word[:MAX_MANAGER] or "unknown"


def parse_delete(query: Query, body: Document) -> DeleteOptions:
    """The deletion options; what the body says wins over the query."""
    if problem := decoding.problem(definitions.schema_of("meta", "DeleteOptions"), body):
        raise status.bad_request(problem)
    dry_runs = body.get("dryRun") or [each for each in [query.get("dryRun", "")] if each]
    if any(each != "All" for each in dry_runs):
        wrong = causes.unsupported("dryRun", list(dry_runs), ("All",))
        raise status.invalid_options("DeleteOptions", wrong)
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    if policy and policy not in POLICIES:
        known = ("Foreground", "Background", "Orphan", "nil")
        wrong = causes.unsupported("propagationPolicy", policy, known)
        raise status.invalid_options("DeleteOptions", wrong)
    orphan = body.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = _flag(query, "orphanDependents")
    if policy and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        wrong = causes.invalid("propagationPolicy", policy, detail)
        raise status.invalid_options("DeleteOptions", wrong)
    if not policy and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    grace = body.get("gracePeriodSeconds")
    if grace is None and query.get("gracePeriodSeconds"):
        grace = _number(query, "gracePeriodSeconds")
    return DeleteOptions(
        dry_run=bool(dry_runs),
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
        # Less than one means all, as in Kubernetes.
        limit=max(0, _number(query, "limit")) if query.get("limit") else 0,
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
    """Whatever is not said to be false is true, as in Kubernetes."""
    return name in query and query[name].lower() not in ("0", "false")


def _number(query: Query, name: str) -> int:
    try:
        return int(query[name])
    except ValueError as error:
        raise status.bad_request(_not_parsed("Int", query[name])) from error


def _not_parsed(how: str, text: str) -> str:
    return f'strconv.Parse{how}: parsing "{text}": invalid syntax'


def parse_number(text: str) -> int:
    """A number without a sign, of 64 bits. Raises ValueError, in Kubernetes' words."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(_not_parsed("Uint", text))
    if len(text) > _MOST_DIGITS or int(text) >= 1 << 64:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)
