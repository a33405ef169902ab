"""What every kind has in common."""

from typing import Annotated

from cdi.api.core.metadata import ObjectMeta
from cdi.api.view import View, doc


class Root(View):
    """An object of its own, with a name and a version."""

    api_version: Annotated[str | None, doc("Group and version of the object.")] = None
    kind: Annotated[str | None, doc("Kind of the object.")] = None
    metadata: Annotated[ObjectMeta | None, doc("Name, labels and the like.")] = None


class Nothing(View):
    """An object without fields."""
