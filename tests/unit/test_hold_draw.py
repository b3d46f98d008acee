"""Seal, draw and receipt: done once, whatever comes in between, and waiting for the beacon as long as it takes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from brandday.domain import draw as rules
from brandday.domain.beacon import round_at
from brandday.domain.draw import SEAL_AFTER_MS, Tickets
from brandday.domain.draw_record import PAGE_ROWS, Place, Seal, ranking_hash, read_group, write_seal
from brandday.domain.entrant import Entrant, EntryRequest, Fate, Rules, Taken, take
from brandday.domain.luck import draw_seed
from brandday.domain.pacing import Pacing
from brandday.domain.receipt_check import verify
from brandday.usecases import run_draws
from tests.fakes.draw_world import SEED, DrawWorld, drawn_campaign, instant_campaign, published, round_time
from tests.fakes.fake_beacon import made_up_round
from tests.fakes.lottery_declarations import declared_draw
from tests.fakes.memory_draws import MemoryDraws

MINUTE = 60_000


# --- the seal ---


def test_nothing_is_sealed_before_the_last_entry_can_have_arrived() -> None:
    world = DrawWorld()
    world.clock.now = world.campaign.ends_at + SEAL_AFTER_MS - 1
    assert world.runner()() == 0
    assert world.sealed() is None
    world.clock.advance(1)
    assert world.runner()() == 0
    assert world.sealed() is not None


def test_a_lottery_that_was_ended_early_is_sealed_early_and_drawn_at_its_time() -> None:
    world = DrawWorld()
    ended = world.campaign.ends_at - 3_600_000
    world.campaigns.campaigns[world.id] = replace(world.campaign, ended_at=ended)
    world.clock.now = ended + SEAL_AFTER_MS
    world.runner()()
    assert world.sealed() is not None
    world.clock.now = world.draw_at - 1
    world.runner()()
    assert world.result() is None
    world.clock.advance(1)
    world.runner()()
    assert world.result() is not None


@pytest.mark.parametrize("expected_entrants", [100, 1_000_000], ids=["64 buckets", "4096 buckets"])
def test_the_seal_is_the_root_that_the_rules_make_of_all_tickets(expected_entrants: int) -> None:
    world = DrawWorld(drawn_campaign(expected_entrants=expected_entrants), entrants=300)
    world.seal()
    chars = world.frozen.bucket_chars
    assert chars == (1 if expected_entrants == 100 else 2)
    tickets = sorted(Tickets(record.name, len(record.entries)) for record in world.entrants.records.values())
    buckets: dict[str, list[bytes]] = {}
    for each in tickets:
        buckets.setdefault(each.entrant[:chars], []).append(rules.ticket_leaf(each))
    expected = rules.root(rules.root(leaves) for _, leaves in sorted(buckets.items()))
    sealed = world.sealed()
    assert sealed is not None
    assert (sealed.root, sealed.entrants, sealed.entries) == (expected.hex(), 300, sum(each.number for each in tickets))


def test_who_has_earned_chances_and_never_entered_is_in_no_list() -> None:
    world = DrawWorld(entrants=2)
    assert world.entrants.save(world.frozen, None, Entrant("AAAAAAAAAAAA", "owner", "sub"))
    world.seal()
    sealed = world.sealed()
    assert sealed is not None
    assert sealed.entrants == 2


def test_an_empty_list_can_be_sealed_and_drawn() -> None:
    world = DrawWorld(entrants=0)
    world.seal()
    world.draw()
    result = world.result()
    assert result is not None
    assert (result.winners, result.reserves) == (0, 0)
    assert verify(world.receipt()) == []


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next() -> None:
    world = DrawWorld(entrants=200)
    world.clock.now = world.campaign.ends_at + SEAL_AFTER_MS
    runs = _run_slowly(world, lambda: world.sealed() is not None)
    assert runs > 3
    other = DrawWorld(entrants=200)
    other.seal()
    sealed, expected = world.sealed(), other.sealed()
    assert sealed is not None
    assert expected is not None
    assert sealed.root == expected.root
    # The ranking is left off and taken up as well, by environments that remember nothing.
    world.clock.now = world.draw_at
    assert _run_slowly(world, lambda: world.result() is not None) > 3
    other.draw()
    result, without_a_stop = world.result(), other.result()
    assert result is not None
    assert without_a_stop is not None
    assert result.hash == without_a_stop.hash


def _run_slowly(world: DrawWorld, is_done: Callable[[], bool]) -> int:
    """Let each read of a part or a bucket take two seconds; return how many runs of a cold environment it took."""
    world.tap.before = lambda name: world.clock.advance(2000 if name in ("entrants.bucket", "draws.read") else 0)
    runs = 0
    while not is_done():
        runs += 1
        began = world.clock()
        world.runner()()
        assert world.clock() - began < run_draws.RUN_MS + 15_000, "a run that Lambda would have ended"
        assert runs < 50
    world.tap.before = lambda _: None
    return runs


def test_a_list_that_is_another_one_than_was_sealed_is_refused_and_told_each_time() -> None:
    world = DrawWorld()
    world.seal()
    luck = world.campaign.luck
    assert luck is not None
    # As it was when the process was stopped in the middle, and then, against all rules, somebody comes in.
    group = next(iter(world.entrants.records.values())).name[0]
    del world.draws.parts[world.id, "seal"], world.draws.parts[world.id, f"group#{group}"]
    world.enter(next(who for who in (f"late-{at}" for at in range(1000)) if luck.entrant(who)[0] == group), 3)
    for _ in range(2):
        assert world.runner()() == 1
        assert world.sealed() is None
    assert "not what was sealed before" in str(world.lines[-1])


def test_who_finds_another_seal_in_place_of_their_own_says_so() -> None:
    world = DrawWorld()
    world.clock.now = world.campaign.ends_at + SEAL_AFTER_MS
    foreign = write_seal(Seal("0" * 64, 1, 1, world.clock()))
    world.tap.after = lambda name: (
        world.draws.parts.update({(world.id, "seal"): foreign}) if name == "draws.list" else None
    )
    assert world.runner()() == 1
    assert "was sealed" in str(world.lines[-1])


def test_entrants_who_come_after_the_seal_change_nothing() -> None:
    world = DrawWorld()
    world.seal()
    before = world.sealed()
    late = world.enter("late", 3)
    assert world.draw() == 0
    assert world.sealed() == before
    assert late not in {place.entrant for place in world.places()}
    assert verify(world.receipt()) == []


@pytest.mark.parametrize("part", ["list", "group", "seal"])
def test_a_stored_list_that_was_tampered_with_is_not_drawn_from(part: str) -> None:
    world = DrawWorld()
    world.seal()
    key = next(key for key, text in world.draws.parts.items() if key[1].startswith(part) and len(text) > 14)
    text = world.draws.parts[key]
    if part == "list":
        changed = text[:-1] + ("1" if text[-1] == "2" else "2")
    elif part == "group":
        changed = _with_another_root(text)
    else:
        changed = '["' + "0" * 64 + text[66:]
    world.draws.parts[key] = changed
    assert world.draw() == 1
    assert world.result() is None
    assert "sealed" in str(world.lines[-1]["message"])


def _with_another_root(text: str) -> str:
    name, buckets, entries, pages = json.loads(text)
    root = read_group(text).buckets[0].root.hex()
    buckets[0][1] = ("0" if root[0] != "0" else "1") + root[1:]
    return json.dumps([name, buckets, entries, pages])


# --- the draw ---


def test_the_result_is_the_ranking_of_the_rules_with_prizes_tier_by_tier() -> None:
    world = DrawWorld(drawn_campaign(1, 2, reserves=3), entrants=20)
    world.seal()
    world.draw()
    tickets = [Tickets(record.name, len(record.entries)) for record in world.entrants.records.values()]
    ranked = rules.rank(SEED, world.id, tickets, 6)
    expected = [
        Place(each.entrant, each.ticket, slot)
        for each, slot in zip(ranked, ["0", "1", "1", None, None, None], strict=True)
    ]
    assert world.places() == expected
    result = world.result()
    assert result is not None
    assert (result.winners, result.reserves, result.hash) == (3, 3, ranking_hash(expected))
    world.check_done()


def test_fewer_entrants_than_prizes_all_win() -> None:
    world = DrawWorld(drawn_campaign(2, 5), entrants=3)
    world.seal()
    assert world.draw() == 0
    result = world.result()
    assert result is not None
    assert (result.winners, result.reserves) == (3, 0)
    world.check_done()
    assert verify(world.receipt()) == []


def test_a_ranking_of_many_pages_is_one_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("draw_record", "hold_draw", "award_prizes", "seal_draw", "publish_receipt"):
        path = f"brandday.{'domain' if module == 'draw_record' else 'usecases'}.{module}.PAGE_ROWS"
        monkeypatch.setattr(path, 7)
    world = DrawWorld(drawn_campaign(3, 20, reserves=10), entrants=120)
    world.seal()
    assert world.draw() == 0
    result = world.result()
    assert result is not None
    assert result.pages == 5
    world.check_done()
    assert verify(world.receipt()) == []
    assert PAGE_ROWS > 1000


def test_a_seed_that_is_not_the_promised_one_draws_nothing() -> None:
    world = DrawWorld()
    world.seal()
    world.campaigns.seeds[world.id] = hashlib.sha256(b"another").digest()
    assert world.draw() == 1
    assert world.result() is None


# --- the beacon ---


def test_a_draw_with_a_beacon_waits_until_its_round_is_out_and_ranks_with_it() -> None:
    world = DrawWorld(drawn_campaign(beacon=True))
    world.seal()
    beacon = round_at(world.draw_at)
    world.clock.now = world.draw_at
    world.runner()()
    assert world.result() is None
    world.clock.now = round_time(world.campaign)
    world.beacon.newest = beacon.round - 1
    assert world.runner()() == 0
    assert world.result() is None
    assert world.lines[-1]["level"] == "WARN"
    world.clock.advance(MINUTE)
    world.beacon.newest = beacon.round
    assert world.runner()() == 0
    result = world.result()
    assert result is not None
    assert result.randomness == made_up_round(beacon.round)
    tickets = [Tickets(record.name, len(record.entries)) for record in world.entrants.records.values()]
    seed = draw_seed(SEED, made_up_round(beacon.round).value)
    assert world.places()[0].entrant == rules.rank(seed, world.id, tickets, 1)[0].entrant
    assert [place.entrant for place in world.places()] != [
        each.entrant for each in rules.rank(SEED, world.id, tickets, 8)
    ]
    assert set(world.beacon.asked) == {beacon}
    assert verify(world.receipt()) == []


def test_a_beacon_that_is_down_is_waited_for_and_somebody_is_called() -> None:
    world = DrawWorld(drawn_campaign(beacon=True))
    world.seal()
    world.beacon.newest, world.beacon.trouble = 10**9, "api.drand.sh: time-out"
    world.clock.now = round_time(world.campaign)
    assert world.runner()() == 0
    world.clock.advance(run_draws.BEACON_PATIENCE_MS)
    for _ in range(3):
        world.clock.advance(24 * 60 * MINUTE)
        assert world.runner()() == 1
        assert world.lines[-1]["level"] == "ERROR"
        assert "time-out" in world.lines[-1]["message"]
    assert world.result() is None
    assert world.claimed() == []
    world.beacon.trouble = None
    assert world.runner()() == 0
    assert world.result() is not None


def test_a_stored_round_that_is_no_round_of_the_beacon_draws_nothing() -> None:
    world = DrawWorld(drawn_campaign(beacon=True))
    world.seal()
    world.draws.keep(world.id, "beacon", made_up_round(5).signature.hex())
    assert world.draw() == 1
    assert world.result() is None


def test_a_list_that_was_sealed_when_the_round_was_out_already_is_told() -> None:
    world = DrawWorld(drawn_campaign(beacon=True))
    world.draw()
    assert world.result() is not None
    assert any("sealed when the beacon's round was out" in str(line["message"]) for line in world.lines)


# --- several lotteries, and what is none ---


def test_trouble_with_one_lottery_does_not_hold_up_the_others() -> None:
    world = DrawWorld()
    other = published(replace(declared_draw(), id="second-trial"))
    world.campaigns.campaigns["second-trial"] = other  # without a seed
    world.campaigns.campaigns["a-draft"] = replace(declared_draw(), id="a-draft")
    world.clock.now = round_time(world.campaign)
    world.beacon.newest = 10**9
    assert world.runner()() == 1
    assert world.result() is not None
    assert [line["campaign_id"] for line in world.lines if line["level"] == "ERROR"] == ["second-trial"]


def test_an_environment_that_knows_of_nothing_due_asks_for_next_to_nothing() -> None:
    world = DrawWorld()
    run = world.runner()
    world.clock.now = world.draw_at
    run()
    run()
    world.tap.calls.clear()
    world.clock.advance(MINUTE)
    run()
    assert world.tap.calls == ["campaigns.list_ids"]


# --- instant wins ---


def test_an_instant_win_is_sealed_as_it_was_at_its_end_whenever_it_is_read() -> None:
    world = _played_instant()
    world.seal()
    sealed = world.sealed()
    assert sealed is not None
    receipt = world.receipt()
    assert receipt["sealed"]["root"] == sealed.root
    assert verify(receipt) == []
    # A prize goes back after the end: the list is as it was.
    for record in list(world.entrants.records.values()):
        for number, entry in enumerate(record.entries, 1):
            if entry.won is not None:
                back = entry.won._replace(fate=Fate.RETURNED, returned_at=world.clock())
                world.entrants.save(world.frozen, record, record.replaced(number, entry._replace(tries=(back,))))
                break
    assert world.receipt() == receipt


def test_an_entry_that_waits_for_its_prize_is_settled_before_the_seal() -> None:
    world = _played_instant(settled=False)
    assert any(record.entries[-1].pending for record in world.entrants.records.values())
    assert world.seal() == 0
    assert not any(record.entries[-1].pending for record in world.entrants.records.values())
    assert verify(world.receipt()) == []


def _played_instant(*, settled: bool = True) -> DrawWorld:
    """Sixty shoppers enter once; every other prize is a mug from the pool."""
    prize = {"prize": "MUG", "title": {"en": "A mug"}, "stock": 100, "odds": "1/2", "reward": {"kind": "digital"}}
    entries = {"per_day": 3, "per_campaign": 9}
    campaign = instant_campaign(prizes=[prize], consolation=None, pity=None, entries=entries)
    world = DrawWorld(campaign, entrants=0)
    assert campaign.luck is not None
    assert campaign.lottery is not None
    judged = Rules(
        campaign.lottery, world.frozen, campaign.luck.tables, Pacing(campaign.lottery, world.frozen, SEED), SEED
    )
    for number in range(60):
        name = campaign.luck.entrant(f"shopper-{number}")
        outcome = take(
            Entrant(name, f"owner{number:07}", "sub"), EntryRequest("000001", world.clock() + number), judged
        )
        assert isinstance(outcome, Taken)
        assert world.entrants.save(world.frozen, None, outcome.entrant)
    if settled:
        world.issue()
    return world


# --- receipts ---


def test_no_receipt_and_no_seed_before_the_draw() -> None:
    world = DrawWorld()
    publish = world.publisher()
    assert publish(world.id) is None
    world.seal()
    assert publish(world.id) is None
    assert publish(world.id, "list.A.0") is None
    world.draw()
    page = publish(world.id)
    assert page is not None
    assert page.receipt["seed"] == SEED.hex()


@pytest.mark.parametrize(
    "cursor", ["", "list", "list.é.0", "list.AA.0", "list.A.x", "list.A.-1", "places.9", "release.0", "x.1"]
)
def test_a_cursor_that_we_never_gave_is_no_cursor(cursor: str) -> None:
    world = DrawWorld()
    world.seal()
    world.draw()
    with pytest.raises(ValueError, match="not a cursor"):
        world.publisher()(world.id, cursor)


def test_pages_have_bounded_rows_and_make_one_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brandday.usecases.publish_receipt.RECORDS", 3)
    world = _played_instant()
    world.seal()
    publish, after, most = world.publisher(), None, 0
    while True:
        page = publish(world.id, after)
        assert page is not None
        most = max(most, len(page.receipt.get("entrants", ())))
        after = page.next
        if after is None:
            break
    assert most == 3
    assert verify(world.receipt()) == []


# --- the dry run ---


def test_a_dry_run_counts_and_tells_nothing_of_the_real_draw() -> None:
    world = DrawWorld(drawn_campaign(1, 3, reserves=4), entrants=12)
    found = world.rehearser()(world.id, world.clock() + MINUTE)
    assert found is not None
    assert (found.entrants, found.tickets, found.prizes) == (12, 24, 4)
    assert (found.winners, found.reserves, found.next, found.seal) == ({"P0": 1, "P1": 3}, 4, "seal", None)
    assert found.due_at == world.campaign.ends_at + SEAL_AFTER_MS
    assert world.draws.parts == {}
    world.seal()
    assert (again := world.rehearser()(world.id, world.clock() + MINUTE)) is not None
    assert (again.next, again.due_at) == ("draw", world.draw_at)
    assert (cut := world.rehearser()(world.id, world.clock())) is not None
    assert (cut.is_complete, cut.winners) == (False, None)


def test_what_has_no_draw_has_no_dry_run() -> None:
    assert DrawWorld(instant_campaign(), entrants=0).rehearser()("lucky-draw", 10**15) is None


def test_the_careless_fake_is_careless() -> None:
    kept, lost = MemoryDraws(), MemoryDraws(careless=True)
    for draws in (kept, lost):
        draws.keep("c", "seal", "one")
    assert (kept.keep("c", "seal", "two"), lost.keep("c", "seal", "two")) == ("one", "two")
