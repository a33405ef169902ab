"""
Who asks an object store, and where it is: frozen values, filled at the edge.

Without credentials a store is asked anonymously, which public objects allow. Secrets do not show
in `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GOOGLE = "https://storage.googleapis.com"


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs requests to S3. Those of a session come with its token."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class S3Access:
    keys: Keys | None = None
    endpoint: str = ""  # Amazon's if empty
    region: str = ""  # what the endpoint's name tells, if empty


@dataclass(frozen=True, slots=True)
class GoogleAccess:
    credentials: str = field(default="", repr=False)  # JSON text of a credentials file
    metadata_host: str = ""  # where a virtual machine of Google's learns who it is
    endpoint: str = GOOGLE


@dataclass(frozen=True, slots=True)
class AzureAccess:
    account: str = ""
    key: str = field(default="", repr=False)  # base64
    sas: str = field(default="", repr=False)  # a query: sv=...&sig=...
    endpoint: str = ""  # Azure's own for the account, if empty
