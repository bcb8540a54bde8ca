"""Groups of settings: the headings of the help pages, and the panels of whoever shows settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler


@dataclass(frozen=True)
class Group:
    """Where a setting is shown; stands in the annotation of each field of `Settings`.

    In the JSON Schema of `Settings` a field's ``group`` is the title and ``rare`` whether it is one
    for few; `GROUPS` has the order.

    Attributes:
        title: the heading.
        rare: whether it is left out where only the usual settings are shown.
    """

    title: str
    rare: bool = False

    @property
    def rarely(self) -> Group:
        """The same group, for settings that few people need."""
        return replace(self, rare=True)

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Adds itself to the field's schema."""
        return {**handler(core_schema), "group": self.title, "rare": self.rare}


PAINT = Group("What to paint")
STYLE = Group("Style")
COLOR = Group("Colour")
REGIONS = Group("Regions")
SIZE = Group("Size and time")
LOSSES = Group("Losses")
NETWORK = Group("Network and optimiser")
FILES = Group("Files")
MACHINE = Group("Machine")

GROUPS = (PAINT, STYLE, COLOR, REGIONS, SIZE, LOSSES, NETWORK, FILES, MACHINE)
"""All groups in the order in which they are shown. No setting is in the last two: they are for
flags that do not change how a picture looks."""
