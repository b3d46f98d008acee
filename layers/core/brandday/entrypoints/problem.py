"""Refusals on the wire: RFC 9457 `application/problem+json`, one shape for all of them, in two languages."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from brandday.domain.errors import BrandDayError, FieldError, MethodNotAllowed, Unauthenticated
from brandday.domain.messages import DEFAULT_LANGUAGE, LANGUAGES, explain, explain_field
from brandday.entrypoints.json_text import json_text

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:brandday:error:"
INSTANCE_PREFIX: Final = "urn:brandday:request:"

_SPREAD_AT_MOST_MS: Final = 4000


def problem_text(
    error: BrandDayError, *, language: str, request_id: str, server_time: str, retry_after_ms: int | None
) -> str:
    """The body that tells about `error`."""
    text = explain(error, language)
    return json_text(
        {
            "type": TYPE_PREFIX + error.code,
            "title": text.title,
            "status": error.status,
            "detail": text.detail,
            "instance": INSTANCE_PREFIX + request_id,
            "code": error.code,
            "params": error.params,
            "errors": [_wrong_place(place, language) for place in error.errors],
            "request_id": request_id,
            "retry_after_ms": retry_after_ms,
            "server_time": server_time,
        }
    )


def problem_headers(error: BrandDayError, *, language: str, retry_after_ms: int | None) -> dict[str, str]:
    """The headers that belong to the answer."""
    headers = {"Content-Type": CONTENT_TYPE, "Content-Language": language, "Vary": "Accept-Language"}
    if retry_after_ms is not None:
        headers["Retry-After"] = str(max(1, -(-retry_after_ms // 1000)))
    match error:
        case MethodNotAllowed(params={"allowed": tuple(methods)}):
            headers["Allow"] = ", ".join(methods)
        case Unauthenticated():
            headers["WWW-Authenticate"] = "Bearer"
    return headers


def spread(retry_after_ms: int | None, jitter: Callable[[], float]) -> int | None:
    """The time to wait, up to half as long again (at most two seconds), so that not all come back at once.

    `jitter` gives a number in [0, 1).
    """
    if retry_after_ms is None:
        return None
    return retry_after_ms + int(jitter() * min(retry_after_ms, _SPREAD_AT_MOST_MS) / 2)


@lru_cache(maxsize=64)
def pick_language(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, 12.5.4); English if none fits."""
    best, best_quality = DEFAULT_LANGUAGE, 0.0
    for choice in accept_language[:200].split(","):
        tag, _, parameters = choice.strip().partition(";")
        primary = tag.strip().partition("-")[0].lower()
        language = next((known for known in LANGUAGES if known.partition("-")[0] == primary), None)
        quality = _quality(parameters)
        if language and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _wrong_place(place: FieldError, language: str) -> Mapping[str, Any]:
    kind, colon, name = place.pointer.partition(":")
    where, what = (kind, name) if colon and kind in ("header", "query") else ("pointer", place.pointer)
    return {
        where: what,
        "rule": place.rule,
        "detail": explain_field(place, language),
    }
