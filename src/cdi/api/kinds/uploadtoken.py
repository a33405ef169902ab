"""UploadTokenRequest: created, answered with a token, never stored. Has no definition."""

from typing import Annotated

from cdi.api.kinds.root import Root
from cdi.api.view import View, doc


class UploadTokenRequestSpec(View):
    """What is wanted."""

    pvc_name: Annotated[str, doc("Claim to upload to; it need not exist yet.")]


class UploadTokenRequestStatus(View):
    """The answer."""

    token: Annotated[str | None, doc("Token for the upload proxy, a JWT.")] = None


class UploadTokenRequest(Root, kw_only=True):
    """Asks for a token with which one claim may be uploaded to."""

    spec: Annotated[UploadTokenRequestSpec, doc("What is wanted.")]
    status: Annotated[UploadTokenRequestStatus | None, doc("The answer.")] = None
