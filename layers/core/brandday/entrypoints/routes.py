"""What a route is: everything there is to say about one method and path, in one place.

The table of routes of a function is a plain constant (`ROUTES`). `http.build_app` serves it,
`tools/openapi.py` documents it, and the tests compare it with `template.yaml`, so the three cannot
disagree.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from brandday.domain.errors import (
    BodyTooLarge,
    BrandDayError,
    CampaignNotFound,
    CaseNotFound,
    CouponJobNotFound,
    CouponNotFound,
    EntryNotFound,
    Forbidden,
    IdempotencyKeyMissing,
    InternalError,
    MalformedJson,
    QueueNotFound,
    RedemptionNotFound,
    ReservationNotFound,
    RewardNotFound,
    SignatureInvalid,
    TemporarilyOverloaded,
    Unauthenticated,
    ValidationFailed,
)

BODY_LIMIT_BYTES: Final = 16 * 1024

OPERATOR: Final = "operator"
SHOPPER: Final = "shopper"
"""Scopes of tokens."""

PRIVATE: Final = "no-store"
PUBLIC_FOR_A_SECOND: Final = "public, max-age=1"

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


# What can be an id at all. Anything else cannot be there, so it is not looked for.
ID_FORMS: Final[Mapping[str, tuple[str, type[BrandDayError]]]] = {
    "campaign_id": (r"[a-z0-9][a-z0-9-]{2,39}", CampaignNotFound),
    "reservation_id": (r"rsv_[A-Za-z0-9._-]{1,96}", ReservationNotFound),
    "reward_id": (r"rwd_[A-Za-z0-9_-]{12}\.[0-9a-z]{8}\.[a-z0-9][a-z0-9-]{2,39}", RewardNotFound),
    "entry_id": (
        r"ent_[a-z0-9][a-z0-9-]{2,39}\.[A-Za-z0-9_-]{12}\.([1-9]|[1-3][0-9]|40)",
        EntryNotFound,
    ),
    "coupon_id": (r"cpn_[A-Za-z0-9_-]{20}", CouponNotFound),
    "redemption_id": (r"rdm_[A-Za-z0-9_-]{20}", RedemptionNotFound),
    "job": (r"[a-z0-9][a-z0-9-]{0,39}", CouponJobNotFound),
    "reference": (r"[0-9A-Za-z](-?[0-9A-Za-z]){9}", CaseNotFound),
    "queue": (r"(holds|fulfilments|stream)", QueueNotFound),
}
"""Patterns, each compiled when it is first asked for: no function has all kinds of ids."""


def can_be(name: str, value: str) -> bool:
    """Whether `value` has the form of this kind of id."""
    return _pattern(name).fullmatch(value) is not None


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(ID_FORMS[name][0])


class Shape(BaseModel):
    """What has a form on the wire; pydantic makes its validator when it is first used, which most never are."""

    model_config = ConfigDict(defer_build=True)


class Input(Shape):
    """A request's body: no unknown fields, no wrong types put right silently."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Output(Shape):
    """An answer's body; `server_time` (RFC 3339) is filled in when it is sent."""

    # Fields with a default are always sent, so the documentation may promise them.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    server_time: str = ""


class Request[Body](NamedTuple):  # a frozen dataclass takes twice as long to make, for every refusal
    """What a handler gets: checked, and nothing it does not need.

    `path` are the path parameters, `claims` those of the token (strings), `subject` who it was issued to;
    header names are in lower case; `idempotency_key` is "" on routes that need none. `address` is the IP address that
    asks, "" if there is none. On a `signed` route `body` is the bytes as they came.
    """

    path: Mapping[str, str]
    body: Body
    query: Mapping[str, str] = NOTHING
    headers: Mapping[str, str] = NOTHING
    claims: Mapping[str, str] = NOTHING
    subject: str = ""
    idempotency_key: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """An answer's body that is no JSON; `media_type` is one of those that the route promises as its `answer`."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back; without a `status` it is the route's own. `noted` is added to the log's line."""

    body: Output | File
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path.

    `handler(use_cases, request)` answers with the model `answer`, or with a file of one of these media types; `scope`
    is what the token must have (None: public, no token); `body` is the model of the request's body (None: a body is
    ignored); `statuses` are those of success, the usual one first; `errors` are the refusals beyond those that
    `every_error` adds. `needs_key`: an Idempotency-Key is required. `signed`: the sender signs the body and has no
    token; the handler gets the bytes, verifies them and reads them as `body` afterwards (`http_input.parse_body`), and
    an id that cannot be one looks like a wrong signature. `needs_query` are query parameters that must be there. For
    the documentation only: `query` has the type and the meaning of each query parameter, `headers` the meaning of each
    header of the answer, `shows` that of each header that a request may have besides the usual ones.
    """

    method: str
    path: str
    handler: Callable[[Any, Request[Any]], Answer]
    summary: str
    answer: type[Output] | tuple[str, ...]
    scope: str | None = None
    body: type[BaseModel] | None = None
    statuses: tuple[int, ...] = (200,)
    errors: tuple[type[BrandDayError], ...] = ()
    needs_key: bool = False
    signed: bool = False
    needs_query: tuple[str, ...] = ()
    body_limit_bytes: int = BODY_LIMIT_BYTES
    cache_control: str = PRIVATE
    etag: bool = False
    query: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: Mapping[str, str] = field(default_factory=dict)

    @property
    def every_error(self) -> tuple[type[BrandDayError], ...]:
        """All refusals of this route, the ones every route of its kind has included."""
        kinds: list[type[BrandDayError]] = [
            SignatureInvalid if self.signed else not_found
            for name, (_, not_found) in ID_FORMS.items()
            if f"{{{name}}}" in self.path
        ]
        if self.scope:
            kinds += [Unauthenticated, Forbidden]
        if self.needs_key:
            kinds += [IdempotencyKeyMissing, ValidationFailed]
        if self.query:
            kinds.append(ValidationFailed)
        if self.body:
            kinds += [MalformedJson, BodyTooLarge, ValidationFailed]
        kinds += [*self.errors, InternalError, TemporarilyOverloaded]
        return tuple(dict.fromkeys(kinds))
