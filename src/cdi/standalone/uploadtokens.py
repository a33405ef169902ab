"""
UploadTokenRequests on one machine: the same answers as on a cluster, inside the API server.

Here: the kind as the API server serves it, and the translation of refusals. Elsewhere: what may be
asked and the answer (`cdi.web.uploadtokens`).
"""

from __future__ import annotations

import functools
from typing import Any

from cdi.api import schema
from cdi.api.kinds.uploadtoken import UploadTokenRequest
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.apiserver.unstored import Reply, UnstoredKind
from cdi.standalone.lookups import Lookups
from cdi.standalone.schema.crd import schema_of
from cdi.standalone.schema.registry import KindInfo
from cdi.web.admission import resources
from cdi.web.admission.inquiry import Get
from cdi.web.statuses import Refused
from cdi.web.tokens.signing import Tokens
from cdi.web.uploadtokens import documents
from cdi.web.uploadtokens.request import SERVED, TokenRequests

Document = dict[str, Any]


def unstored(tokens: Tokens, look: Lookups) -> UnstoredKind:
    """The kind, answered with tokens that `tokens` signs."""

    async def uid_of(namespace: str, name: str) -> str | None:
        claim = await look(Get(resources.CLAIMS, name, namespace))
        return claim["metadata"]["uid"] if claim else None

    requests = TokenRequests(tokens.sign_upload, uid_of)

    async def reply(document: Document, namespace: str, validation: str) -> Reply:
        try:
            answer = await requests.create(document, namespace, validation)
        except Refused as refused:
            raise ApiError(
                refused.code, refused.reason, refused.message, refused.details
            ) from refused
        return Reply(answer.document, answer.warnings)

    return UnstoredKind(_kind(), reply)


def _kind() -> KindInfo:
    return KindInfo(
        group=SERVED.group,
        version=SERVED.storage_version,
        kind=SERVED.kind,
        plural=SERVED.plural,
        singular=SERVED.singular,
        build_schema=_schema,
        short_names=SERVED.short_names,
        verbs=documents.VERBS,
        custom=True,
        list_kind=SERVED.list_kind,
        component=f"{'.'.join(reversed(SERVED.group.split('.')))}.v1beta1.{SERVED.kind}",
    )


@functools.cache
def _schema() -> Document:
    return schema_of({"schema": {"openAPIV3Schema": schema.root_schema_of(UploadTokenRequest)}})
