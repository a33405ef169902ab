"""Multi-stage imports: which sources have stages, and what the stages have to look like."""

from collections.abc import Sequence
from typing import Any, Final

from cdi.api.kinds import sources
from cdi.web.admission.decision import Cause

SOURCES: Final = ("vddk", "imageio")  # the members of a source that can be read in stages

# What may change in the spec of a multi-stage import while it goes on.
CHANGEABLE: Final = ("checkpoints", "finalCheckpoint")

Object = dict[str, Any]


def is_multi_stage(
    source: sources.ImportSource | None, checkpoints: Sequence[sources.Checkpoint] | None
) -> bool:
    """Tell whether this is an import in stages."""
    staged = any(getattr(source, name, None) is not None for name in SOURCES)
    return staged and bool(checkpoints)


def without_stages(spec: Object) -> Object:
    """Return a spec without what may change."""
    return {key: value for key, value in spec.items() if key not in CHANGEABLE}


def causes_of(checkpoints: Sequence[sources.Checkpoint] | None, root: str) -> list[Cause]:
    """Every stage names the snapshot it copies, and no two the same: each is copied once."""
    current = [checkpoint.current for checkpoint in checkpoints or ()]
    field = f"{root}.checkpoints"
    if not all(current):
        return [Cause("A checkpoint has no current; name the snapshot to copy", field)]
    if len(set(current)) < len(current):
        return [Cause("Two checkpoints have the same current; each is copied once", field)]
    return []


def warnings_for(
    source: sources.ImportSource | None, checkpoints: Sequence[sources.Checkpoint] | None
) -> tuple[str, ...]:
    """Return a warning where stages are given to a source that cannot be read in stages."""
    if not checkpoints or is_multi_stage(source, checkpoints):
        return ()
    return (f"checkpoints have no effect: only sources {' and '.join(SOURCES)} have stages",)
