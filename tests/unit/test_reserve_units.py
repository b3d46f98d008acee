"""Claiming units, as a shopper meets it: exactly once, never one too many, never a wrong "sold out"."""

import contextlib
import zoneinfo
from datetime import datetime

import pytest

from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Eligibility, Shopper, Status
from brandday.domain.errors import (
    AllHeld,
    BrandDayError,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotStarted,
    CampaignPaused,
    IdempotencyKeyReused,
    NotEligible,
    ShopperLimitReached,
    SoldOut,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.reservation import ReservationState
from brandday.usecases.claim_units import WAIT_AT_MOST_MS
from tests.fakes.backend import CLOSES, HOLD_MS, OPENS, SALE, Backend, sale, sku, web_shopper
from tests.fakes.tap import failing

# --- one unit, two shoppers -----------------------------------------------------------------------------------


def test_of_two_shoppers_after_one_unit_one_gets_it_and_the_other_hears_that_it_is_held() -> None:
    backend = Backend(sale(sku(stock=1)))
    first, second = backend.environment(), backend.environment()

    assert first.reserve("ann").reservation.state is ReservationState.HELD
    refusal = second.refused("bob")

    assert isinstance(refusal, AllHeld)
    assert backend.counts() == (0, 1, 0)
    backend.check()


@pytest.mark.parametrize("environments", [1, 7], ids=["one_environment", "seven_environments"])
def test_a_rush_gets_exactly_the_units_there_are(environments: int) -> None:
    backend = Backend(sale(sku(stock=95)))
    servers = [backend.environment() for _ in range(environments)]

    waiting = [f"shopper-{at}" for at in range(150)]
    got: list[str] = []
    for _ in range(40):
        for at, shopper in enumerate(waiting):
            try:
                servers[at % environments].reserve(shopper)
            except AllHeld:
                continue
            got.append(shopper)
        waiting = [shopper for shopper in waiting if shopper not in got]
        backend.settle()

    assert len(got) == len(set(got)) == 95, "every unit is found by shoppers who come back as told"
    assert backend.counts() == (0, 95, 0)
    backend.check()


# --- one shopper, several requests ----------------------------------------------------------------------------


def test_two_taps_with_the_same_key_are_one_reservation() -> None:
    backend = Backend(sale(sku(stock=10, per_shopper=2)))
    environment = backend.environment()

    first = environment.reserve("ann", key="tap")
    second = environment.reserve("ann", key="tap")

    assert (first.replayed, second.replayed) == (False, True)
    assert first.reservation == second.reservation
    assert backend.owned("ann") == 1


def test_two_taps_with_different_keys_are_one_reservation() -> None:
    backend = Backend(sale(sku(stock=10, per_shopper=2)))
    environment = backend.environment()

    first = environment.reserve("ann", key="tap-1")
    second = environment.reserve("ann", key="tap-2")

    assert second.resumed
    assert not second.replayed
    assert second.reservation == first.reservation
    assert backend.owned("ann") == 1


def test_two_devices_in_different_environments_share_one_hold() -> None:
    backend = Backend(sale(sku(stock=10)))
    phone, laptop = backend.warm_environment(), backend.warm_environment()

    first = phone.reserve("ann", key="phone")
    second = laptop.reserve("ann", key="laptop")

    assert second.resumed
    assert second.reservation == first.reservation
    assert backend.owned("ann") == 1


def test_the_reservation_of_a_replay_is_as_it_stands_now() -> None:
    backend = Backend()
    environment = backend.environment()
    made = environment.reserve("ann").reservation
    environment.cancel("ann", made.id)

    replay = environment.reserve("ann")

    assert replay.replayed
    assert replay.reservation.state is ReservationState.CANCELLED
    assert backend.owned("ann") == 0, "a key that was used never claims a second time"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["at_home", "in_another_shard"])
def test_a_retry_after_a_timeout_gets_what_the_first_try_has_committed(elsewhere: bool) -> None:
    replays = []
    for lost in range(1, 10):
        backend = Backend(sale(sku(stock=2), shards=2))
        if elsewhere:
            backend.environment().reserve(backend.shopper_at(0, 1))
        ann = backend.shopper_at(0)
        calls = len(backend.tap.calls)

        def lose(_: str, backend: Backend = backend, number: int = calls + lost) -> None:
            if len(backend.tap.calls) == number:
                raise TemporarilyOverloaded

        environment = backend.environment()
        backend.tap.after = lose
        try:
            environment.reserve(ann, key="tap")
        except TemporarilyOverloaded:
            backend.tap.after = lambda _: None
        else:
            break
        held = backend.owned(ann)
        retry = backend.environment().reserve(ann, key="tap")

        assert retry.replayed is bool(held), "what was committed is replayed, what was not is done now"
        assert backend.owned(ann) == 1
        backend.check()
        replays.append(retry.replayed)

    assert replays[-1], "the answer to the last call is the one that was committed"
    assert len(replays) == (5 if elsewhere else 2)


def test_a_key_that_was_used_for_another_quantity_or_sku_is_refused() -> None:
    backend = Backend(sale(sku("HERO", 10, 3), sku("MUG", 10, 3)))
    environment = backend.environment()
    environment.reserve("ann", "HERO", 1, key="tap")

    assert isinstance(environment.refused("ann", "HERO", 2, key="tap"), IdempotencyKeyReused)
    assert isinstance(environment.refused("ann", "MUG", 1, key="tap"), IdempotencyKeyReused)
    assert environment.reserve("bob", "MUG", 1, key="tap").replayed is False, "keys are a shopper's own"
    backend.check()


# --- limits ---------------------------------------------------------------------------------------------------


def test_one_request_for_more_than_the_limit_is_refused_whatever_is_free() -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=2), limit=2))

    refusal = backend.warm_environment().refused("ann", quantity=3)

    assert isinstance(refusal, ShopperLimitReached)
    assert refusal.params == {"limit": 2, "owned": 0, "per": "sku"}
    assert backend.owned("ann") == 0


def test_a_quantity_over_the_limit_in_two_requests_is_refused() -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=3)))
    environment = backend.environment()
    bought = environment.reserve("ann", quantity=2, key="tap-1").reservation
    environment.confirm(bought.id)

    refusal = environment.refused("ann", quantity=2, key="tap-2")

    assert isinstance(refusal, ShopperLimitReached)
    assert refusal.params == {"limit": 3, "owned": 2, "per": "sku"}
    assert environment.reserve("ann", quantity=1, key="tap-3").reservation.quantity == 1
    assert backend.owned("ann") == 3


def test_a_second_request_while_the_first_is_held_resumes_it_and_adds_nothing() -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=3)))
    environment = backend.environment()
    environment.reserve("ann", quantity=2, key="tap-1")

    second = environment.reserve("ann", quantity=2, key="tap-2")

    assert second.resumed
    assert backend.owned("ann") == 2


def test_the_campaigns_limit_counts_all_skus() -> None:
    backend = Backend(sale(sku("HERO", 10, 1), sku("MUG", 60, 2), sku("CAP", 10, 2), limit=3))
    environment = backend.environment()
    environment.reserve("ann", "HERO", 1, key="a")
    environment.reserve("ann", "MUG", 2, key="b")

    refusal = environment.refused("ann", "CAP", 1, key="c")

    assert isinstance(refusal, ShopperLimitReached)
    assert refusal.params == {"limit": 3, "owned": 3, "per": "campaign"}
    assert (backend.owned("ann", "HERO"), backend.owned("ann", "MUG"), backend.owned("ann", "CAP")) == (1, 2, 0)
    backend.check()


def test_a_released_hold_no_longer_counts_towards_the_limit() -> None:
    backend = Backend(sale(sku(stock=1)))
    environment = backend.environment()
    first = environment.reserve("ann", key="a").reservation
    environment.cancel("ann", first.id)
    second = environment.reserve("ann", key="b").reservation
    assert second.expires_at_ms is not None
    backend.clock.now = second.expires_at_ms
    third = environment.reserve("ann", key="c").reservation

    assert len({first.id, second.id, third.id}) == 3
    assert backend.owned("ann") == 1
    backend.check()


# --- units elsewhere, units in carts --------------------------------------------------------------------------


def test_a_shopper_whose_home_shard_is_empty_gets_a_unit_of_another_shard() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    environment = backend.environment()
    environment.reserve(backend.shopper_at(0))

    outcome = environment.reserve(backend.shopper_at(0, 1))

    assert outcome.reservation.state is ReservationState.HELD
    assert backend.counts() == (0, 2, 0)
    backend.check()


def test_a_hold_in_another_shard_is_the_shoppers_on_every_device() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    backend.environment().reserve(backend.shopper_at(0))
    ann = backend.shopper_at(0, 1)
    made = backend.environment().reserve(ann, key="phone").reservation

    again = backend.environment().reserve(ann, key="laptop")

    assert again.resumed
    assert again.reservation == made
    assert backend.environment().get(ann, made.id) == made


@pytest.mark.parametrize("know_each_other", [False, True], ids=["other_environment", "same_environment"])
def test_when_all_are_held_the_next_shopper_gets_the_unit_in_the_very_millisecond_its_hold_lapses(
    know_each_other: bool,
) -> None:
    backend = Backend(sale(sku(stock=1)))
    first = backend.environment()
    second = first if know_each_other else backend.environment()
    first.reserve("ann")
    backend.project()

    backend.clock.now = OPENS + HOLD_MS - 1
    assert isinstance(second.refused("bob"), AllHeld)
    backend.clock.now = OPENS + HOLD_MS
    outcome = second.reserve("bob")

    assert outcome.reservation.state is ReservationState.HELD
    assert (backend.owned("ann"), backend.owned("bob")) == (0, 1)
    backend.check()


def test_a_lapsed_hold_of_another_shard_is_found_too_without_any_sweeper() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    backend.environment().reserve(backend.shopper_at(0))
    backend.clock.advance(1)
    backend.environment().reserve(backend.shopper_at(1))
    backend.settle()
    backend.clock.now = OPENS + HOLD_MS

    outcome = backend.environment().reserve(backend.shopper_at(1, 1))

    assert outcome.reservation.id.split(".")[1] == "0"
    backend.check()


def test_in_a_large_campaign_one_lapsed_hold_is_found_by_shoppers_who_come_back_as_told() -> None:
    backend = Backend(sale(sku(stock=40), shards=40))
    holders = [backend.shopper_at(home) for home in range(40)]
    for holder in holders:
        backend.environment().reserve(holder)
    backend.environment().cancel(holders[17], _reservation_of(backend, holders[17]))
    environment, shopper = backend.environment(), backend.shopper_at(3, 1)

    tries = 1
    while not backend.owned(shopper):
        try:
            environment.reserve(shopper)
        except AllHeld as refusal:
            backend.clock.advance(refusal.retry_after_ms or 0)
            backend.project()
            tries += 1
    assert tries <= 3, "the summary tells where it is"


def test_a_scarce_sku_of_a_large_campaign_is_found_by_the_first_who_ask() -> None:
    """Ten units of the hero in a campaign of 34 shards: most shoppers' home shards never had one."""
    backend = Backend(sale(sku("HERO", 10), sku("MUG", 990)))

    for number in range(10):
        shopper = backend.shopper_at(13 + number)
        for _ in range(20):
            try:
                backend.environment().reserve(shopper)
            except AllHeld:
                backend.settle()
            else:
                break
        assert backend.owned(shopper) == 1
        backend.settle()
    backend.check()


@pytest.mark.parametrize("home", range(0, 34, 3))
def test_while_no_unit_of_a_scarce_sku_is_taken_nobody_hears_that_all_are_held(home: int) -> None:
    backend = Backend(sale(sku("MUG", 990), sku("HERO", 10)), now=OPENS + 10 * home)

    assert backend.environment().reserve(backend.shopper_at(home)).reservation.state is ReservationState.HELD


def _reservation_of(backend: Backend, shopper: str) -> str:
    return backend.environment().reserve(shopper).reservation.id


def test_sold_out_is_said_only_when_every_unit_is_paid() -> None:
    backend = Backend(sale(sku(stock=2)))
    environment = backend.environment()
    ann, bob = environment.reserve("ann").reservation, environment.reserve("bob").reservation
    said: list[type[BrandDayError]] = []

    for event in (
        lambda: None,
        lambda: environment.confirm(ann.id, "order-a"),
        lambda: environment.confirm(bob.id, "order-b"),
    ):
        event()
        backend.settle()
        said += [type(environment.refused("cyn")), type(backend.environment().refused("cyn"))]

    assert said == [AllHeld, AllHeld, AllHeld, AllHeld, SoldOut, SoldOut]


def test_all_held_says_when_to_come_back_within_bounds_and_not_before_a_hold_can_lapse() -> None:
    backend = Backend(sale(sku(stock=1)))
    backend.environment().reserve("ann")
    backend.settle()

    waits = []
    for before_end in (HOLD_MS - 1000, 20_000, 5000, 1500, 200, 1):
        backend.clock.now = OPENS + HOLD_MS - before_end
        refusal = backend.environment().refused("bob")
        assert isinstance(refusal, AllHeld)
        waits.append(refusal.retry_after_ms)

    assert waits == [WAIT_AT_MOST_MS, 20_000, 5000, 1500, 1000, 1000]


def test_all_held_is_about_to_change_while_the_summary_knows_of_free_units() -> None:
    backend = Backend(sale(sku(stock=1)))
    environment = backend.environment()
    environment.reserve("ann")

    refusal = environment.refused("bob")

    assert isinstance(refusal, AllHeld)
    assert refusal.retry_after_ms == 1000, "the summary has not heard of the hold yet, so nobody knows how long"


@pytest.mark.parametrize("finished", [True, False], ids=["restock_done", "restock_under_way"])
def test_after_a_restock_nobody_hears_sold_out_from_memory(finished: bool) -> None:
    backend = Backend(sale(sku(stock=1)))
    environment = backend.environment()
    environment.confirm(environment.reserve("ann").reservation.id)
    backend.settle()
    assert [type(environment.refused("bob")) for _ in range(3)] == [SoldOut] * 3

    if finished:
        backend.operator().restock(SALE, "more", "HERO", 2, "op")
    else:
        with pytest.raises(TemporarilyOverloaded), failing(backend.tap, "stock.write", TemporarilyOverloaded()):
            backend.operator().restock(SALE, "more", "HERO", 2, "op")
    backend.clock.advance(1000)

    if finished:
        assert environment.reserve("bob").reservation.state is ReservationState.HELD
    else:
        assert isinstance(environment.refused("bob"), AllHeld), "units on their way are not sold"


def test_a_shopper_who_bought_is_recognised_in_a_sold_out_campaign() -> None:
    backend = Backend(sale(sku(stock=1)))
    environment = backend.environment()
    bought = environment.confirm(environment.reserve("ann", key="tap").reservation.id).reservation
    backend.settle()
    environment.refused("bob")

    replay = environment.reserve("ann", key="tap")

    assert replay.replayed
    assert replay.reservation == bought
    assert isinstance(environment.refused("ann", key="other"), ShopperLimitReached)


# --- when the sale is open ------------------------------------------------------------------------------------


WINDOWS = [
    ("Asia/Shanghai", "2026-07-09T00:00:00", "2026-07-11T23:59:59.999", "2026-07-08T16:00:00Z"),
    ("Europe/Berlin", "2026-03-29T03:00:00", "2026-10-25T01:59:59", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00", "2026-10-25T01:30:00Z"),
    ("America/New_York", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T05:30:00Z"),
]


@pytest.mark.parametrize(
    ("time_zone", "starts_at", "ends_at", "opens_utc"),
    WINDOWS,
    ids=["shanghai", "as_clocks_jump_ahead", "second_time_the_clock_shows_it", "one_repeated_hour"],
)
def test_the_sale_opens_and_closes_to_the_millisecond_in_the_campaigns_time_zone(
    time_zone: str, starts_at: str, ends_at: str, opens_utc: str
) -> None:
    declared = parse_campaign(_document(time_zone, starts_at, ends_at)).to_campaign()
    opens = round(datetime.fromisoformat(opens_utc).timestamp() * 1000)
    end = datetime.fromisoformat(ends_at)
    closes = round((end if end.tzinfo else end.replace(tzinfo=zoneinfo.ZoneInfo(time_zone))).timestamp() * 1000)
    backend = Backend(sale(sku(stock=10), starts_at=declared.starts_at, ends_at=declared.ends_at))

    def says(now: int) -> type[BrandDayError] | None:
        backend.clock.now = now
        try:
            backend.environment().reserve(f"shopper-{now}")
        except BrandDayError as refusal:
            return type(refusal)
        return None

    assert [says(opens - 1), says(opens), says(closes - 1), says(closes)] == [
        CampaignNotStarted,
        None,
        None,
        CampaignEnded,
    ]


def _document(time_zone: str, starts_at: str, ends_at: str) -> dict[str, object]:
    return {
        "id": SALE,
        "title": "Brand Day",
        "mechanic": "flash_sale",
        "time_zone": time_zone,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "channels": ["web"],
        "skus": [
            {
                "sku": "HERO",
                "title": "Hero",
                "list_price": {"amount": 200, "currency": "CNY"},
                "sale_price": {"amount": 100, "currency": "CNY"},
                "stock": 10,
                "units_per_shopper": 1,
            }
        ],
        "limit_per_shopper": 1,
        "hold_seconds": 600,
    }


def test_a_warm_environment_opens_in_the_same_millisecond() -> None:
    backend = Backend(now=OPENS - 1)
    environment = backend.environment()
    early = environment.refused("ann")
    backend.clock.advance(1)

    assert isinstance(early, CampaignNotStarted)
    assert early.retry_after_ms == 1
    assert environment.reserve("ann", key="next").reservation.state is ReservationState.HELD


def test_an_environment_that_is_never_idle_still_looks_elsewhere_every_second() -> None:
    """Requests for home shards it has not seen lately come all the time; that one has just looked must wear off."""
    shards = 12
    backend = Backend(sale(sku(stock=shards), shards=shards))
    holder = backend.environment()
    held = [holder.reserve(backend.shopper_at(home)).reservation for home in range(shards)]
    busy = backend.environment()
    assert isinstance(busy.refused(backend.shopper_at(0, 1)), AllHeld)
    last = shards - 1
    holder.cancel(backend.shopper_at(last), held[last].id)

    refused = 0
    for number in range(100):
        backend.clock.advance(100)
        try:
            busy.reserve(backend.shopper_at(number % last, 2 + number))
            break
        except AllHeld:
            refused += 1

    assert backend.counts() == (0, shards, 0), f"still free after {refused} refusals"


# --- pause ----------------------------------------------------------------------------------------------------

LATEST_MS = 2000
TIMEOUT_MS = 900


def test_nobody_gets_a_unit_later_than_two_seconds_after_a_pause_however_slow_the_database_is() -> None:
    """Config of every age when the request comes, answers as slow as the time-out allows, each path of a claim."""
    latest = 0
    for config_age in range(0, 1000, 111):
        for path in ("at_home", "read_first", "elsewhere"):
            for first, later in [
                (TIMEOUT_MS, TIMEOUT_MS),
                (1, TIMEOUT_MS),
                (TIMEOUT_MS, 1),
                (50, 50),
                (90, TIMEOUT_MS),
            ]:
                committed = _last_write_after_a_pause(config_age, path, first, later)
                latest = max([latest, *committed])

    assert 1900 < latest <= LATEST_MS


def test_a_claim_of_several_steps_comes_to_its_end_on_a_database_as_slow_as_its_time_out_allows() -> None:
    """Config is read again on the way; to refuse because it is old would refuse this shopper for ever."""
    backend = Backend(sale(sku(stock=2), shards=2))
    environment = backend.environment()
    environment.reserve(backend.shopper_at(0, 1))
    backend.clock.advance(1000)
    backend.tap.before = lambda _: backend.clock.advance(TIMEOUT_MS)

    reservation = environment.reserve(backend.shopper_at(0)).reservation

    assert reservation.state is ReservationState.HELD
    assert backend.counts() == (0, 2, 0)


def _last_write_after_a_pause(config_age: int, path: str, first_ms: int, later_ms: int) -> list[int]:
    """Return when writes took effect, in ms after a pause written just after the environment had read its config."""
    backend = Backend(sale(sku(stock=4), shards=2))
    environment = backend.environment()
    if path == "elsewhere":
        environment.reserve(backend.shopper_at(0, 1))
        environment.reserve(backend.shopper_at(0, 2))
    if path == "read_first":
        # Somebody else's writes have emptied half the shard: a write is no longer likely to succeed.
        environment.reserve(backend.shopper_at(0, 1))
    backend.clock.advance(1000)
    environment.live.get(SALE)
    paused_at = backend.clock()
    backend.change(status=Status.PAUSED, version=2)
    backend.clock.advance(config_age)
    durations = iter([first_ms])
    committed: list[int] = []

    def work(name: str) -> None:
        if name.startswith("stock."):
            backend.clock.advance(next(durations, later_ms))
            if name == "stock.write":
                committed.append(backend.clock() - paused_at)

    backend.tap.before = work
    with contextlib.suppress(TemporarilyOverloaded, CampaignPaused):
        environment.reserve(backend.shopper_at(0))
    return committed


def test_a_warm_environment_refuses_a_second_after_the_pause_and_sells_a_second_after_the_resumption() -> None:
    backend = Backend(sale(sku(stock=10)))
    environment = backend.warm_environment()
    operator = backend.operator()

    operator.pause(SALE, "op")
    backend.clock.advance(1000)
    refusal = environment.refused("ann")
    operator.resume(SALE, "op")
    backend.clock.advance(1000)

    assert isinstance(refusal, CampaignPaused)
    assert refusal.retry_after_ms is not None
    assert environment.reserve("ann").reservation.state is ReservationState.HELD


@pytest.mark.parametrize("closed", [Status.PAUSED, Status.ENDED])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["at_home", "in_another_shard"])
def test_the_retry_of_a_committed_request_gets_its_answer_while_the_sale_is_closed(
    closed: Status, elsewhere: bool
) -> None:
    backend = Backend(sale(sku(stock=2, per_shopper=2), shards=2))
    if elsewhere:
        backend.environment().reserve(backend.shopper_at(0, 1))
    ann = backend.shopper_at(0)
    made = backend.environment().reserve(ann, key="tap").reservation
    backend.clock.advance(5000)
    backend.change(status=closed, ended_at=backend.clock() if closed is Status.ENDED else None)

    environment = backend.environment()
    replay = environment.reserve(ann, key="tap")

    assert replay.replayed
    assert replay.reservation == made
    closed_error = CampaignPaused if closed is Status.PAUSED else CampaignEnded
    assert isinstance(environment.refused(ann, key="another"), closed_error)
    assert isinstance(environment.refused(ann, quantity=2, key="tap"), IdempotencyKeyReused)
    assert isinstance(environment.refused("bob", key="tap"), closed_error)


def test_long_after_the_end_a_refusal_costs_nothing() -> None:
    backend = Backend(now=CLOSES + 2 * HOLD_MS)
    environment = backend.warm_environment()

    assert isinstance(environment.refused("ann"), CampaignEnded)
    assert backend.tap.count("stock.") == 0


# --- who may buy ----------------------------------------------------------------------------------------------


def test_only_the_campaigns_channels_tiers_regions_and_new_customers_may_buy() -> None:
    rules = Eligibility(member_tiers=("gold",), new_customers_only=True, regions=("shanghai",))
    backend = Backend(sale(sku(stock=10), eligibility=rules))
    environment = backend.environment()
    ann = Shopper("ann", tier="gold", channel="web", region="shanghai", new_customer=True)
    strangers = {
        "channel": Shopper("a", "gold", "store", "shanghai", True),
        "member_tier": Shopper("b", "silver", "web", "shanghai", True),
        "region": Shopper("c", "gold", "web", "beijing", True),
        "new_customer": Shopper("d", "gold", "web", "shanghai", False),
    }

    for requirement, stranger in strangers.items():
        refusal = environment.refused(stranger)
        assert isinstance(refusal, NotEligible)
        assert refusal.params["requirement"] == requirement
    assert backend.tap.count("stock.") == 0
    assert environment.reserve(ann).reservation.state is ReservationState.HELD


def test_an_unknown_sku_or_campaign_is_named_without_touching_the_stock() -> None:
    backend = Backend()
    environment = backend.environment()

    unknown = environment.refused("ann", "NO-SUCH-SKU")
    assert isinstance(unknown, ValidationFailed)
    assert [(error.pointer, error.rule) for error in unknown.errors] == [("/sku", "unknown_sku")]
    with pytest.raises(CampaignNotFound):
        environment.reserve_units(web_shopper("ann"), "no-such-sale", "HERO", 1, "key")
    backend.change(status=Status.DRAFT)
    with pytest.raises(CampaignNotFound):
        backend.environment().reserve("ann")
    assert backend.tap.count("stock.") == 0
