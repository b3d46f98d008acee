"""The risk rules as an operator declares them, made from what each kind says of its options.

A kind of rule declares its options in its own file (`domain/risk_rules/`); the part of the campaign file, its
description in the JSON Schema and its advice follow from there.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, create_model

from brandday.config.one_of import OneOf
from brandday.config.parts import Part, none_twice
from brandday.domain.risk_rules import RULES
from brandday.domain.risk_rules.options import Bounds, WithOptions

MAX_WEIGHT = 1000
NAME = r"^[a-z0-9][a-z0-9_-]{0,39}$"

ADVICE = {NAME: "1 to 40 small letters, digits, hyphens and underscores, and start with a letter or digit"} | {
    bounds.pattern: bounds.advice for rule in RULES.values() for bounds in rule.options().values() if bounds.pattern
}
"""What each pattern asks for, in words."""


class RulePart(Part):
    """What all rules have: what one weighs, and what it is called in reports."""

    rule: str
    name: str | None = Field(
        default=None,
        pattern=NAME,
        description="What it is called in reports and cases; if left out, as its kind. No two of a campaign alike.",
    )
    weight: int = Field(ge=1, le=MAX_WEIGHT, description="What a hit adds to the score.")

    @property
    def called(self) -> str:
        """The name it goes by."""
        return self.name or self.rule

    def to_document(self) -> dict[str, Any]:
        """The rule with its options and its name, as it is kept."""
        return self.model_dump(mode="json") | {"name": self.called}


def _part(rule: type[WithOptions]) -> type[BaseModel]:
    options: dict[str, Any] = {name: _field(bounds) for name, bounds in rule.options().items()}
    return create_model(
        f"{rule.__name__}Rule",
        __base__=RulePart,
        __doc__=rule.__doc__,
        rule=(Literal[rule.name], Field(description="What kind of rule this is.")),
        **options,
    )


def _field(bounds: Bounds) -> Any:
    """The type of an option, with all that pydantic has to know of it."""
    if bounds.choices:
        return Annotated[Literal[bounds.choices], Field(description=bounds.says)]
    if bounds.pattern:
        one = Annotated[str, Field(pattern=bounds.pattern)]
        described = Field(min_length=1, max_length=bounds.most, description=bounds.says)
        return Annotated[list[one], described, AfterValidator(none_twice)]
    return Annotated[int, Field(ge=bounds.least, le=bounds.most, description=bounds.says)]


PARTS: Mapping[str, type[BaseModel]] = {name: _part(rule) for name, rule in RULES.items()}
AnyRule = Annotated[BaseModel, OneOf("rule", PARTS)]
