"""Tickets on the deployed stack: worked for, good once, and good while their secret is being rotated."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import altcha
import httpx
import pytest

from brandday.domain.entry_ticket import key_id, make_ticket
from brandday_local.stack import LocalStack
from tests.e2e.lotteries import apply, local

pytestmark = pytest.mark.stack

CAMPAIGN = "e2e-tickets"
HERE = f"/v1/campaigns/{CAMPAIGN}"


class Shopper:
    """Works for tickets and uses them."""

    def __init__(self, stack: LocalStack, name: str) -> None:
        self.name = name
        self._stack = stack
        self._token = stack.token(name, "shopper", channel="web")

    def ask(self, method: str, path: str, *, body: object = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(
            method,
            self._stack.api_url + path,
            headers={"authorization": f"Bearer {self._token}", **named},
            json=body,
            timeout=30,
        )

    def solution(self) -> str:
        """What ALTCHA's widget finds."""
        challenge = altcha.Challenge.from_dict(self.ask("GET", f"{HERE}/challenge").json())
        solution = altcha.solve_challenge(challenge, timeout=30)
        assert solution is not None
        return altcha.Payload(challenge, solution).to_base64()

    def ticket(self) -> str:
        answer = self.ask("POST", f"{HERE}/tickets", challenge_solution=self.solution())
        assert answer.status_code == 201, answer.text
        ticket: str = answer.json()["ticket"]
        return ticket

    def reserve(self, key: str, ticket: str | None = None) -> httpx.Response:
        headers = {} if ticket is None else {"entry_ticket": ticket}
        body = {"sku": "HERO", "quantity": 1}
        return self.ask("POST", f"{HERE}/reservations", body=body, idempotency_key=key, **headers)


@pytest.fixture(scope="module", autouse=True)
def campaign(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A sale that runs, and that nobody gets into without a ticket."""
    folder: Path = tmp_path_factory.mktemp("tickets")
    now, price = datetime.now(UTC), {"amount": 100, "currency": "CNY"}
    sku = {"sku": "HERO", "title": {"en": "Hero"}, "list_price": price, "sale_price": price, "stock": 20}
    document = {
        "id": CAMPAIGN,
        "title": {"en": "Tickets"},
        "mechanic": "flash_sale",
        "status": "published",
        "time_zone": "UTC",
        "starts_at": local(now - timedelta(minutes=1)),
        "ends_at": local(now + timedelta(days=1)),
        "channels": ["web"],
        "skus": [sku | {"units_per_shopper": 2}],
        "limit_per_shopper": 2,
        "hold_seconds": 60,
        "extend_seconds": 0,
        "late_payment": "reject",
        "protection": {
            "ticket": {"opens_before_seconds": 120, "valid_seconds": 300},
            "challenge": {
                "kind": "altcha",
                "ask": "always",
                "difficulty": 100,
                "valid_seconds": 300,
                "wait_seconds": 60,
            },
        },
    }
    apply(stack, folder, document)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    problem: Any = answer.json()
    return answer.status_code, problem["code"], problem["params"]["reason"]


def test_a_ticket_is_worked_for_and_brings_one_claim_to_one_shopper(stack: LocalStack) -> None:
    hero, other = Shopper(stack, "ticket-hero"), Shopper(stack, "ticket-other")

    assert refusal(hero.reserve("k0")) == (403, "ticket_invalid", "missing")
    assert refusal(hero.ask("POST", f"{HERE}/tickets")) == (403, "challenge_required", "missing")
    ticket = hero.ticket()
    assert refusal(other.reserve("k1", ticket)) == (403, "ticket_invalid", "wrong")

    taken = hero.reserve("k1", ticket)
    assert taken.status_code == 201, taken.text
    again = hero.reserve("k1", ticket)
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (taken.json()["id"], "true")
    assert refusal(hero.reserve("k2", ticket)) == (403, "ticket_invalid", "used")


def test_while_the_secret_is_rotated_tickets_of_both_keys_are_good(stack: LocalStack) -> None:
    early, late = Shopper(stack, "ticket-early"), Shopper(stack, "ticket-late")
    before = early.ticket()
    secrets = stack.aws.secrets
    (name,) = [one["Name"] for one in secrets.list_secrets()["SecretList"] if "PassSecret" in one["Name"]]
    new = "a new secret " * 4
    secrets.put_secret_value(SecretId=name, SecretString=new)

    # what an environment gives out that has seen the new value already
    now = int(time.time() * 1000)
    after = make_ticket(key_id(new.encode()), new.encode(), CAMPAIGN, late.name, now, now + 60_000, "n")

    assert late.reserve("k1", after).status_code == 201
    assert early.reserve("k1", before).status_code == 201
