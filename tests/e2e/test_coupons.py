"""Coupons on the deployed stack: taken, checked, locked, redeemed, rolled back, scanned, made in bulk, and audited."""

import csv
import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.qr_image import draw_qr
from brandday.domain.coupon_code import CodeKeys, fold
from brandday.domain.qr_content import QrFormat, write_content
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack
from tests.e2e.fulfilment_rush import brandday, misbehave
from tests.e2e.lotteries import apply, local, logged
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.stack

TAKEN, SHARED, MADE = "e2e-taken", "e2e-shared", "e2e-made"
CODE = "E2E-NOVEMBER"
ORDER = {
    "currency": "CNY",
    "channel": "app",
    "lines": [{"sku": "HERO", "category": "tea", "quantity": 3, "unit_price": {"amount": 3333, "currency": "CNY"}}],
    "shipping": {"amount": 800, "currency": "CNY"},
}


class Api:
    """Asks the deployed API as whoever is wanted."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._tokens: dict[tuple[str, str], str] = {}

    def shopper(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        return self._ask(self._token(name, "shopper", channel="app"), method, path, **more)

    def shop(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._ask(self._token("shop", "orders"), method, path, **more)

    def till(self, store: str, content: str, order_id: str) -> httpx.Response:
        token = self._token(f"till of {store}", "store", store=store)
        return self._ask(token, "POST", "/v1/scans", body={"content": content, "order_id": order_id, "order": ORDER})

    def redeem(self, order_id: str, codes: list[str], shopper: str | None, *, lock: bool = False) -> httpx.Response:
        who = {} if shopper is None else {"shopper": {"id": shopper}}
        body = {"order_id": order_id, "codes": codes, "order": ORDER, "lock": lock, **who}
        return self.shop("POST", "/v1/redemptions", body=body, key=f"{order_id} {lock}")

    def take(self, name: str) -> Any:
        answer = self.shopper(name, "POST", f"/v1/campaigns/{TAKEN}/coupons")
        assert answer.status_code == 201, answer.text
        return answer.json()

    def _token(self, subject: str, scope: str, **claims: object) -> str:
        known = self._tokens.get((subject, scope))
        if known is None:
            known = self._tokens[subject, scope] = self._stack.token(subject, scope, **claims)
        return known

    def _ask(
        self,
        token: str,
        method: str,
        path: str,
        *,
        body: object = None,
        key: str = "once",
        accept: str = "*/*",
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": key, "accept": accept}
        return httpx.request(method, self._stack.api_url + path, json=body, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coupons")


@pytest.fixture(scope="module")
def api(stack: LocalStack, folder: Path) -> Api:
    """A campaign of each kind, on."""
    misbehave(stack)
    webhook = {"connector": "webhook", "url": f"{stack.receiver_url}/webhook", "secret": "brandday/partner"}
    handed = {"reward": {"kind": "digital"}, "fulfilment": {"by_kind": {"digital": webhook}}}
    amount = {"kind": "amount_off", "amount": {"amount": 2000, "currency": "CNY"}}
    percent = {"kind": "percent_off", "percent": "12.5"}
    gift = {"kind": "gift", "sku": "MUG"}
    for document in (
        {"id": TAKEN, "code_kind": "unique", "issued_by": "shoppers", "benefit": amount, **handed},
        {"id": SHARED, "code_kind": "shared", "code": CODE, "benefit": percent},
        {"id": MADE, "code_kind": "unique", "issued_by": "operators", "benefit": gift, "quantity": 2000},
    ):
        apply(stack, folder, declared(**document))
    return Api(stack)


def declared(**fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "title": {"en": "Coupons"},
        "mechanic": "coupon",
        "status": "published",
        "time_zone": "UTC",
        "starts_at": local(now - timedelta(minutes=1)),
        "ends_at": local(now + timedelta(days=2)),
        "channels": ["app", "store"],
        "currency": "CNY",
        "quantity": 300,
        **fields,
    }


def secret_of(stack: LocalStack) -> bytes:
    """The secret of all codes, as nobody but the functions that work with codes can see it."""
    secret = CampaignTable(stack.aws.tables, stack.campaign_table).code_secret()
    assert secret is not None
    return secret


def content_of(stack: LocalStack, code: str) -> str:
    return write_content(CodeKeys.from_secret(secret_of(stack)), fold(code))


def test_a_coupon_is_taken_shown_and_told_to_the_partner(stack: LocalStack, api: Api) -> None:
    taken = api.take("lin-shan")
    again = api.shopper("lin-shan", "POST", f"/v1/campaigns/{TAKEN}/coupons")
    assert (again.status_code, again.headers["idempotent-replayed"], again.json()["id"]) == (201, "true", taken["id"])

    (coupon,) = eventually(lambda: api.shopper("lin-shan", "GET", "/v1/coupons").json()["coupons"])
    assert (coupon["id"], coupon["code"], coupon["usable"]) == (taken["id"], taken["code"], True)
    (reward,) = eventually(lambda: api.shopper("lin-shan", "GET", "/v1/rewards").json()["rewards"])
    assert reward["campaign_id"] == TAKEN
    path = f"/v1/rewards/{reward['id']}"
    # three functions that have never run before, one after the other, on a machine that may be busy
    eventually(lambda: api.shopper("lin-shan", "GET", path).json()["status"] == "dispatched")
    received = httpx.get(f"{stack.receiver_url}/deliveries", timeout=30).json()["accepted"]
    assert [each["data"]["source"] for each in received if each["data"]["reward_id"] == reward["id"]] == [taken["id"]]


def test_a_picture_arrives_whole_and_says_the_code(stack: LocalStack, api: Api) -> None:
    taken = api.take("shows-it")
    content, path = content_of(stack, taken["code"]), f"/v1/coupons/{taken['id']}/qr"
    for accept, form, media_type in (
        ("*/*", QrFormat.SVG, "image/svg+xml"),
        ("image/png", QrFormat.PNG, "image/png"),
    ):
        answer = api.shopper("shows-it", "GET", path, accept=accept)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.content == draw_qr(content, form)
    assert api.shopper("somebody", "GET", path).json()["code"] == "coupon_not_found"


def test_an_order_locks_confirms_and_rolls_back(api: Api) -> None:
    code = api.take("buyer")["code"]
    asked = {"codes": [code.lower(), CODE, "NO-SUCH-CODE"], "order": ORDER}
    checked = api.shopper("buyer", "POST", "/v1/validations", body=asked).json()
    assert [each["reason"] and each["reason"]["code"] for each in checked["codes"]] == [None, None, "coupon_not_found"]
    assert checked["best"]["discount"]["amount"] == 1249 + 2000  # 12.5 % of 99.99, rounded down, then 20.00
    assert [line["amount"] for line in checked["best"]["lines"]] == [9999 - 3249]

    locked = api.redeem("SO-1", [code, CODE], "buyer", lock=True)
    assert (locked.status_code, locked.json()["status"]) == (201, "locked"), locked.text
    assert locked.json()["discount"]["amount"] == 3249
    assert api.redeem("SO-2", [code], "buyer").json()["code"] == "coupon_locked"
    one = f"/v1/redemptions/{locked.json()['id']}"
    for _ in range(2):
        confirmed = api.shop("POST", f"{one}/confirm")
        assert (confirmed.status_code, confirmed.json()["status"]) == (200, "redeemed"), confirmed.text
    assert api.redeem("SO-2", [code], "buyer").json()["code"] == "coupon_redeemed"
    undone = api.shop("POST", f"{one}/rollback").json()
    assert (undone["status"], [part["returned"] for part in undone["codes"]]) == ("rolled_back", [True, True])
    assert api.redeem("SO-2", [CODE, code], "buyer").status_code == 201

    given_up = api.redeem("SO-3", [CODE], "another", lock=True).json()["id"]
    assert api.shop("DELETE", f"/v1/redemptions/{given_up}").json()["status"] == "released"
    assert api.shop("GET", f"/v1/redemptions/{given_up}").json()["status"] == "released"
    assert api.redeem("SO-4", [CODE], "another").status_code == 201


def test_the_second_scan_names_time_and_store_of_the_first(stack: LocalStack, api: Api) -> None:
    code = api.take("in-the-store")["code"]  # and shown before anything else has happened to it
    coupon_id = api.take("in-the-store")["id"]
    assert api.shopper("in-the-store", "GET", f"/v1/coupons/{coupon_id}/qr").status_code == 200
    content = content_of(stack, code)
    first = api.till("hangzhou-1", content, "P-1")
    assert (first.status_code, first.json()["store"]) == (201, "hangzhou-1"), first.text
    second = api.till("shanghai-4", content, "P-1")
    assert (second.status_code, second.json()["code"]) == (409, "coupon_redeemed")
    assert second.json()["params"] == {"at": first.json()["at"], "where": "counter", "store": "hangzhou-1"}
    assert api.till("hangzhou-1", content, "P-1").headers["idempotent-replayed"] == "true"
    forged = content[:-1] + ("0" if content[-1] != "0" else "1")
    assert api.till("hangzhou-1", forged, "P-2").json()["code"] == "coupon_not_found"


def test_coupons_of_an_operator_come_as_a_file_and_work(stack: LocalStack, api: Api, folder: Path) -> None:
    out = folder / "made.csv"
    brandday(stack, "coupons", "generate", MADE, "--job", "print", "--count", "1200", "--out", str(out))
    with out.open(encoding="utf-8", newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    assert len(set(codes)) == len(codes) == 1200
    redeemed = api.redeem("SO-9", [codes[700]], None)
    assert (redeemed.status_code, redeemed.json()["codes"][0]["gift"]) == (201, "MUG"), redeemed.text
    assert api.redeem("SO-10", [codes[700]], None).json()["code"] == "coupon_redeemed"


def test_the_example_in_the_readme_works(stack: LocalStack, api: Api) -> None:
    example = "double-eleven"
    brandday(stack, "apply", f"campaigns/{example}.yaml", "--yes")
    brandday(stack, "publish", example)
    (script,) = re.findall(r"```sh\n(curl .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    token = stack.token("reader", "shopper", channel="app")
    environment = os.environ | {"API": stack.api_url, "TOKEN": token}

    def ask() -> Any:
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    answer = eventually(lambda: found if (found := ask())["codes"][0]["usable"] else None)
    assert (answer["best"]["discount"]["amount"], answer["best"]["to_pay"]["amount"]) == (5000, 3 * 9999 - 5000)


def test_the_audit_finds_every_coupon_in_one_state(stack: LocalStack, api: Api, folder: Path) -> None:
    for campaign in (TAKEN, SHARED, MADE):
        brandday(stack, "audit", campaign)


def test_neither_codes_nor_their_secret_are_in_a_log(stack: LocalStack, api: Api) -> None:
    code = api.take("careful")["code"]
    api.shopper("careful", "POST", "/v1/validations", body={"codes": [code, CODE], "order": ORDER})
    api.redeem("SO-20", [code], "careful")
    content = content_of(stack, code)
    api.till("hangzhou-1", content, "P-20")
    written = logged(stack)
    assert "/v1/validations" in written, "one of these is about something else"
    files = [file for file in Path(stack.folder).iterdir() if file.is_file()]
    written += "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    secret = secret_of(stack)
    for words in (code, fold(code), content.rpartition(".")[2], fold(CODE), secret.hex(), repr(secret)[2:-1]):
        assert words not in written, json.dumps(words)[:4]
