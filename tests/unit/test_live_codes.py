"""What codes are for whom: guesses that cost nothing, answers that tell nothing, and coupons a moment old."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from brandday.domain.campaign import Campaign, Shopper
from brandday.domain.code_words import DAY_MS
from brandday.domain.coupon_code import ALPHABET, CODE_LENGTH, SECRET_BYTES, CodeKeys, coupon_id, make_code, show
from brandday.domain.coupon_record import CouponFacts, CouponState
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.order import MAX_CODES
from brandday.usecases.coupon_facts import facts_of, facts_of_claim, job_source
from brandday.usecases.coupon_ports import Found, SharedCode, StoredCoupon
from brandday.usecases.live_campaigns import REFRESH_MS, LiveCampaigns
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.take_coupon import TakeCoupon
from tests.fakes.clock import SettableClock
from tests.fakes.coupon_declarations import declared_coupons, imported, made, shared, taken
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT
from tests.fakes.destinations import all_reachable
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_coupons import MemoryCoupons
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.tap import Tap, tapped

SECRET = bytes(range(SECRET_BYTES))
KEYS = CodeKeys.from_secret(SECRET)
COUPONS = 10_000
"""How many real ones a guess could hit."""


@dataclass
class World:
    """A deployment with a campaign of each kind of code, in memory; every call to tables goes through the tap."""

    clock: SettableClock = field(default_factory=lambda: SettableClock(BEFORE))
    campaigns: MemoryCampaigns = field(default_factory=lambda: MemoryCampaigns(MemorySummaries()))
    stock: MemoryStock = field(default_factory=MemoryStock)
    coupons: MemoryCoupons = field(default_factory=MemoryCoupons)
    tap: Tap = field(default_factory=Tap)

    def open(self) -> "World":
        """Publish the campaigns, and let them begin."""
        randomness = iter(range(10**6))
        operate = OperateCampaign(
            self.campaigns,
            self.stock,
            self.clock,
            lambda size: SECRET if size == SECRET_BYTES else next(randomness).to_bytes(size),
            all_reachable,
        )
        for document in (shared(), taken(), made(), imported()):
            operate.apply(declared_coupons(document), "op", publish=True)
        self.clock.now = DURING
        return self

    def codes(self) -> LiveCodes:
        """A cold environment."""
        campaigns = tapped(self.campaigns, "campaigns", self.tap)
        return LiveCodes(
            campaigns,
            tapped(self.coupons, "coupons", self.tap),
            LiveCampaigns(campaigns, self.clock),
            tapped(self.stock, "stock", self.tap),
            self.clock,
        )

    def campaign(self, document: str) -> Campaign:
        """A campaign as it is."""
        return self.campaigns.campaigns[document]

    def name(self, shopper: str) -> str:
        """A shopper's name in all tables."""
        layout = self.campaign("take-one").layout
        assert layout is not None
        return layout.name_of(shopper)

    def make(self, number: int, owner: str | None = None) -> CouponFacts:
        """A coupon that an operator's job has made."""
        facts = facts_of(KEYS, self.campaign("made-ones"), job_source("spring", number), BEFORE, owner=owner)
        self.coupons.put_facts([facts])
        return facts

    def take(self, shopper: str, key: str = "key-1") -> CouponFacts:
        """A coupon that a shopper has taken this very moment: no stream has written it down."""
        take = TakeCoupon(LiveCampaigns(self.campaigns, self.clock), self.stock, lambda: KEYS, self.clock)
        return take(Shopper(shopper, channel="app"), "take-one", key).facts

    def calls_of(self, codes: LiveCodes, owner: str | None, *typed: str) -> tuple[list[str], tuple[Found | None, ...]]:
        """What resolving codes calls, in an environment that has its config, and what comes of it."""
        codes.resolve(self.name("warm"), [typed[0]])
        self.tap.calls.clear()
        found = codes.resolve(owner, typed)
        return list(self.tap.calls), found


@pytest.fixture
def world() -> World:
    return World().open()


# --- what a code is ---


def test_a_shared_code_is_its_campaigns_however_it_is_typed_and_costs_no_read(world: World) -> None:
    codes = world.codes()
    calls, found = world.calls_of(codes, None, "double-11", "D0UBLE 1I", "DOUBLE11")

    assert found == (SharedCode("double-eleven", "D0UB1E11"),) * 3
    assert calls == []


def test_a_bearer_coupon_is_everybodys_who_has_its_code(world: World) -> None:
    facts = world.make(1)

    for owner in (None, world.name("ann")):
        assert world.codes().resolve(owner, [show(facts.code).lower()]) == (StoredCoupon(facts, CouponState()),)


def test_a_coupon_that_has_an_owner_is_nobody_elses(world: World) -> None:
    facts = world.make(1, owner=world.name("ann"))
    codes = world.codes()

    (found,) = codes.resolve(world.name("ann"), [facts.code])
    assert found == StoredCoupon(facts, CouponState())
    assert codes.resolve(world.name("bob"), [facts.code]) == (None,)
    assert codes.resolve(None, [facts.code]) == (None,)


def test_an_imported_code_is_known_by_its_prefix_and_then_looked_up(world: World) -> None:
    facts = facts_of(KEYS, world.campaign("partner-codes"), "job:partner.1", BEFORE, code="TEAPA1XYZ7")
    world.coupons.put_facts([facts])

    found = world.codes().resolve(None, ["TeaPal-xyz7", "TEAPALXYZ8", "TEACUPXYZ7"])

    assert found == (StoredCoupon(facts, CouponState()), None, None)


def test_several_codes_are_one_look_up_in_their_order(world: World) -> None:
    first, second = world.make(1), world.make(2)

    calls, found = world.calls_of(world.codes(), None, second.code, "nonsense", "DOUBLE11", first.code, second.code)

    assert [type(each).__name__ for each in found] == [
        "StoredCoupon", "NoneType", "SharedCode", "StoredCoupon", "StoredCoupon",
    ]  # fmt: skip
    assert calls == ["coupons.load"]


@pytest.mark.parametrize("text", ["", "-", "a", "\ud800", "TEAPAL\ud800", "TEAPAL" + "X" * 100, "TEAPALé", "🍵" * 16])
def test_what_cannot_be_a_code_is_none_and_costs_no_read(world: World, text: str) -> None:
    calls, found = world.calls_of(world.codes(), world.name("ann"), text)

    assert found == (None,)
    assert calls == []


# --- a coupon that nobody has written down yet ---


def test_a_coupon_is_good_at_the_moment_it_is_taken_and_is_written_down_by_who_uses_it(world: World) -> None:
    facts = world.take("ann")
    assert not world.coupons.facts

    (found,) = world.codes().resolve(world.name("ann"), [facts.code])

    assert found == StoredCoupon(facts, CouponState())
    assert world.coupons.facts == {facts.id: facts}


def test_a_coupon_just_taken_has_the_state_that_somebody_gave_it_meanwhile(world: World) -> None:
    facts = world.take("ann")
    world.coupons.states[facts.id] = CouponState(disabled=True, version=1)

    (found,) = world.codes().resolve(world.name("ann"), [facts.code])

    assert isinstance(found, StoredCoupon)
    assert found.state.disabled


def test_a_coupon_just_taken_is_nobody_elses_and_is_not_written_down_for_them(world: World) -> None:
    facts = world.take("ann")

    assert world.codes().resolve(world.name("bob"), [facts.code]) == (None,)
    assert world.codes().resolve(None, [facts.code]) == (None,)
    assert not world.coupons.facts


def test_a_coupon_taken_in_another_shard_is_found_by_its_pointer(world: World) -> None:
    """All units of ann's home shard are gone: her claim is elsewhere."""
    layout = world.campaign("take-one").layout
    assert layout is not None
    home = layout.home_of("ann")
    slot = layout.slots["coupon"]
    others = [f"shopper-{number}" for number in range(2000)]
    crowd = [name for name in others if layout.home_of(name) == home]
    for name in crowd[: layout.capacity(slot, home)]:
        world.take(name)
    facts = world.take("ann")
    assert not facts.source.startswith(f"claim:{home}.")

    assert world.codes().resolve(world.name("ann"), [facts.code])[0] is not None


def test_long_after_a_campaign_nobody_looks_for_its_claims(world: World) -> None:
    facts = world.take("ann")
    last = facts_of_claim(KEYS, world.campaign("take-one"), world.name("ann"), 0, ENDS_AT).valid_until
    world.clock.now = last + 2 * DAY_MS

    calls, found = world.calls_of(world.codes(), world.name("ann"), facts.code)

    assert found == (None,)
    assert calls == ["coupons.load"]


# --- what an answer tells ---


def _strangers(world: World) -> dict[str, str]:
    """Codes that bob must not tell apart."""
    return {
        "ann's": world.make(1, owner=world.name("ann")).code,
        "ann's, just taken": world.take("ann").code,
        "nobody's": make_code(KEYS, "made-ones", "job:never.1"),
    }


@pytest.mark.parametrize("owner", ["bob", None])
def test_somebody_elses_coupon_and_none_are_the_same_answer_after_the_same_calls(
    world: World, owner: str | None
) -> None:
    codes, name = world.codes(), None if owner is None else world.name(owner)

    seen = {what: world.calls_of(codes, name, code) for what, code in _strangers(world).items()}

    calls, found = seen["nobody's"]
    assert all(answer == (calls, found) for answer in seen.values())
    assert found == (None,)
    assert calls == ["coupons.load"] + (["stock.read"] if owner else [])


def test_who_answers_at_once_when_there_is_no_coupon_tells_them_apart(world: World) -> None:
    """The negative control: the look at one's own claims only where nothing was found."""
    strangers = _strangers(world)
    bob = world.name("bob")

    def hasty(code: str) -> list[str]:
        world.tap.calls.clear()
        coupons = tapped(world.coupons, "coupons", world.tap)
        if not coupons.load([coupon_id(KEYS, code)], consistent=False):
            tapped(world.stock, "stock", world.tap).read("take-one", (0,), consistent=True)
        return list(world.tap.calls)

    assert bob
    assert hasty(strangers["ann's"]) != hasty(strangers["nobody's"])


# --- what is remembered ---


def test_the_words_are_read_once_a_second_and_the_secret_once(world: World) -> None:
    codes = world.codes()
    for _ in range(5):
        codes.resolve(None, ["nonsense"])
        codes.keys()
    assert world.tap.calls == ["campaigns.words", "campaigns.code_secret"]

    world.clock.advance(REFRESH_MS)
    codes.resolve(None, ["nonsense"])
    codes.keys()
    assert world.tap.calls == ["campaigns.words", "campaigns.code_secret", "campaigns.words"]


def test_a_campaign_published_meanwhile_is_seen_within_a_second() -> None:
    world = World()
    codes = world.codes()
    assert codes.resolve(None, ["DOUBLE11"]) == (None,)

    world.open()
    world.clock.now = BEFORE + REFRESH_MS
    assert codes.resolve(None, ["DOUBLE11"]) == (SharedCode("double-eleven", "D0UB1E11"),)
    assert codes.keys() == KEYS


def test_before_any_coupon_campaign_there_are_no_keys_and_no_code_is_any() -> None:
    world = World()
    codes = world.codes()

    with pytest.raises(TemporarilyOverloaded):
        codes.keys()
    assert codes.resolve("ann", [make_code(KEYS, "tea", "1")] * 3) == (None,) * 3
    assert world.tap.count("campaigns.") == 2


def test_a_replica_that_has_the_word_and_not_the_campaign_is_no_error(world: World) -> None:
    del world.campaigns.campaigns["take-one"]

    assert world.codes().resolve("AAAAAAAAAAAA", [make_code(KEYS, "made-ones", "job:x.1")]) == (None,)


# --- guessing ---


@pytest.mark.parametrize("guesses", [100_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_random_guesses_never_hit_and_all_but_a_few_die_before_any_read(world: World, guesses: int) -> None:
    """99.9 % are promised; without the keys it is 32,767 of 32,768."""
    world.coupons.put_facts(_many(world))
    codes, name = world.codes(), world.name("mallory")
    codes.keys()
    world.tap.calls.clear()

    hits = reads = 0
    for batch in _batches(guesses):
        before = len(world.tap.calls)
        hits += sum(found is not None for found in codes.resolve(name, batch))
        reads += len(world.tap.calls) > before  # at most one in a batch, but for one in thousands of batches

    assert hits == 0
    assert reads <= guesses / 1000
    assert reads <= guesses / 2**15 * 3 + 10


def test_were_the_check_characters_no_secret_every_guess_would_cost_a_read(world: World) -> None:
    """The negative control: a guesser who can compute them makes nothing but guesses that pass."""
    guesser = replace(CodeKeys.from_secret(bytes(SECRET_BYTES)), check=KEYS.check)
    codes = world.codes()
    codes.keys()
    world.tap.calls.clear()

    for number in range(500):
        assert codes.resolve(None, [make_code(guesser, "made-ones", str(number))]) == (None,)

    assert world.tap.count("coupons.load") == 500


def _many(world: World) -> Iterator[CouponFacts]:
    campaign = world.campaign("made-ones")
    return (facts_of(KEYS, campaign, job_source("many", number), BEFORE) for number in range(COUPONS))


def _batches(guesses: int) -> Iterator[list[str]]:
    """Guesses as they would come: well-formed, as many as one request takes."""
    chance = random.Random(11)
    for _ in range(guesses // MAX_CODES):
        characters = "".join(chance.choices(ALPHABET, k=CODE_LENGTH * MAX_CODES))
        yield [characters[at : at + CODE_LENGTH] for at in range(0, len(characters), CODE_LENGTH)]
