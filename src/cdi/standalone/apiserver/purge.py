"""
Delete many objects: collections, the content of a namespace, the objects of a definition.

The deletions run side by side, so that they share the disk's syncs; an object that is gone already
counts as deleted. What a deletion means for one object stays with `objects`.
"""

import asyncio
import logging
from collections.abc import Iterable

from cdi.standalone.apiserver.identity import ADMIN, User
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import DeleteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError

TOGETHER = 100  # deletions under way at once

_logger = logging.getLogger(__name__)


async def delete_all(
    objects: Objects, refs: Iterable[ObjectRef], options: DeleteOptions, user: User = ADMIN
) -> list[ApiError]:
    """Delete every object that still exists; the errors of those that could not be."""
    gate = asyncio.Semaphore(TOGETHER)

    async def delete(ref: ObjectRef) -> ApiError | None:
        async with gate:
            try:
                await objects.delete(ref, options, user)
            except ApiError as error:
                if error.code != 404:
                    _logger.info("%s was not deleted: %s", ref.key, error)
                    return error
            return None

    answers = await asyncio.gather(*map(delete, refs))
    return [error for error in answers if error is not None]
