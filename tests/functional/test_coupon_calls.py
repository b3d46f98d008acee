"""How many calls taking a coupon costs: one to get it, two at most to lose in the rush, none once all are taken."""

from __future__ import annotations

from brandday.domain.errors import BrandDayError, SoldOut
from tests.fakes.coupon_backend import CouponBackend, CouponEnvironment, coupon_terms, coupons


def _calls(
    backend: CouponBackend, environment: CouponEnvironment, shopper: str, key: str = "1"
) -> tuple[str, list[str]]:
    """Return what came of a request and the calls it took."""
    before = len(backend.tap.calls)
    try:
        said = "replayed" if environment.take(shopper, key).replayed else "taken"
    except BrandDayError as refusal:
        said = refusal.code
    return said, backend.tap.calls[before:]


def test_a_coupon_in_a_warm_environment_is_one_write_and_nothing_else() -> None:
    backend = CouponBackend(coupons(coupon_terms(quantity=900)))
    environment = backend.warm_taker()

    for number in range(100):
        assert _calls(backend, environment, f"shopper-{number}") == ("taken", ["stock.write"])


def test_in_the_rush_a_refusal_takes_two_calls_at_most() -> None:
    backend = CouponBackend(coupons(coupon_terms(quantity=150)))
    servers = [backend.warm_taker() for _ in range(8)]
    worst: dict[str, int] = {}

    for number in range(400):
        backend.clock.advance(3)
        said, calls = _calls(backend, servers[number % 8], f"shopper-{number}")
        worst[said] = max(worst.get(said, 0), len([call for call in calls if call.startswith("stock.")]))
        if number % 100 == 99:
            backend.project()

    assert worst["all_held"] <= 2
    assert set(worst) <= {"taken", "all_held", "sold_out"}
    backend.check()


def test_sold_out_is_said_without_a_call_in_the_steady_state() -> None:
    backend = CouponBackend(coupons(coupon_terms(quantity=60)))
    environment = backend.taker()
    for number in range(400):
        try:
            environment.take(f"shopper-{number}")
        except BrandDayError:
            backend.settle()
    assert len(backend.claims()) == 60
    environment = backend.taker()
    for home in range(backend.layout.shards):
        said, calls = _calls(backend, environment, backend.shopper_at(home, 500))
        assert (said, [call for call in calls if call != "campaigns.load"]) == ("sold_out", ["stock.read"])
    backend.tap.calls.clear()

    for number in range(1000, 1500):
        assert isinstance(environment.refused(f"shopper-{number}"), SoldOut)
        backend.clock.advance(10)

    assert backend.tap.tally() == {"campaigns.load": 4}, "one query a second, and the first second has its own"


def test_who_has_one_is_recognised_when_all_are_taken() -> None:
    backend = CouponBackend(coupons(coupon_terms(quantity=2), shards=2))
    environment = backend.taker()
    environment.take(backend.shopper_at(0), "tap")
    environment.take(backend.shopper_at(0, 1), "tap")
    backend.settle()
    environment.refused(backend.shopper_at(0, 2))

    assert _calls(backend, environment, backend.shopper_at(0), "tap") == ("replayed", ["stock.read"])
    assert _calls(backend, environment, backend.shopper_at(0, 1), "tap") == ("replayed", ["stock.read", "stock.read"])
