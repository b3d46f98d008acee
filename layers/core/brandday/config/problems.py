"""What is wrong with a document, said so that its author knows what to do: where, what, and how to mend it."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

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


def explain(error: ValidationError, model: type[BaseModel], advice: Mapping[str, str]) -> list[Problem]:
    """Pydantic's errors about `model` in our words; `advice` says for each pattern what it asks for."""
    return [_explain_one(details, model, advice) for details in error.errors(include_url=False)]


def _explain_one(details: ErrorDetails, model: type[BaseModel], advice: Mapping[str, str]) -> Problem:
    context: Mapping[str, Any] = details.get("ctx", {})
    path = tuple(part for part in details["loc"] if part != "[key]") + tuple(context.get("at", ()))
    rule = details["type"]
    match rule:
        case "missing":
            message = "is missing; add it"
        case "extra_forbidden":
            message = f"is not a field that exists here; {_guess(path, model)}"
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
            message = f"must be {advice[context['pattern']]}"
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


def _guess(path: Path, model: type[BaseModel]) -> str:
    """The field that was probably meant, or those there are, at the place of `path`."""
    known = sorted(_fields_at(path[:-1], model))
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"


def _fields_at(path: Path, model: type[BaseModel]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        model = next(kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)


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
