"""Rewards as signed HTTP requests, as Standard Webhooks has them.

What the partner answers decides: 2xx is accepted; 408, 425, 429, 5xx and no answer at all may work later; anything
else, redirects too, is a refusal. The partner recognises a repetition by the header `webhook-id`, which is the same for
all attempts; so is the body, unless the campaign was changed in between.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from brandday.connectors import port
from brandday.connectors.port import (
    Accepted,
    AddressRefused,
    HttpAnswer,
    NoAnswer,
    Parcel,
    Refused,
    SecretMissing,
    SecretUnreadable,
    Tools,
    TryLater,
    Verdict,
)
from brandday.connectors.secret_name import SecretName, trouble_with
from brandday.connectors.web_address import parse_web_address
from brandday.connectors.words import clean
from brandday.domain.times import from_datetime, to_rfc3339
from brandday.domain.webhook_signature import sign

EVENT_TYPE = "reward.granted"
_ONLY_THIS_ONE = frozenset((408, 425))
_LATER = _ONLY_THIS_ONE | {429}
_MAX_REFERENCE = 100


def _web_address(url: str) -> str:
    parse_web_address(url)
    return url


class WebhookOptions(port.Options):
    """Where to, and the secret that signs what is sent and the receipts that come back."""

    url: Annotated[str, AfterValidator(_web_address)]
    secret: SecretName


class WebhookConnector:
    """Posts a reward to a partner's URL."""

    name: ClassVar[str] = "webhook"
    Options: ClassVar[type[port.Options]] = WebhookOptions

    @staticmethod
    def destination(options: WebhookOptions) -> str:
        """Return scheme, host and port: paths of one server fail together."""
        return parse_web_address(options.url).origin

    @staticmethod
    def check(options: WebhookOptions, tools: Tools) -> Mapping[str, str]:
        """Return what is wrong with where the URL leads, and with the secret."""
        found: dict[str, str] = {}
        try:
            tools.http.check(options.url)
        except (AddressRefused, NoAnswer) as error:
            found["url"] = str(error)
        if secret := trouble_with(options.secret, tools):
            found["secret"] = secret
        return found

    @staticmethod
    def deliver(parcel: Parcel, options: WebhookOptions, tools: Tools, now: int) -> Verdict:
        """Post the reward; `now` is the time that is signed."""
        body = webhook_body(parcel)
        timestamp = now // 1000
        try:
            headers = {
                "content-type": "application/json",
                "user-agent": "BrandDay-Webhooks/1",
                "webhook-id": parcel.id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign(tools.secrets.get(options.secret), parcel.id, timestamp, body),
            }
        except (SecretMissing, SecretUnreadable, ValueError):
            # Ours to put right, so it is worth waiting; the reward's time limit ends it.
            reason = trouble_with(options.secret, tools) or "was unusable for a moment"
            return TryLater(clean(f"cannot sign: {reason}"), is_down=False)
        try:
            answer = tools.http.post(options.url, headers, body, timeout_ms=tools.timeout_ms)
        except (NoAnswer, AddressRefused) as error:
            # Names may lead to a private address for a while, by mistake or by attack; nothing was sent then.
            return TryLater(clean(str(error)))
        return _verdict(answer, now)

    @staticmethod
    def receipt_secret(options: WebhookOptions) -> str | None:
        """Return the name of the secret: the same one signs both ways."""
        return options.secret


def webhook_body(parcel: Parcel) -> bytes:
    """Return the body of a reward's webhook, the same for every attempt with the same facts."""
    event = {"type": EVENT_TYPE, "timestamp": to_rfc3339(parcel.created_at), "data": parcel.data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _verdict(answer: HttpAnswer, now: int) -> Verdict:
    if 200 <= answer.status < 300:
        return Accepted(_reference(answer.body))
    words = clean(f"{answer.status} {answer.body}")
    if answer.status in _LATER or answer.status >= 500:
        wait = _retry_after_ms(answer.headers.get("retry-after", ""), now)
        return TryLater(words, wait, is_down=answer.status not in _ONLY_THIS_ONE)
    return Refused(words)


def _reference(body: str) -> str | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    found = told.get("reference", told.get("id"))
    return clean(str(found))[:_MAX_REFERENCE] or None if isinstance(found, str | int) else None


def _retry_after_ms(header: str, now: int) -> int | None:
    """Return how long to wait by `Retry-After`: seconds or an HTTP date; None for anything else."""
    header = header.strip()
    if header.isascii() and header.isdecimal():
        return int(header[:9]) * 1000
    try:
        moment: Any = parsedate_to_datetime(header)
        return max(0, from_datetime(moment) - now)
    except (TypeError, ValueError, OverflowError):  # a date without a zone, too: it cannot be compared
        return None
