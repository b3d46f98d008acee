"""Rewards on the deployed stack, from the purchase to the partner's receipt, and every way to stop in between."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from brandday.adapters.reward_table import decode_reward
from brandday.domain.webhook_signature import sign
from brandday_local.stack import PARTNER_SECRET, LocalStack
from tests.e2e.fulfilment_rush import brandday, misbehave, moods, take_dead_letters
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.stack

CAMPAIGN = "fulfilled-gifts"
FILE = """\
id: fulfilled-gifts
title: {{en: Gifts}}
mechanic: flash_sale
status: published
time_zone: UTC
starts_at: 2025-01-01T00:00:00
ends_at: 2100-01-01T00:00:00
channels: [web]
limit_per_shopper: 1
hold_seconds: 600
late_payment: reclaim
skus:
  - {{sku: TEA, title: {{en: Tea}}, {price}}}
  - {{sku: CUP, title: {{en: Cup}}, {price}, reward: {{kind: physical}}}}
  - {{sku: POINTS, title: {{en: Points}}, {price}, reward: {{kind: digital}}}}
  - {{sku: ENVELOPE, title: {{en: Envelope}}, {price}, reward: {{kind: cash, value: {{amount: 9000, currency: CNY}}}}}}
fulfilment:
  claim_until: 2100-02-01T00:00:00
  approve_over: {{amount: 5000, currency: CNY}}
  by_kind:
    order: {webhook}
    physical: {webhook}
    digital: {{connector: sqs, queue_url: "{queue}", secret: brandday/partner}}
    cash: {{connector: email, to: prizes@partner.example}}
"""
PRICE = (
    "list_price: {amount: 100, currency: CNY}, sale_price: {amount: 100, currency: CNY}, "
    "stock: 50, units_per_shopper: 1"
)
STREET = "18 Unmistakable Lane"
ADDRESS = {
    "recipient": "Li Na",
    "phone": "+8613800138000",
    "country": "CN",
    "region": "Zhejiang",
    "city": "Hangzhou",
    "lines": [STREET],
    "postal_code": "310000",
}


@pytest.fixture(scope="module")
def gifts(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A campaign with a reward of each kind, and a connector of each kind."""
    webhook = f'{{connector: webhook, url: "{stack.receiver_url}/webhook", secret: brandday/partner}}'
    file = tmp_path_factory.mktemp("campaign") / "gifts.yaml"
    file.write_text(FILE.format(price=PRICE, webhook=webhook, queue=stack.partner_queue_url), encoding="utf-8")
    brandday(stack, "apply", str(file), "--yes")
    return CAMPAIGN


@pytest.fixture(autouse=True)
def well_behaved(stack: LocalStack) -> Iterator[None]:
    with moods(stack):
        yield


class Shopper:
    """Buys one thing and looks at what has come of it."""

    def __init__(self, stack: LocalStack, name: str) -> None:
        self._stack = stack
        self._token = stack.token(name, "shopper", channel="web")

    def ask(self, method: str, path: str, body: object = None, *, token: str = "") -> Any:
        headers = {"authorization": f"Bearer {token or self._token}", "idempotency-key": "fulfilment-test"}
        answer = httpx.request(method, self._stack.api_url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def buy(self, sku: str) -> dict[str, Any]:
        """Reserve, pay, and return the reward once it is there."""
        reserved = self.ask("POST", f"/v1/campaigns/{CAMPAIGN}/reservations", {"sku": sku, "quantity": 1})
        orders = self._stack.token("shop", "orders")
        self.ask("POST", f"/v1/reservations/{reserved['id']}/confirm", {"order_id": "order-1"}, token=orders)
        rewards = eventually(self._rewards)
        assert len(rewards) == 1
        return rewards[0]

    def _rewards(self) -> list[dict[str, Any]]:
        """Those of this campaign: other tests may know somebody of the same name."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/rewards")["rewards"]
        return [reward for reward in found if reward["campaign_id"] == CAMPAIGN]

    def reward(self, reward_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.ask("GET", f"/v1/rewards/{reward_id}")
        return shown

    def wait_for(self, reward_id: str, status: str) -> dict[str, Any]:
        shown: dict[str, Any] = eventually(
            lambda: reward if (reward := self.reward(reward_id))["status"] == status else None
        )
        return shown


def accepted(stack: LocalStack, reward_id: str) -> list[dict[str, Any]]:
    found = httpx.get(f"{stack.receiver_url}/deliveries", timeout=30).json()["accepted"]
    return [each for each in found if each["data"]["reward_id"] == reward_id]


def report(stack: LocalStack, reward_id: str, status: str, *, secret: str = "") -> httpx.Response:
    secret = secret or stack.aws.secrets.get_secret_value(SecretId=PARTNER_SECRET)["SecretString"]
    body = json.dumps({"status": status, "at": datetime.now(UTC).isoformat(), "reward_id": reward_id}).encode()
    at = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign([secret.encode()], "msg_1", at, body),
    }
    return httpx.post(f"{stack.api_url}/v1/fulfilments/{reward_id}/receipts", content=body, headers=headers, timeout=30)


def stored(stack: LocalStack, reward_id: str) -> dict[str, Any]:
    items = stack.aws.tables.scan(TableName=stack.reward_table)["Items"]
    return next(item for item in items if "kind" in item and decode_reward(item).id == reward_id)


def test_what_was_bought_is_handed_over_and_reported_delivered(stack: LocalStack, gifts: str) -> None:
    shopper = Shopper(stack, "buyer")
    reward = shopper.buy("TEA")
    shopper.wait_for(reward["id"], "dispatched")
    (delivery,) = accepted(stack, reward["id"])
    assert (delivery["delivery_id"], delivery["data"]["sku"]) == (reward["id"], "TEA")

    forged = report(stack, reward["id"], "delivered", secret="whsec_Zm9yZ2Vk")
    assert (forged.status_code, forged.json()["code"]) == (401, "signature_invalid")
    assert shopper.reward(reward["id"])["status"] == "dispatched"

    for _ in range(2):  # a replay does no harm
        assert report(stack, reward["id"], "delivered").json()["status"] == "delivered"
    assert shopper.reward(reward["id"])["status"] == "delivered"


def test_an_address_is_only_ever_readable_by_the_partner(stack: LocalStack, gifts: str) -> None:
    # The partner is down, so that the ciphertext is there to be looked at.
    misbehave(stack, status500=1.0)
    shopper = Shopper(stack, "winner")
    reward = shopper.buy("CUP")
    assert reward["next"] == "give_address"
    shopper.ask("PUT", f"/v1/rewards/{reward['id']}/address", ADDRESS)
    item = eventually(lambda: found if "words" in (found := stored(stack, reward["id"])) else None)
    assert item["address"]["B"]
    assert STREET.encode() not in item["address"]["B"]

    misbehave(stack)
    eventually(lambda: accepted(stack, reward["id"]))
    (delivery,) = accepted(stack, reward["id"])
    assert delivery["data"]["address"]["lines"] == [STREET]
    shopper.wait_for(reward["id"], "dispatched")
    assert "address" not in stored(stack, reward["id"])

    for table in (stack.reward_table, stack.campaign_table, stack.stock_table):
        assert STREET not in str(stack.aws.tables.scan(TableName=table)["Items"])
    assert STREET not in (Path(stack.folder) / "emulator.log").read_text(encoding="utf-8", errors="replace")


def test_nobody_else_can_see_a_reward_or_say_where_it_goes(stack: LocalStack, gifts: str) -> None:
    reward = Shopper(stack, "owner").buy("CUP")
    headers = {"authorization": f"Bearer {stack.token('thief', 'shopper', channel='web')}", "idempotency-key": "x"}
    path = f"{stack.api_url}/v1/rewards/{reward['id']}"
    assert httpx.get(path, headers=headers, timeout=30).status_code == 404
    assert httpx.put(f"{path}/address", json=ADDRESS, headers=headers, timeout=30).status_code == 404
    bad = {**ADDRESS, "country": "China"}
    owner = {**headers, "authorization": f"Bearer {stack.token('owner', 'shopper', channel='web')}"}
    refused = httpx.put(f"{path}/address", json=bad, headers=owner, timeout=30)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/country")


def test_a_reward_reaches_the_queue_of_another_team(stack: LocalStack, gifts: str) -> None:
    shopper = Shopper(stack, "member")
    reward = shopper.buy("POINTS")
    shopper.wait_for(reward["id"], "dispatched")
    received = stack.aws.queues.receive_message(
        QueueUrl=stack.partner_queue_url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
    )["Messages"]
    (message,) = [each for each in received if json.loads(each["Body"])["data"]["reward_id"] == reward["id"]]
    assert message["MessageAttributes"]["delivery_id"]["StringValue"] == reward["id"]


def test_money_leaves_after_a_second_person_agreed_by_e_mail(stack: LocalStack, gifts: str) -> None:
    shopper = Shopper(stack, "lucky")
    reward = shopper.buy("ENVELOPE")
    assert reward["status"] == "pending", "that somebody looks at it first is not the shopper's business"
    path = f"{stack.api_url}/v1/admin/fulfilments/{reward['id']}/approve"

    def approve(who: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {stack.token(who, 'operator')}", "idempotency-key": "approve"}
        return httpx.post(path, headers=headers, timeout=30)

    applied_by = "local-operator"  # who `brandday apply` is on the local stack
    assert (approve(applied_by).status_code, approve(applied_by).json()["code"]) == (403, "second_person_required")
    assert approve("somebody-else").status_code == 200
    shopper.wait_for(reward["id"], "dispatched")
    sent = httpx.get(f"{stack.endpoint_url}/_ministack/ses/messages", timeout=30).json()
    assert reward["id"] in str(sent)


def test_what_a_partner_refuses_fails_with_its_words_and_can_be_sent_again(stack: LocalStack, gifts: str) -> None:
    take_dead_letters(stack)
    shopper = Shopper(stack, "refused")
    misbehave(stack, status429=1.0)
    reward = shopper.buy("TEA")
    misbehave(stack, refuse=[reward["id"]])
    shopper.wait_for(reward["id"], "failed")
    (shown_campaign,) = json.loads(brandday(stack, "fulfilments", gifts, "--status", "failed", "--json"))
    (shown,) = shown_campaign["fulfilments"]
    assert shown["id"] == reward["id"]
    assert "we do not deliver this" in shown["words"]

    misbehave(stack)
    assert reward["id"] in brandday(stack, "redrive", "--queue", "fulfilments", "--dry-run", "--json")
    assert shopper.reward(reward["id"])["status"] == "failed", "a dry run changes nothing"
    brandday(stack, "redrive", "--queue", "fulfilments", "--yes")
    shopper.wait_for(reward["id"], "dispatched")
    assert len(accepted(stack, reward["id"])) == 1
    assert take_dead_letters(stack) == []


def test_a_secret_can_be_changed_while_rewards_move(stack: LocalStack, gifts: str) -> None:
    old = stack.aws.secrets.get_secret_value(SecretId=PARTNER_SECRET)["SecretString"]
    stack.aws.secrets.put_secret_value(SecretId=PARTNER_SECRET, SecretString="whsec_bmV3IHNlY3JldA==")
    try:
        shopper = Shopper(stack, "meanwhile")
        reward = shopper.buy("TEA")
        shopper.wait_for(reward["id"], "dispatched")  # the partner knows only the old one
        assert report(stack, reward["id"], "delivered", secret=old).status_code == 200
    finally:
        stack.aws.secrets.put_secret_value(SecretId=PARTNER_SECRET, SecretString=old)


def test_the_audit_agrees(stack: LocalStack, gifts: str) -> None:
    brandday(stack, "audit", gifts)
