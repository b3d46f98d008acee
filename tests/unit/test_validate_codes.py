"""A cart is checked against codes: what each would do, why not, what is best; and nothing is changed by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brandday.domain.campaign import Shopper, Status
from brandday.domain.coupon import Benefit, BenefitKind, Stacking, Tier
from brandday.domain.coupon_code import fold, make_code, show
from brandday.domain.coupon_record import CouponState, UseState
from brandday.domain.order import Line, Order
from brandday.domain.protocols import Write
from brandday.domain.shard import CONFIRMED, EXPIRED, HELD, Entry, Shard, encode_record
from brandday.domain.summary import Subtotal, Tally
from brandday.domain.visit import NO_VISIT
from brandday.usecases.validate_codes import CheckedCode, Validation
from tests.fakes.backend import OPENS, SALE
from tests.fakes.coupon_api import GIFTS, PARTNER, PERCENT, PERCENT_CODE, CouponApi
from tests.fakes.coupon_backend import KEYS, coupon_terms, coupons

MING, LI = Shopper("ming", channel="app"), Shopper("li", channel="app")
ORDER = Order("CNY", (Line("HERO", "", 2, 9_950),), 800, "app")
SHARED = fold(PERCENT_CODE)


def check(api: CouponApi, *codes: str, shopper: Shopper = MING, order: Order = ORDER) -> Validation:
    """Ask a cold environment."""
    return api.coupon_use_cases().validate_codes(shopper, codes, order, None, NO_VISIT)


def only(api: CouponApi, code: str, shopper: Shopper = MING) -> CheckedCode:
    (checked,) = check(api, code, shopper=shopper).codes
    return checked


def refusal(api: CouponApi, code: str, shopper: Shopper = MING) -> str | None:
    found = only(api, code, shopper).refusal
    return None if found is None else found.code


def test_each_code_says_what_it_does_alone_and_the_best_of_them_are_priced() -> None:
    api = CouponApi()
    mine = api.issue(SALE, "ming")
    present = api.issue(GIFTS, "ming")
    parcel = api.issue(PARTNER, code="TEAPAL-0001")
    found = check(api, parcel.code, present.code, SHARED, mine.code)
    assert [one.code for one in found.codes] == [parcel.code, present.code, SHARED, mine.code]
    assert [one.refusal for one in found.codes] == [None] * 4
    assert [one.alone and one.alone.discount for one in found.codes] == [800, 0, 2487, 1000]
    assert [(one.code, one.discount, one.gift) for one in found.best.applied] == [
        (SHARED, 2487, None),
        (mine.code, 1000, None),
        (parcel.code, 800, None),
        (present.code, 0, "MUG"),
    ]
    assert found.best.left.total == 2 * 9_950 + 800 - found.best.discount


def test_the_next_tier_is_a_hint_and_no_refusal() -> None:
    api = CouponApi()
    checked = only(api, api.issue(SALE, "ming").code)
    assert checked.next_tier is not None
    assert (checked.next_tier.missing, checked.next_tier.tier.amount) == (100, 2500)
    assert only(api, SHARED).next_tier is None


def test_the_best_is_the_same_in_whatever_order_the_codes_come() -> None:
    api = CouponApi()
    codes = [api.issue(SALE, "ming").code, SHARED, api.issue(PARTNER, code="TEAPAL-1").code]
    assert check(api, *codes).best == check(api, *codes[::-1]).best


# --- strangers ---


def test_a_stranger_hears_the_same_of_whatever_is_not_theirs() -> None:
    """Nothing but the code that they have sent themselves is in the answer."""
    api = CouponApi()
    hers = api.issue(SALE, "li")
    used, off, old = (api.issue(SALE, "li") for _ in range(3))
    api.coupons.states[used.id] = CouponState(UseState.REDEEMED, "rdm_1", OPENS, version=1)
    api.coupons.states[off.id] = CouponState(disabled=True, version=1)
    api.coupons.facts[old.id] = replace(old, valid_until=OPENS)
    guess = make_code(KEYS, SALE, "job:never.1")
    found = check(api, hers.code, used.code, off.code, old.code, guess, "0" * 16, "TEAPAL99", "NONSENSE", "§")
    for one in found.codes:
        assert one.refusal is not None
        assert one == CheckedCode(one.code, one.refusal)
        assert (one.refusal.code, one.refusal.params, one.refusal.retry_after_ms) == ("coupon_not_found", {}, None)
    assert found.best.applied == ()
    assert refusal(api, hers.code, LI) is None
    assert [refusal(api, one.code, LI) for one in (used, off, old)] == [
        "coupon_redeemed",
        "coupon_disabled",
        "coupon_expired",
    ]


def test_a_code_of_a_campaign_that_is_a_draft_again_is_no_code() -> None:
    api = CouponApi()
    mine = api.issue(SALE, "ming")
    api.change(SALE, status=Status.DRAFT)
    checked = only(api, mine.code)
    assert checked == CheckedCode(mine.code, checked.refusal)
    assert refusal(api, mine.code) == "coupon_not_found"


# --- refusals ---


def test_a_refused_code_does_not_keep_others_from_being_used() -> None:
    api = CouponApi()
    mine = api.issue(SALE, "ming")
    api.change(PERCENT, status=Status.PAUSED)
    found = check(api, SHARED, mine.code)
    assert [one.refusal and one.refusal.code for one in found.codes] == ["campaign_paused", None]
    assert found.codes[0].alone is None
    assert found.codes[0].candidate is not None
    assert found.best.codes == (mine.code,)


def test_what_clashes_with_the_best_names_them_as_people_write_them() -> None:
    of_group = coupon_terms(stacking=Stacking(group="g"))
    better = coupon_terms(
        benefit=Benefit(BenefitKind.AMOUNT_OFF, (Tier(0, amount=1001),)), stacking=Stacking(group="g")
    )
    api = CouponApi((coupons(of_group, id="small"), coupons(better, id="large")))
    small, large = api.issue("small", "ming"), api.issue("large", "ming")
    found = check(api, small.code, large.code)
    assert found.best.codes == (large.code,)
    assert found.codes[0].refusal is not None
    assert found.codes[0].refusal.code == "not_combinable"
    assert found.codes[0].refusal.params == {"clashes_with": (show(large.code),)}
    assert found.codes[0].alone is not None
    assert found.codes[0].alone.discount == 1000
    assert found.codes[1].refusal is None


def test_a_code_that_would_be_spent_for_nothing_is_refused() -> None:
    api = CouponApi()
    parcel = api.issue(PARTNER, code="TEAPAL-0001")
    found = check(api, parcel.code, order=replace(ORDER, shipping=0))
    assert found.codes[0].refusal is not None
    assert found.codes[0].refusal.code == "no_matching_items"
    assert found.best.applied == ()


def all_off() -> Benefit:
    """More than the order costs."""
    return Benefit(BenefitKind.AMOUNT_OFF, (Tier(0, amount=100_000),))


def test_a_code_for_which_the_best_leave_nothing_names_them_and_a_gift_is_no_such_code() -> None:
    api = CouponApi((coupons(coupon_terms(benefit=all_off()), id="all"), *CouponApi().published))
    everything, ten, present = api.issue("all", "ming"), api.issue(SALE, "ming"), api.issue(GIFTS, "ming")
    found = check(api, everything.code, SHARED, ten.code, present.code)
    told = [one.refusal and (one.refusal.code, one.refusal.params) for one in found.codes]
    best = tuple(show(code) for code in found.best.codes)
    assert found.best.codes == (everything.code, present.code)
    assert told == [None, None, ("not_combinable", {"clashes_with": best}), None]


# --- uses of a shared code ---


def put_uses(api: CouponApi, *entries: Entry, home: str = "ming") -> None:
    """Let a shopper have used the shared code, or be about to."""
    layout = api.campaigns.campaigns[PERCENT].layout
    assert layout is not None
    record = encode_record(list(entries))
    assert record is not None
    number = layout.home_of(home)
    api.stock.shards[PERCENT, number] = Shard(number, 1, {}, {layout.name_of(home): record})


@pytest.mark.parametrize(
    ("state", "age", "refused"),
    [
        (CONFIRMED, 10**9, "shopper_limit_reached"),
        (HELD, 0, "coupon_locked"),
        (HELD, 10**9, None),
        (EXPIRED, 0, None),
    ],
)
def test_a_shopper_who_has_used_a_shared_code_hears_of_the_limit(state: str, age: int, refused: str | None) -> None:
    api = CouponApi()
    put_uses(api, Entry(state, "0", 1, OPENS - age, "tagtag", "a.1" if state == CONFIRMED else None))
    assert refusal(api, SHARED) == refused
    assert refusal(api, SHARED, LI) is None


def test_an_order_is_not_kept_from_what_it_has_locked_itself() -> None:
    api = CouponApi()
    mine = api.issue(SALE, "shopper-1")
    api.lock(mine.code, PERCENT_CODE, order_id="SO-7")
    shopper = Shopper("shopper-1", channel="app")

    def told(order_id: str | None) -> list[str | None]:
        found = api.coupon_use_cases().validate_codes(shopper, (mine.code, SHARED), ORDER, order_id, NO_VISIT)
        wallet = api.coupon_use_cases().list_coupons(shopper, ORDER, None, order_id)
        refusals = [*(one.refusal for one in found.codes), *(one.refusal for one in wallet.coupons)]
        return [None if refused is None else refused.code for refused in refusals]

    assert told("SO-7") == [None, None, None]
    assert told("SO-8") == told(None) == ["coupon_locked"] * 3


@pytest.mark.parametrize(
    ("held", "sold", "refused"), [(0, 99, None), (1, 99, "coupon_locked"), (0, 100, "coupon_exhausted")]
)
def test_a_shared_code_without_uses_says_whether_one_can_come_back(held: int, sold: int, refused: str | None) -> None:
    api = CouponApi()
    total = Subtotal(1, {"0": Tally(0, held, sold)}, {}, None)
    api.campaigns.summaries.save_subtotal(PERCENT, 0, total, OPENS)
    assert refusal(api, SHARED) == refused


# --- no effect ---


def test_nothing_is_written_however_often_somebody_asks() -> None:
    api = CouponApi()
    mine = api.issue(SALE, "ming")
    before = dict(api.coupons.facts), dict(api.coupons.states), dict(api.stock.shards)
    for _ in range(3):
        check(api, mine.code, SHARED, "NONSENSE")
    assert (api.coupons.facts, api.coupons.states, api.stock.shards) == before
    assert not [effect for effect in api.stock.effects if isinstance(effect, Write)]
    assert not api.coupons.stored_parts
