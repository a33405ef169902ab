"""An object behind an http(s) URL, as a source."""

from cdi.images.sources.http.source import HttpSource

__all__ = ["HttpSource"]
