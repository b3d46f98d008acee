"""Partners report what became of rewards: signed, in any order, as often as they like."""

import itertools
import json
from dataclasses import replace

import pytest

from brandday.domain.errors import SignatureInvalid, TemporarilyOverloaded
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind
from brandday.domain.reward import Report, RewardStatus
from tests.fakes.backend import SALE
from tests.fakes.reward_backend import prizes
from tests.fakes.reward_desk import SECRET, RewardDesk, signed

GIFTS = prizes(RewardKind.DIGITAL, stock=40)
BODY = json.dumps({"status": "delivered", "at": "2026-07-09T01:00:00Z"}).encode()
OTHER_SECRET = b"whsec_YW5vdGhlci1zZWNyZXQtb2YtYW5vdGhlcg=="
HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def desk() -> RewardDesk:
    return RewardDesk(GIFTS)


def sent(desk: RewardDesk, shopper: str = "shopper-1") -> str:
    """Let a shopper win, and a partner take it; return the reward's id."""
    reward_id = desk.win(shopper)
    desk.issue()
    desk.alter(reward_id, status=RewardStatus.DISPATCHED, pending_since=None, accepted=1)
    return reward_id


def is_let_in(desk: RewardDesk, reward_id: str, headers: dict[str, str], body: bytes = BODY) -> bool:
    """Whether a report is believed."""
    try:
        desk.reports().authenticate(reward_id, headers, body)
    except SignatureInvalid:
        return False
    return True


# --- who reports -----------------------------------------------------------------------------------------------------


def test_a_partner_who_signs_is_believed(desk: RewardDesk) -> None:
    assert is_let_in(desk, sent(desk), signed(BODY, desk.clock()))


def test_while_a_secret_is_changed_both_are_good(desk: RewardDesk) -> None:
    reward_id = sent(desk)
    desk.secrets.values["brandday/partner"] = [OTHER_SECRET, SECRET]
    assert is_let_in(desk, reward_id, signed(BODY, desk.clock()))
    assert is_let_in(desk, reward_id, signed(BODY, desk.clock(), secret=OTHER_SECRET))
    desk.secrets.values["brandday/partner"] = [OTHER_SECRET]
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock()))


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg-2"},
        {"webhook-id": ""},
        {"webhook-id": "x" * 257},
        {"webhook-timestamp": "0"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "1783526400.5"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1," + "A" * 43 + "="},
        {"webhook-signature": "v2," + "A" * 43 + "="},
        {"webhook-signature": "ü" * 50},
    ],
    ids=str,
)
def test_a_forgery_is_not(desk: RewardDesk, changes: dict[str, str]) -> None:
    reward_id = sent(desk)
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock()) | changes)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_report_without_one_of_the_headers_is_not(desk: RewardDesk, missing: str) -> None:
    headers = signed(BODY, desk.clock())
    del headers[missing]
    assert not is_let_in(desk, sent(desk), headers)


def test_another_body_is_not(desk: RewardDesk) -> None:
    assert not is_let_in(desk, sent(desk), signed(BODY, desk.clock()), BODY + b" ")


@pytest.mark.parametrize(("off", "good"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_time_of_a_signature_may_be_five_minutes_off(desk: RewardDesk, off: int, good: bool) -> None:
    assert is_let_in(desk, sent(desk), signed(BODY, desk.clock() + off * 1000)) is good


def test_a_reward_that_is_not_there_looks_like_a_forgery(desk: RewardDesk) -> None:
    sent(desk)
    headers = signed(BODY, desk.clock())
    assert not is_let_in(desk, f"rwd_AAAAAAAAAAAA.00000000.{SALE}", headers)
    assert not is_let_in(desk, "rwd_AAAAAAAAAAAA.00000000.no-such-sale", headers)


def test_only_the_partner_of_this_kind_of_reward_may_report_on_it(desk: RewardDesk) -> None:
    other = ConnectorChoice("webhook", {"url": "https://other.example/", "secret": "brandday/other"})
    by_kind = {**GIFTS.fulfilment.by_kind, RewardKind.CASH: other}
    desk.put(replace(GIFTS, fulfilment=Fulfilment(by_kind)))
    desk.secrets.values["brandday/other"] = [OTHER_SECRET]
    reward_id = sent(desk)
    assert is_let_in(desk, reward_id, signed(BODY, desk.clock()))
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock(), secret=OTHER_SECRET))


def test_a_connector_without_a_secret_can_report_nothing(desk: RewardDesk) -> None:
    queue = ConnectorChoice("sqs", {"queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/prizes"})
    desk.put(replace(GIFTS, fulfilment=Fulfilment({RewardKind.DIGITAL: queue})))
    assert not is_let_in(desk, sent(desk), signed(BODY, desk.clock(), secret=b"x"))


@pytest.mark.parametrize("values", [{}, {"brandday/partner": []}, {"brandday/partner": [b"", b"whsec_", b"whsec_%"]}])
def test_a_secret_that_is_missing_or_unusable_signs_nothing(desk: RewardDesk, values: dict[str, list[bytes]]) -> None:
    reward_id = sent(desk)
    desk.secrets.values = values
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock()))


def test_a_secret_that_cannot_be_read_just_now_is_our_trouble_and_not_a_forgery(desk: RewardDesk) -> None:
    reward_id = sent(desk)
    desk.secrets.unreadable = {"brandday/partner"}
    with pytest.raises(TemporarilyOverloaded):
        is_let_in(desk, reward_id, signed(BODY, desk.clock()))


def test_a_forgery_costs_no_look_at_the_reward_and_a_clumsy_one_none_at_all(desk: RewardDesk) -> None:
    reward_id = sent(desk)
    desk.tap.calls.clear()
    assert not is_let_in(desk, reward_id, {})
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock() - HOUR_MS))
    assert desk.tap.calls == []
    assert desk.secrets.asked == []
    assert not is_let_in(desk, reward_id, signed(BODY, desk.clock(), secret=OTHER_SECRET))
    assert desk.tap.calls == ["campaigns.load"]


# --- what is reported ------------------------------------------------------------------------------------------------


def test_a_report_is_followed_and_repeating_it_changes_nothing(desk: RewardDesk) -> None:
    reward_id = sent(desk)
    at = desk.clock()
    assert desk.reports()(reward_id, Report.DELIVERED, at).status is RewardStatus.DELIVERED
    version = desk.reward(reward_id).version
    assert desk.reports()(reward_id, Report.DELIVERED, at).status is RewardStatus.DELIVERED
    assert desk.reward(reward_id).version == version


REPORTS = ((Report.DELIVERED, 1), (Report.RETURNED, 2), (Report.DELIVERED, 3), (Report.RETURNED, 3))


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)), ids=str)
def test_in_whatever_order_they_come_the_latest_counts(order: tuple[tuple[Report, int], ...]) -> None:
    desk = RewardDesk(GIFTS)
    reward_id = sent(desk)
    for told, at in (*order, *order):
        desk.reports()(reward_id, told, desk.clock() + at)
    assert desk.reward(reward_id).status is RewardStatus.RETURNED


def test_the_partners_note_is_kept_for_operators(desk: RewardDesk) -> None:
    reward_id = sent(desk)
    desk.reports()(reward_id, Report.RETURNED, desk.clock(), "nobody of this name")
    assert desk.reward(reward_id).words == "nobody of this name"


def test_a_report_survives_that_something_else_happens_to_the_reward(desk: RewardDesk) -> None:
    reward_id = sent(desk)

    def something_else(name: str) -> None:
        if name == "rewards.save":
            desk.tap.before = lambda _: None
            desk.alter(reward_id, reference="changed meanwhile")

    desk.tap.before = something_else
    assert desk.reports()(reward_id, Report.DELIVERED, desk.clock()).status is RewardStatus.DELIVERED
    assert desk.reward(reward_id).reference == "changed meanwhile"
    assert desk.reward(reward_id).status is RewardStatus.DELIVERED


def test_a_report_that_never_gets_through_may_be_sent_again(desk: RewardDesk) -> None:
    reward_id = sent(desk)

    def always_something_else(name: str) -> None:
        if name == "rewards.save":
            desk.alter(reward_id)

    desk.tap.before = always_something_else
    with pytest.raises(TemporarilyOverloaded):
        desk.reports()(reward_id, Report.DELIVERED, desk.clock())
    assert desk.reward(reward_id).status is RewardStatus.DISPATCHED
