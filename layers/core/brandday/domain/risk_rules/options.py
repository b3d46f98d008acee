"""The options of a rule, declared once: where they are read, checked, kept, and described for operators.

An option is a field of the rule's dataclass, a number, a name out of several or a list of texts. What an operator may
write for it is said beside it (`option`), and `config/rule_parts.py` makes the part of the campaign file of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

_BOUNDS = "brandday"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an operator may write: a number in `[least, most]`, one of `choices`, or up to `most` texts of `pattern`.

    `says` describes the option, `advice` says in words what the pattern asks for.
    """

    says: str
    least: int = 1
    most: int = 1
    choices: tuple[str, ...] = ()
    pattern: str = ""
    advice: str = ""


def number(says: str, *, least: int, most: int) -> Any:
    """Declare an option that is a whole number."""
    return field(metadata={_BOUNDS: Bounds(says, least=least, most=most)})


def choice(says: str, *choices: str) -> Any:
    """Declare an option that is one of several names."""
    return field(metadata={_BOUNDS: Bounds(says, choices=choices)})


def texts(says: str, *, most: int, pattern: str, advice: str) -> Any:
    """Declare an option that is a list of 1 to `most` different texts."""
    return field(metadata={_BOUNDS: Bounds(says, most=most, pattern=pattern, advice=advice)})


@dataclass(frozen=True, slots=True)
class WithOptions:
    """A rule as a dataclass of its options: how they get into a document and back."""

    name: ClassVar[str]

    def to_document(self) -> dict[str, Any]:
        """The options, as kept in a campaign document, with the `rule` that they are of."""
        document: dict[str, Any] = {"rule": self.name}
        for one in fields(self):
            value = getattr(self, one.name)
            document[one.name] = list(value) if isinstance(value, tuple) else value
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`; what else the document has (a name, a weight) is not looked at."""
        values = {one.name: document[one.name] for one in fields(cls)}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @classmethod
    def options(cls) -> Mapping[str, Bounds]:
        """Return what may be written for each option, by its name."""
        return {one.name: one.metadata[_BOUNDS] for one in fields(cls)}
