"""Limits on wins against an independent model: whoever may take something takes it, nobody else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brandday.adapters.guard_tallies import decode_tally, encode_tally
from brandday.domain.campaign import LatePayment
from brandday.domain.errors import BrandDayError, LimitReached
from brandday.domain.protection import Counted, Limit, Window
from brandday.domain.shard import CANCELLED, HELD, VOID, Entry, Shard, encode_entry
from brandday.domain.signals import SignalKind
from brandday.domain.tally import KEEP_LINES_MS, Taken, Tally, is_released
from tests.fakes.backend import HOLD_MS, OPENS, Backend, sale, sku
from tests.fakes.plain_gate import PlainGate, per_device, visit_with

HOUR_MS = 3_600_000
type Step = tuple[str, str, int]
DEVICES = ("phone", "tablet")
NAME = "AnnAnnAnnAnn"


@dataclass
class Model:
    """What a limit means, in the plainest words: which claims of a device are live and in the window now."""

    most: int
    window: Window | None
    claims: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)

    def allows(self, device: str, units: int, now: int) -> bool:
        counting = (
            quantity
            for claim, (of, quantity, at) in self.claims.items()
            if of == device and (claim in self.paid or at + HOLD_MS > now) and self._counts(at, now)
        )
        return sum(counting) + units <= self.most

    def _counts(self, at: int, now: int) -> bool:
        if self.window is None:
            return True
        if self.window.sliding:
            return at > now - self.window.ms
        return (at - self.window.anchor) // self.window.ms == (now - self.window.anchor) // self.window.ms


steps = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(DEVICES), st.integers(1, 2)),
    st.tuples(st.just("cancel"), st.just(""), st.integers(0, 9)),
    st.tuples(st.just("pay"), st.just(""), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, HOLD_MS // 2, HOLD_MS, HOUR_MS // 2, HOUR_MS])),
    st.tuples(st.just("sweep"), st.just(""), st.just(0)),
)
windows = st.sampled_from(
    [None, Window(HOUR_MS, sliding=True), Window(HOUR_MS, sliding=False), Window(HOUR_MS, sliding=False, anchor=1234)]
)


@given(steps=st.lists(steps, max_size=24), most=st.integers(1, 4), window=windows)
@settings(max_examples=60, deadline=None)
def test_a_limit_allows_what_the_model_allows(steps: list[Step], most: int, window: Window | None) -> None:
    # A late payment that takes units again has no line (this test finds it): config refuses it where such limits are.
    rules: dict[str, Any] = {"protection": per_device(most, window=window), "late_payment": LatePayment.REJECT}
    backend = Backend(sale(sku(stock=100, per_shopper=2), shards=5, **rules))
    backend.gate = PlainGate()
    model, owner = Model(most, window), dict[str, str]()
    for number, (what, device, how) in enumerate(steps):
        environment = backend.environment()
        now = backend.clock()
        match what:
            case "take":
                allowed, who = model.allows(device, how, now), f"shopper-{number}"
                try:
                    made = environment.reserve(who, quantity=how, visit=visit_with(device)).reservation.id
                except LimitReached:
                    assert not allowed, (number, now - OPENS)
                else:
                    assert allowed, (number, now - OPENS)
                    model.claims[made], owner[made] = (device, how, now), who
            case "cancel" | "pay" if model.claims:
                chosen = list(model.claims)[how % len(model.claims)]
                try:
                    if what == "pay":
                        environment.confirm(chosen, f"order-{chosen}")
                        model.paid.add(chosen)
                    elif chosen not in model.paid:
                        environment.cancel(owner[chosen], chosen)
                        del model.claims[chosen]
                except BrandDayError:
                    assert chosen not in model.paid
            case "wait":
                backend.clock.advance(how)
            case "sweep":
                backend.sweeper()()
    backend.check()


# --- the rules by themselves ----------------------------------------------------------------------------------


def limit(most: int, window: Window | None = None) -> Limit:
    return Limit("per-device", SignalKind.DEVICE, Counted.WINS, most, window)


def taken(at: int, units: int = 1) -> Taken:
    return Taken("sale", NAME, at, units, shard=0)


def test_what_a_clock_ahead_has_written_counts_for_a_clock_behind() -> None:
    daily = limit(1, Window(24 * HOUR_MS, sliding=False))
    midnight = 10 * 24 * HOUR_MS
    assert not Tally(1, (taken(midnight),)).has_room(daily, taken(midnight - 1))
    assert Tally(1, (taken(midnight - 1),)).has_room(daily, taken(midnight))


def test_a_line_stays_a_minute_longer_than_it_counts() -> None:
    hourly = limit(1, Window(HOUR_MS, sliding=True))
    old, now = taken(OPENS), OPENS + HOUR_MS
    assert Tally(1, (old,)).adding(hourly, taken(now)) == (old, taken(now))
    assert Tally(1, (old,)).adding(hourly, taken(now + KEEP_LINES_MS)) == (taken(now + KEEP_LINES_MS),)


def test_without_a_window_no_line_goes_by_itself() -> None:
    assert len(Tally(1, (taken(1),)).adding(limit(9), taken(OPENS))) == 2


@pytest.mark.parametrize(
    ("state", "released"), [(HELD, False), ("x", False), ("c", False), ("e", True), (CANCELLED, True), (VOID, True)]
)
def test_a_line_is_dropped_when_its_claim_is_released_or_forgotten(state: str, released: bool) -> None:
    record = encode_entry(Entry(state, "0", 1, OPENS, "abcdef"))
    assert is_released(taken(OPENS), Shard(0, 1, {}, {NAME: record})) is released
    assert is_released(taken(OPENS - 1), Shard(0, 1, {}, {NAME: record})), "another attempt is another claim"
    assert is_released(taken(OPENS), Shard(0, 1, {}, {}))


lines = st.builds(
    Taken,
    st.sampled_from(["sale", "another-sale", "a-third"]),
    st.text("abcXYZ019_-", min_size=12, max_size=12),
    st.integers(0, 36**8 - 1),
    st.integers(1, 35),
    shard=st.integers(0, 10**6),
    entry=st.none(),
)


@given(st.lists(lines, max_size=12), st.integers(1, 10**6), st.integers(0, 10**10))
def test_what_is_stored_is_what_was_kept(kept: list[Taken], version: int, forget_at: int) -> None:
    entries = [one._replace(shard=None, entry=one.units, units=1) for one in kept[:3]]
    tally = Tally(version, (*kept, *entries), forget_at)
    assert decode_tally(encode_tally(tally)) == tally


@pytest.mark.parametrize("line", ["", "00000000", "000000001x0.0:name", "000000001s0.5:name"])
def test_a_line_that_is_none_is_an_error(line: str) -> None:
    item = {"v": {"N": "1"}, "forget_at": {"N": "1"}, "c": {"S": "sale"}, "t": {"S": line}}
    with pytest.raises((ValueError, IndexError)):
        decode_tally(item)
