"""What one transfer answers. Only values; sizes and counts are in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """What was done."""

    format: str
    compression: str | None
    virtual_size: int
    size: int = 0
    fetched: int = 0  # in this run
    written: int = 0  # in this run
    digest: tuple[str, str] | None = None
    resumed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, summed over threads
