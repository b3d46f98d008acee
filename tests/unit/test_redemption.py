from dataclasses import replace

import pytest

from brandday.domain.coupon_change import StoredCoupon
from brandday.domain.coupon_code import SECRET_BYTES, CodeKeys
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.errors import CouponDisabled, CouponLocked, CouponRedeemed, ShopperLimitReached
from brandday.domain.redemption import Pool, RedemptionStatus, give_back, is_whole, view, why_no_room, why_not_free
from brandday.domain.redemption_id import (
    ORDERS,
    claim_text,
    is_redemption_id,
    parse_claim,
    redemption_id,
    store_namespace,
    use_tag,
)
from brandday.domain.shard import CONFIRMED, HELD, TAG_LENGTH, Entry
from brandday.domain.stock import Claim, ClaimRef, Terms

KEYS = CodeKeys.from_secret(bytes(SECRET_BYTES))
DAY = 24 * 60 * 60 * 1000
REDEEMED = CouponState(UseState.REDEEMED, "rdm_1", at=2 * DAY, version=1)
LOCKED = CouponState(UseState.LOCKED, "rdm_1", at=100, locked_until=1000, version=1)


def facts(valid_until: int) -> CouponFacts:
    return CouponFacts("cpn_a", "A", "sale", None, "job:a.1", 0, valid_until)


def part(number: int = 0, of: int = 1, status: PartStatus = PartStatus.LOCKED, at: int = 0) -> Part:
    return Part("rdm_1", number, "sale", "A", "cpn_a", None, "", "o", status, at, 1000, 5, "CNY", "AbC-_9", of=of)


# --- coupons --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid_until", "now", "until"),
    [
        (9 * DAY, 3 * DAY, 10 * DAY),  # seven days were left when it was redeemed, and seven are left again
        (9 * DAY, 20 * DAY, 27 * DAY),  # also after its time would have been over
        (9 * DAY, 2 * DAY, 9 * DAY),
        (1 * DAY, 3 * DAY, 2 * DAY),  # redeemed late, by an order of the time when it was valid: nothing was left
    ],
)
def test_a_coupon_comes_back_with_the_validity_it_had_left(valid_until: int, now: int, until: int) -> None:
    after = give_back(StoredCoupon(facts(valid_until), REDEEMED), now).after
    assert (after.use, after.redemption, after.store) == (UseState.RETURNED, None, None)
    assert after.valid_until == until
    assert why_not_free(after, now) is None


def test_a_coupon_that_came_back_before_counts_from_its_own_new_end() -> None:
    state = replace(REDEEMED, valid_until=12 * DAY)
    assert give_back(StoredCoupon(facts(9 * DAY), state), 5 * DAY).after.valid_until == 15 * DAY


def test_what_keeps_everybody_from_a_coupon() -> None:
    assert why_not_free(UNTOUCHED, 0) is None
    assert isinstance(why_not_free(replace(UNTOUCHED, disabled=True), 0), CouponDisabled)
    used = why_not_free(replace(REDEEMED, store="hangzhou-1"), 0)
    assert isinstance(used, CouponRedeemed)
    assert used.params == {"at": "1970-01-03T00:00:00.000Z", "where": "counter", "store": "hangzhou-1"}
    locked = why_not_free(LOCKED, 400)
    assert isinstance(locked, CouponLocked)
    assert locked.retry_after_ms == 600


def test_a_lock_is_over_at_its_end_without_any_write() -> None:
    assert why_not_free(LOCKED, 999) is not None
    assert why_not_free(LOCKED, 1000) is None


# --- uses -----------------------------------------------------------------------------------------------------


def test_a_limit_that_a_lock_counts_in_is_a_matter_of_time() -> None:
    pool = Pool("annAnnAnnAnn", 0, "0", 2, Terms(1000, 1000, lambda *_: 9), lambda _: ())
    bought = Claim(0, Entry(CONFIRMED, "0", 1, 100, "tag", "r"))
    held = Claim(1, Entry(HELD, "0", 1, 200, "gat"))

    assert why_no_room(pool.limit, pool.terms, [bought], 300) is None
    locked = why_no_room(pool.limit, pool.terms, [bought, held], 300)
    assert isinstance(locked, CouponLocked)
    assert locked.retry_after_ms == 900
    assert why_no_room(pool.limit, pool.terms, [bought, held], 1200) is None
    full = why_no_room(pool.limit, pool.terms, [bought, bought], 300)
    assert isinstance(full, ShopperLimitReached)
    assert full.params == {"limit": 2, "owned": 2, "per": "campaign"}


# --- redemptions ------------------------------------------------------------------------------------------------


def test_parts_of_different_moments_are_no_redemption() -> None:
    assert is_whole(())
    assert is_whole((part(0, 2), part(1, 2)))
    assert not is_whole((part(0, 2),))
    assert not is_whole((part(1, 1),))
    assert not is_whole((part(0, 1), part(1, 2)))
    assert not is_whole((part(0, 2), part(1, 2, PartStatus.REDEEMED)))


@pytest.mark.parametrize(
    ("status", "at", "now", "shown"),
    [
        (PartStatus.LOCKED, 0, 999, RedemptionStatus.LOCKED),
        (PartStatus.LOCKED, 0, 1000, RedemptionStatus.EXPIRED),
        (PartStatus.RELEASED, 999, 5000, RedemptionStatus.RELEASED),
        (PartStatus.RELEASED, 1000, 5000, RedemptionStatus.EXPIRED),
        (PartStatus.REDEEMED, 5000, 5000, RedemptionStatus.REDEEMED),
        (PartStatus.ROLLED_BACK, 5000, 5000, RedemptionStatus.ROLLED_BACK),
    ],
)
def test_a_redemption_is_what_its_parts_and_the_clock_say(
    status: PartStatus, at: int, now: int, shown: RedemptionStatus
) -> None:
    found = view((part(status=status, at=at),), now)
    assert found is not None
    assert found.status is shown


# --- ids --------------------------------------------------------------------------------------------------------


def test_an_order_has_one_redemption_and_a_receipt_of_the_same_number_another() -> None:
    ids = {redemption_id(KEYS, namespace, "SO-1") for namespace in (ORDERS, store_namespace("a"), store_namespace("b"))}
    assert len(ids) == 3
    assert all(map(is_redemption_id, ids))
    assert redemption_id(KEYS, ORDERS, "SO-1") in ids
    assert {len(use_tag(each)) for each in ids} == {TAG_LENGTH}


@pytest.mark.parametrize("text", ["", "rdm_" + "a" * 19, "rdm_" + "a" * 21, "rsv_" + "a" * 20, "rdm_" + "é" * 9])
def test_what_is_no_id_is_told_without_a_look(text: str) -> None:
    assert not is_redemption_id(text)


def test_where_a_use_is_can_be_read_again() -> None:
    ref = ClaimRef(3, "annAnnAnn-_n", 1_790_000_000_000)
    assert parse_claim(claim_text(ref)) == ref
    with pytest.raises(ValueError, match="where a use is"):
        parse_claim("3.ann.1")
