"""A part of a document that has one of several shapes, and says by its name in one field which one it is."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class OneOf:
    """Annotates a field that takes one of `choices`, by the name that `field` of the part holds.

    Made from a registry while the program starts, so it is no union that a type checker could know:
    `Annotated[BaseModel, OneOf(...)]`.
    """

    def __init__(self, field: str, choices: Mapping[str, type[BaseModel]]) -> None:
        self.field = field
        self.choices = choices

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic checks, writes and describes such a part with."""
        del source
        return core_schema.tagged_union_schema(
            {name: handler.generate_schema(choice) for name, choice in self.choices.items()},
            self.field,
            strict=True,
            from_attributes=False,
        )
