"""The partner of the local stack: it believes only what is signed, tells repetitions, and misbehaves as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from brandday.domain.webhook_signature import sign
from brandday_local.ports import LOOPBACK, free_port
from brandday_local.receiver import ARRIVALS_FILE, Book, Faults, Receiver, is_signed, new_secret

SECRET = new_secret()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = Receiver(port, Book(tmp_path / ARRIVALS_FILE), [SECRET])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://{LOOPBACK}:{port}"
    server.shutdown()
    server.server_close()
    thread.join()


def deliver(url: str, delivery_id: str, *, secret: str = SECRET, at: int | None = None) -> httpx.Response:
    body = json.dumps({"type": "reward.granted", "data": {"reward_id": delivery_id, "sku": "<b>TEA</b>"}}).encode()
    at = int(time.time()) if at is None else at
    headers = {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign([secret.encode()], delivery_id, at, body),
    }
    return httpx.post(f"{url}/webhook", content=body, headers=headers, timeout=5)


def test_a_delivery_is_accepted_once_and_a_repetition_gets_the_same_answer(receiver: str) -> None:
    first, again, other = deliver(receiver, "rwd_1"), deliver(receiver, "rwd_1"), deliver(receiver, "rwd_2")
    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 200]
    assert first.json()["reference"] == again.json()["reference"] != other.json()["reference"]
    found = httpx.get(f"{receiver}/deliveries").json()
    assert [(each["delivery_id"], each["repetitions"]) for each in found["accepted"]] == [("rwd_1", 1), ("rwd_2", 0)]
    assert found["outcomes"] == {"accepted": 2, "repeated": 1}


@pytest.mark.parametrize("wrong", [{"secret": new_secret()}, {"at": int(time.time()) - 400}], ids=["secret", "time"])
def test_what_is_not_signed_with_the_secret_and_lately_is_not_believed(receiver: str, wrong: dict[str, str]) -> None:
    assert deliver(receiver, "rwd_1", **wrong).status_code == 401  # type: ignore[arg-type]
    assert httpx.post(f"{receiver}/webhook", content=b"{}").status_code == 401
    assert httpx.get(f"{receiver}/deliveries").json()["accepted"] == []


def test_one_good_signature_of_several_is_enough() -> None:
    # while a secret is being changed there are two, and one of them we do not know
    headers = {
        "webhook-id": "rwd_1",
        "webhook-timestamp": "1000",
        "webhook-signature": sign([new_secret().encode(), SECRET.encode()], "rwd_1", 1000, b"{}"),
    }
    assert is_signed([SECRET], headers, b"{}", 1000)
    assert not is_signed([SECRET], headers, b"{} ", 1000)
    assert not is_signed([SECRET], headers | {"webhook-id": "rwd_2"}, b"{}", 1000)


def test_the_scheme_is_the_one_of_the_specification() -> None:
    # the example of the specification's reference libraries
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert is_signed(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], headers, b'{"test": 2432232314}', 1614265330)


@pytest.mark.parametrize(
    ("fault", "taken"),
    [("status500", 0), ("status429", 0), ("drop", 0), ("lose_answer", 1)],
)
def test_it_misbehaves_as_told(receiver: str, fault: str, taken: int) -> None:
    assert httpx.post(f"{receiver}/faults", json={fault: 1.0}).status_code == 200
    if fault.startswith("status"):
        assert deliver(receiver, "rwd_1").status_code == int(fault.removeprefix("status"))
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            deliver(receiver, "rwd_1")
    assert len(httpx.get(f"{receiver}/deliveries").json()["accepted"]) == taken
    httpx.post(f"{receiver}/faults", json={})
    assert deliver(receiver, "rwd_1").status_code == 200
    assert len(httpx.get(f"{receiver}/deliveries").json()["accepted"]) == 1


def test_what_is_refused_is_refused_always(receiver: str) -> None:
    httpx.post(f"{receiver}/faults", json={"refuse": ["rwd_1"], "status500": 1.0})
    assert [deliver(receiver, "rwd_1").status_code for _ in range(3)] == [422] * 3


def test_faults_that_make_no_sense_are_refused(receiver: str) -> None:
    all_of_it: list[object] = [{"no_such": 1}, {"hang": "often"}, {"refuse": 3}, []]
    for nonsense in all_of_it:
        assert httpx.post(f"{receiver}/faults", json=nonsense).status_code == 422


def test_shares_of_faults_add_up() -> None:
    faults = Faults(status500=0.25, hang=0.25)
    assert [faults.draw(chance) for chance in (0.0, 0.24, 0.3, 0.49, 0.5, 0.99)] == [
        *["status500"] * 2,
        *["hang"] * 2,
        *[""] * 2,
    ]


def test_the_page_shows_what_arrived_and_runs_none_of_it(receiver: str, tmp_path: Path) -> None:
    deliver(receiver, "rwd_1")
    page = httpx.get(receiver).text
    assert "rwd_1" in page
    assert "<b>TEA" not in page
    assert json.loads((tmp_path / ARRIVALS_FILE).read_text())["outcome"] == "accepted"
