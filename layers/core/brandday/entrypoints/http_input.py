"""Reading a request: bytes and headers from anybody, checked before anything else is done with them."""

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from brandday.domain.errors import (
    BodyTooLarge,
    FieldError,
    Forbidden,
    IdempotencyKeyMissing,
    MalformedJson,
    Param,
    Unauthenticated,
    ValidationFailed,
)
from brandday.entrypoints.routes import ID_FORMS, Route, can_be

KEY_LENGTH: Final = 255
KEY_HEADER: Final = "Idempotency-Key"
CURSOR: Final = re.compile(r"[ -~]{1,500}")
"""What `next` of a page can look like at all."""

_SUBJECT_LENGTH: Final = 255
_ERRORS_SHOWN: Final = 20
_POINTER_LENGTH: Final = 200

# What pydantic calls it -> our rule, and the parameter of its text with the name pydantic gives that value.
_RULES: Final[Mapping[str, tuple[str, str, str]]] = {
    "missing": ("required", "", ""),
    "extra_forbidden": ("unknown_field", "", ""),
    "model_type": ("not_an_object", "", ""),
    "model_attributes_type": ("not_an_object", "", ""),
    "dict_type": ("not_an_object", "", ""),
    "list_type": ("not_a_list", "", ""),
    "tuple_type": ("not_a_list", "", ""),
    "string_type": ("not_text", "", ""),
    "int_type": ("not_a_whole_number", "", ""),
    "int_from_float": ("not_a_whole_number", "", ""),
    "int_parsing": ("not_a_whole_number", "", ""),
    "bool_type": ("not_true_or_false", "", ""),
    "bool_parsing": ("not_true_or_false", "", ""),
    "string_pattern_mismatch": ("bad_format", "", ""),
    "string_unicode": ("bad_format", "", ""),
    "greater_than_equal": ("too_small", "min", "ge"),
    "less_than_equal": ("too_large", "max", "le"),
    "string_too_short": ("too_short", "min", "min_length"),
    "too_short": ("too_short", "min", "min_length"),
    "string_too_long": ("too_long", "max", "max_length"),
    "too_long": ("too_long", "max", "max_length"),
    "literal_error": ("not_one_of", "allowed", "expected"),
    "enum": ("not_one_of", "allowed", "expected"),
    "value_error": ("refused", "reason", "error"),
    # and the rules that our own models raise
    **{
        rule: (rule, "", "")
        for rule in (
            "bad_format",
            "not_a_country",
            "not_a_phone",
            "not_a_postal_code",
            "not_a_time",
            "required",
            "unprintable",
        )
    },
}


def read_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """The headers by their names in lower case."""
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def check_token(event: Mapping[str, Any], scope: str | None) -> Mapping[str, str]:
    """The claims of the token, which must have `scope` (None: no token is needed, none is read).

    API Gateway has verified the signature, the issuer and the time, and has checked the scope; this is the
    second lock. Raises Unauthenticated or Forbidden.
    """
    if scope is None:
        return {}
    try:
        claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
        subject, scopes = claims["sub"], claims.get("scope", "")
    except (KeyError, TypeError, AttributeError):
        raise Unauthenticated from None
    if not (isinstance(subject, str) and 0 < len(subject) <= _SUBJECT_LENGTH and isinstance(scopes, str)):
        raise Unauthenticated
    if scope not in scopes.split(" "):
        raise Forbidden(needs=scope)
    return {name: value for name, value in claims.items() if isinstance(value, str)}


def check_ids(path: Mapping[str, str]) -> None:
    """Raise the not-found of a thing whose id cannot be one."""
    for name, value in path.items():
        if name in ID_FORMS and not can_be(name, value):
            raise ID_FORMS[name][1]


def check_query(query: Mapping[str, str], route: Route) -> None:
    """Raise ValidationFailed for each query parameter that must be there and is not."""
    if missing := [name for name in route.needs_query if not query.get(name)]:
        raise ValidationFailed(errors=[FieldError(f"query:{name}", "required") for name in missing])


def page_query(*, default: int, most: int) -> dict[str, tuple[Any, str]]:
    """The query parameters of a list that comes in pages, for its documentation."""
    return {
        "limit": (Annotated[int, Field(ge=1, le=most)], f"How many at most, 1 to {most}; {default} if it is left out."),
        "after": (Annotated[str, Field(pattern=f"^{CURSOR.pattern}$")], "`next` of the page before."),
    }


def read_limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    """How many are wanted on a page; raises ValidationFailed unless it is 1 to `most`."""
    text = query.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise wrong_query("limit", "not_a_whole_number")
    if int(text) < 1:
        raise wrong_query("limit", "too_small", min=1)
    if int(text) > most:
        raise wrong_query("limit", "too_large", max=most)
    return int(text)


def read_cursor(query: Mapping[str, str], name: str = "after") -> str | None:
    """Where the page begins, or None for the first; raises ValidationFailed if no page can have said this."""
    text = query.get(name)
    if text is not None and not CURSOR.fullmatch(text):
        raise wrong_query(name, "not_a_cursor")
    return text


def read_choice[Choice: StrEnum](query: Mapping[str, str], name: str, choices: type[Choice]) -> Choice | None:
    """One of `choices`, or None if there is no such parameter; raises ValidationFailed for anything else."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return choices(text)
    except ValueError:
        raise wrong_query(name, "not_one_of", allowed=tuple(map(str, choices))) from None


def wrong_query(name: str, rule: str, **params: Param) -> ValidationFailed:
    """The refusal of a query parameter."""
    return ValidationFailed(errors=[FieldError(f"query:{name}", rule, params)])


def read_key(headers: Mapping[str, str]) -> str:
    """The Idempotency-Key; raises IdempotencyKeyMissing, or ValidationFailed if it cannot be one."""
    key = headers.get("idempotency-key", "").strip(" \t")
    if not key:
        raise IdempotencyKeyMissing
    if len(key) > KEY_LENGTH or not key.isascii() or not key.isprintable():
        place = FieldError(f"header:{KEY_HEADER}", "not_printable", {"max": KEY_LENGTH})
        raise ValidationFailed(errors=[place])
    return key


def read_body(event: Mapping[str, Any], route: Route) -> BaseModel | None:
    """The body as the route's model; raises BodyTooLarge, MalformedJson or ValidationFailed."""
    if route.body is None:
        return None
    return _as_model(read_json(event, route.body_limit_bytes), route.body)


def parse_body[Model: BaseModel](raw: bytes, model: type[Model]) -> Model:
    """The bytes of a signed body as a model; raises MalformedJson or ValidationFailed."""
    try:
        document = _decode(raw.decode())
    except (ValueError, RecursionError):
        raise MalformedJson from None
    return _as_model(document, model)


def parse_text[Model: BaseModel](text: str, model: type[Model], at: str) -> Model:
    """JSON that stands elsewhere than in the body as a model; raises ValidationFailed naming places under `at`."""
    try:
        document = _decode(text)
    except (ValueError, RecursionError):
        raise ValidationFailed(errors=[FieldError(at, "not_json")]) from None
    return _as_model(document, model, at)


def _as_model[Model: BaseModel](document: Any, model: type[Model], at: str = "") -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        places = wrong_places(error)
        raise ValidationFailed(errors=[place._replace(pointer=at + place.pointer) for place in places]) from None


def read_raw(event: Mapping[str, Any], limit_bytes: int) -> bytes:
    """The body's bytes as they were sent, which is what a signature is over; raises BodyTooLarge or MalformedJson."""
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            _check_size(len(body) * 3 // 4 - 2, limit_bytes)
            raw = b64decode(body, validate=True)
        else:
            _check_size(len(body), limit_bytes)
            raw = body.encode()
    except ValueError:  # binascii.Error and UnicodeError are ValueErrors
        raise MalformedJson from None
    _check_size(len(raw), limit_bytes)
    return raw


def read_json(event: Mapping[str, Any], limit_bytes: int) -> Any:
    """The body as plain values; raises BodyTooLarge or MalformedJson."""
    try:
        return _decode(read_raw(event, limit_bytes).decode())
    except (ValueError, RecursionError):  # UnicodeError and JSONDecodeError are ValueErrors
        raise MalformedJson from None


def wrong_places(error: ValidationError) -> list[FieldError]:
    """What pydantic found, as our rules; the refused values are left out."""
    found = error.errors(include_url=False, include_input=False)
    return [_wrong_place(detail) for detail in found[:_ERRORS_SHOWN]]


def _wrong_place(detail: Mapping[str, Any]) -> FieldError:
    rule, param, name = _RULES.get(detail["type"], ("invalid", "", ""))
    params: dict[str, Param] = {}
    if param:
        value = detail["ctx"][name]
        params[param] = value if isinstance(value, int) else str(value)
    return FieldError(_pointer(detail["loc"]), rule, params)


def _pointer(parts: Iterable[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)[:_POINTER_LENGTH]


def _check_size(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is repeated")
    return names


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
