"""One simulated shopper at the HTTP API: what is sent, what is waited for, what is written down.

Every answer becomes a ``Call``; the verdict is found from those alone, by ``rehearsal_verdict``.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from brandday_cli.rehearsal_plan import ShopperPlan, Trait

TIMED_OUT = "timeout"
NOT_CONNECTED = "connection_failed"

BUSY = frozenset({"temporarily_overloaded", "rate_limited", "http_429", "http_503", TIMED_OUT, NOT_CONNECTED})
"""Answers that decide nothing (``http_`` are the gateway's own): the same request may have another outcome later."""

NOT_NOW = frozenset({"all_held", "campaign_not_started"})
"""Refusals that say when to come back."""

MOST_TRIES = {**dict.fromkeys(BUSY, 20), **dict.fromkeys(NOT_NOW, 6)}
LONGEST_WAIT = 2.0
"""Seconds; a shopper who is told to wait longer comes back after this time all the same."""

MOST_UNANSWERED = 20
"""Requests in a row, of one process."""


class Call(NamedTuple):
    """One request and its answer; times are epoch seconds.

    ``wish`` is the same number for all requests that want the same thing, so only one result is right.
    ``outcome`` is ``created``, ``replayed``, ``resumed``, ``confirmed``, ``cancelled`` or the error's code.
    """

    kind: str
    shopper: int
    wish: int
    sku: str
    quantity: int
    outcome: str
    status: int
    sent: float
    received: float
    reservation_id: str = ""
    expires_at: float = 0.0
    retry_after: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the API did as asked, now or at the first time of asking."""
        return 200 <= self.status < 300


def read_answer(kind: str, answer: httpx.Response) -> tuple[str, dict[str, Any]]:
    """Return the outcome's name and the body; an answer that is not ours is called ``http_<status>``."""
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = {}
    if not isinstance(body, dict):
        body = {}
    if answer.status_code >= 300:
        return str(body.get("code") or f"http_{answer.status_code}"), body
    if answer.headers.get("Idempotent-Replayed") == "true":
        return "replayed", body
    if kind == "reserve":
        return ("created" if answer.status_code == 201 else "resumed"), body
    return {"confirm": "confirmed", "cancel": "cancelled"}[kind], body


class ApiSilent(Exception):
    """The API has stopped answering, so there is nothing to rehearse."""


class ShopFront:
    """The shop's side of the API for one process: one connection pool, and at most ``most_at_once`` requests."""

    def __init__(
        self, client: httpx.AsyncClient, orders_token: str, most_at_once: int, note: Callable[[Call], None]
    ) -> None:
        self._client = client
        self._orders_token = orders_token
        self._gate = asyncio.Semaphore(most_at_once)
        self._note = note
        self._unanswered = 0

    async def reserve(
        self, plan: ShopperPlan, token: str, campaign_id: str, key: str, quantity: int, wish: int = 0
    ) -> Call:
        """Ask for units."""
        body = {"sku": plan.sku, "quantity": quantity}
        path = f"/v1/campaigns/{campaign_id}/reservations"
        return await self._send("reserve", plan, wish, quantity, "POST", path, token, key, body)

    async def confirm(self, plan: ShopperPlan, claim: Call, order_id: str) -> Call:
        """Report a payment, as the shop's backend."""
        path = f"/v1/reservations/{claim.reservation_id}/confirm"
        body = {"order_id": order_id}
        return await self._send(
            "confirm", plan, claim.wish, claim.quantity, "POST", path, self._orders_token, order_id, body, claim
        )

    async def cancel(self, plan: ShopperPlan, token: str, claim: Call) -> Call:
        """Give the units back."""
        path = f"/v1/reservations/{claim.reservation_id}"
        return await self._send("cancel", plan, claim.wish, claim.quantity, "DELETE", path, token, "", None, claim)

    async def _send(
        self,
        kind: str,
        plan: ShopperPlan,
        wish: int,
        quantity: int,
        method: str,
        path: str,
        token: str,
        key: str,
        body: dict[str, Any] | None,
        claim: Call | None = None,
    ) -> Call:
        headers = {"Authorization": f"Bearer {token}"}
        if key:
            headers["Idempotency-Key"] = key
        async with self._gate:
            document: dict[str, Any] = {}
            status = 0
            sent = time.time()
            try:
                answer = await self._client.request(method, path, headers=headers, json=body)
            except httpx.TimeoutException:
                outcome = TIMED_OUT
            except httpx.TransportError:
                outcome = NOT_CONNECTED
            else:
                outcome, document = read_answer(kind, answer)
                status = answer.status_code
            received = time.time()
        call = Call(
            kind=kind,
            shopper=plan.number,
            wish=wish,
            sku=plan.sku,
            quantity=quantity,
            outcome=outcome,
            status=status,
            sent=sent,
            received=received,
            reservation_id=_reservation_id(document) or (claim.reservation_id if claim else ""),
            expires_at=_epoch(document.get("expires_at")),
            retry_after=float(document.get("retry_after_ms") or 0) / 1000,
        )
        self._note(call)
        self._unanswered = 0 if status else self._unanswered + 1
        if self._unanswered >= MOST_UNANSWERED:
            raise ApiSilent(f"the API has not answered {self._unanswered} requests in a row (last: {outcome})")
        return call


def _reservation_id(document: dict[str, Any]) -> str:
    return str(document.get("reservation_id") or document.get("id") or "")


def _epoch(text: object) -> float:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0


async def play_shopper(plan: ShopperPlan, token: str, front: ShopFront, campaign_id: str, opens_at: float) -> None:
    """Live one shopper's whole visit; ``opens_at`` is in epoch seconds."""
    await asyncio.sleep(max(0.0, opens_at + plan.arrives_after - time.time()))
    key = f"{plan.shopper_id}-first"

    async def ask(key: str) -> Call:
        return await _patiently(lambda: front.reserve(plan, token, campaign_id, key, plan.quantity), opens_at)

    if plan.trait is Trait.WANTS_TOO_MUCH:
        await _patiently(
            lambda: front.reserve(plan, token, campaign_id, f"{key}-too-much", plan.too_much, wish=1), opens_at
        )
    if plan.trait is Trait.DOUBLE_TAPS:
        claim, second = await asyncio.gather(ask(key), ask(key))
        claim = claim if claim.succeeded else second
    else:
        claim = await ask(key)
    if not claim.succeeded:
        return
    if plan.trait is Trait.REPEATS:
        await ask(key)
    elif plan.trait is Trait.TWO_DEVICES:
        await ask(f"{plan.shopper_id}-second-device")
    await asyncio.sleep(plan.thinks_for)
    if plan.trait is Trait.ABANDONS:
        return
    if plan.trait is Trait.CANCELS:
        await _patiently(lambda: front.cancel(plan, token, claim), opens_at)
        return
    order_id = f"order-{plan.shopper_id}"
    for _ in range(2 if plan.trait is Trait.PAYS_TWICE else 1):
        await _patiently(lambda: front.confirm(plan, claim, order_id), opens_at)


async def _patiently(send: Callable[[], Awaitable[Call]], opens_at: float) -> Call:
    """Send, and send again when told that it may help; the same key each time, as an SDK does."""
    tries = 1
    while True:
        call = await send()
        if tries >= MOST_TRIES.get(call.outcome, 1):
            return call
        if call.outcome == "campaign_not_started" and time.time() < opens_at:
            await asyncio.sleep(opens_at - time.time())
        else:
            backoff = random.uniform(0.5, 1) * min(LONGEST_WAIT, 0.2 * 1.5**tries)  # noqa: S311 - no secret
            await asyncio.sleep(min(call.retry_after, LONGEST_WAIT) or backoff)
        tries += 1
