"""What is wrong with a document, said so that its author knows what to do: where, what, and how to mend it."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from brandday.config.one_of import OneOf

type Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One place in a document that cannot work. `message` continues a sentence that starts with the field's
    name.
    """

    path: Path
    rule: str
    message: str

    @property
    def field(self) -> str:
        """The place as people write it: skus[2].sale_price.currency."""
        written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return written.removeprefix(".") or "the document"

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer: /skus/2/sale_price/currency."""
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in self.path)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class DocumentRefused(ValueError):
    """A document cannot work; `problems` says all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def explain(error: ValidationError, shape: OneOf, advice: Mapping[str, str]) -> list[Problem]:
    """Pydantic's errors about a document of `shape` in our words; `advice` says for each pattern what it asks for."""
    return [_explain_one(details, shape, advice) for details in error.errors(include_url=False)]


def _explain_one(details: ErrorDetails, document: OneOf, advice: Mapping[str, str]) -> Problem:
    context: Mapping[str, Any] = details.get("ctx", {})
    path, shape = _place(details["loc"], document)
    path += tuple(context.get("at", ()))
    rule = details["type"]
    match rule:
        case "missing":
            message = "is missing; add it"
        case "union_tag_not_found" if isinstance(shape, OneOf):
            path += (shape.field,)
            message = f"is missing; add it, there are: {', '.join(shape.choices)}"
        case "union_tag_invalid" if isinstance(shape, OneOf):
            path += (shape.field,)
            message = f"is not one that exists; {_guess(context['tag'], shape.choices)}"
        case "extra_forbidden":
            _, around = _place(details["loc"][:-1], document)
            known = around.model_fields if isinstance(around, type) and issubclass(around, BaseModel) else ()
            message = f"is not a field that exists here; {_guess(path[-1], sorted(known))}"
        case "enum" if details["loc"][-1] == "[key]":
            message = f"is not a name that exists here; there are: {context['expected']}"
        case "int_type" | "int_from_float" | "int_parsing" | "int_parsing_size":
            message = f"must be a whole number, not {_kind(details['input'])}"
            if path[-1:] == ("amount",):
                message += "; write money in minor units: 99.50 is 9950"
        case "string_type":
            message = f"must be text, not {_kind(details['input'])}; put it in quotes"
        case "bool_type":
            message = f"must be true or false, not {_kind(details['input'])}"
        case "list_type":
            message = f"must be a list, not {_kind(details['input'])}"
        case "model_type" | "model_attributes_type" | "dict_type":
            message = f"must be a mapping of fields, not {_kind(details['input'])}"
        case "literal_error" | "enum":
            message = f"must be {context['expected']}"
        case "string_pattern_mismatch":
            message = f"must be {advice.get(context['pattern'], f'text that matches {context["pattern"]}')}"
        case "string_too_short":
            message = f"must have at least {context['min_length']} characters"
        case "string_too_long":
            message = f"must have at most {context['max_length']} characters"
        case "too_short":
            message = f"must have at least {context['min_length']} of them"
        case "too_long":
            message = f"must have at most {context['max_length']} of them"
        case "greater_than_equal":
            message = f"must be {context['ge']} or more"
        case "less_than_equal":
            message = f"must be {context['le']} or less"
        case _:
            message = re.sub(r"^Value error, ", "", details["msg"])
    return Problem(path, rule, message)


def _guess(name: str | int, known: Iterable[str]) -> str:
    """The name that was probably meant, or those there are."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"


def _place(location: Path, document: OneOf) -> tuple[Path, object]:
    """Pydantic's `location` as a path through the document, and the shape of what belongs there, if it is known.

    Pydantic also writes down which of several shapes it took, and that it means a key; the document has no such step.
    """
    path: list[str | int] = []
    shape: object = document
    for part in location:
        if part == "[key]":
            continue
        if isinstance(shape, OneOf):
            shape = shape.choices.get(str(part))
            # A rule that looks at several fields names the place without this step.
            if shape is not None:
                continue
        path.append(part)
        shape = _inside(shape, part)
    return tuple(path), shape


def _inside(shape: object, part: str | int) -> object:
    """The shape of a field, or of an item, of what has `shape`; None if that is not known."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        field = shape.model_fields.get(str(part))
        return None if field is None else _noted(field.metadata) or _bare(field.annotation)
    arguments = get_args(shape)
    return _bare(arguments[-1]) if arguments else None


def _bare(annotation: object) -> object:
    """An annotation without what is around it: `X | None` and `Annotated[X, ...]` are X, but OneOf is itself."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        return _noted(notes) or _bare(inner)
    if isinstance(annotation, UnionType):
        return next(_bare(choice) for choice in get_args(annotation) if choice is not NoneType)
    return annotation


def _noted(notes: Iterable[object]) -> OneOf | None:
    return next((note for note in notes if isinstance(note, OneOf)), None)


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a number"
        case float():
            return "a number with decimals"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping of fields"
