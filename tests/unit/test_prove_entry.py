"""Proving an entry: what there is to show at which moment, how much it reads, and what it refuses to show."""

from dataclasses import replace

import pytest

from brandday.domain.campaign import Shopper
from brandday.domain.entrant import Fate, Try
from brandday.domain.entry_view import EntryOutcome, EntryView
from brandday.domain.errors import EntryNotFound
from brandday.domain.receipt_check import check_proof
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.draw_ports import DrawDisagrees
from brandday.usecases.hold_draw import result_of
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.prove_entry import KEEP_LISTS, ProveEntry
from tests.fakes.draw_world import DrawWorld, drawn_campaign, instant_campaign
from tests.fakes.tap import tapped

ANN = Shopper("shopper-4")


def prover(world: DrawWorld) -> ProveEntry:
    """A cold environment, whose reads the world's tap sees."""
    live = LiveCampaigns(world.campaigns, world.clock)
    browse = BrowseCampaigns(
        live,
        world.campaigns,
        world.clock,
        seeds=world.campaigns.seed,
        draw_held=lambda campaign_id: result_of(world.draws, campaign_id) is not None,
    )
    entrants, draws = tapped(world.entrants, "entrants", world.tap), tapped(world.draws, "draws", world.tap)
    return ProveEntry(lambda shopper, entry_id: view_of(world, shopper, entry_id), browse.draw, live, entrants, draws)


def view_of(world: DrawWorld, shopper: Shopper, entry_id: str) -> EntryView:
    """What `EnterLottery.get` answers."""
    luck, lottery = world.campaign.luck, world.campaign.lottery
    assert luck is not None
    assert lottery is not None
    name, number = luck.entrant(shopper.id), int(entry_id.rpartition(".")[2])
    if f".{name}." not in entry_id:
        raise EntryNotFound
    return EntryView(
        world.id,
        name,
        number,
        world.entrants.records[world.id, name].entries[number - 1],
        EntryOutcome.TICKET,
        luck.tables[0].hash(lottery, luck.frozen),
        luck.frozen.commitment,
        {},
    )


def id_of(world: DrawWorld, shopper: Shopper = ANN, number: int = 1) -> str:
    assert world.campaign.luck is not None
    return f"ent_{world.id}.{world.campaign.luck.entrant(shopper.id)}.{number}"


def published(world: DrawWorld) -> tuple[str, list[str]]:
    """The root and the hashes of tables that everybody knows."""
    seal, luck, lottery = world.sealed(), world.campaign.luck, world.campaign.lottery
    assert seal is not None
    assert luck is not None
    assert lottery is not None
    return seal.root, [table.hash(lottery, luck.frozen) for table in luck.tables]


@pytest.mark.parametrize("shoppers", [5, 6, 300])
@pytest.mark.parametrize("beacon", [False, True])
def test_every_ticket_is_proven_once_the_draw_was_held(shoppers: int, beacon: bool) -> None:
    world = DrawWorld(drawn_campaign(beacon=beacon), entrants=shoppers)
    world.seal()
    world.draw()
    prove = prover(world)
    for number in range(shoppers):
        shopper = Shopper(f"shopper-{number}")
        for ticket in range(1, 2 + number % 3):
            proof = prove(shopper, id_of(world, shopper, ticket))
            assert check_proof(vars_of(proof), *published(world)) == []


def vars_of(proof: object) -> dict[str, object]:
    return {name: getattr(proof, name) for name in ("facts", "row", "path", "root", "seed", "randomness", "luck")}


def test_nothing_but_facts_before_the_seal_and_no_luck_before_the_draw() -> None:
    world = DrawWorld(drawn_campaign(beacon=True))
    prove = prover(world)
    running = prove(ANN, id_of(world))
    assert (running.row, running.path, running.root, running.seed, running.luck) == (None,) * 5
    world.seal()
    sealed = prove(ANN, id_of(world))
    assert sealed.root == published(world)[0]
    assert sealed.path is not None
    assert (sealed.seed, sealed.randomness, sealed.luck) == (None, None, None)
    world.draw()
    assert prove(ANN, id_of(world)).seed is not None


def test_somebody_elses_entry_is_not_looked_for() -> None:
    world = DrawWorld()
    world.seal()
    world.tap.calls.clear()
    with pytest.raises(EntryNotFound):
        prover(world)(Shopper("shopper-5"), id_of(world))
    assert world.tap.calls == []


def test_one_bucket_is_read_and_the_list_only_once() -> None:
    """GIVEN a sealed list of 300 WHEN two entries are proven THEN each reads its own bucket, and the roots are kept."""
    world = DrawWorld(entrants=300)
    world.seal()
    world.draw()
    prove = prover(world)
    world.tap.calls.clear()
    prove(ANN, id_of(world))
    first = sorted(world.tap.calls)
    assert first == ["draws.list", "draws.read", "draws.read", "entrants.bucket"]  # the seal and the result
    world.tap.calls.clear()
    prove(ANN, id_of(world))
    assert sorted(world.tap.calls) == ["draws.read", "entrants.bucket"]


def test_few_lists_are_kept() -> None:
    world = DrawWorld()
    world.seal()
    prove = prover(world)
    for number in range(KEEP_LISTS):
        prove._lists[f"other-{number}"] = ("", ())
    prove(ANN, id_of(world))
    assert len(prove._lists) == KEEP_LISTS
    assert world.id in prove._lists


@pytest.mark.parametrize("shopper", ["shopper-4", "another"])
def test_records_that_are_not_those_of_the_seal_prove_nothing(shopper: str) -> None:
    """GIVEN a sealed list WHEN a record of the bucket has one ticket more, or is new THEN there is no proof."""
    world = DrawWorld(entrants=300)
    world.seal()
    bucket = id_of(world).partition(".")[2][0]
    if shopper == "another":
        late = (f"late-{number}" for number in range(10_000))
        assert world.campaign.luck is not None
        luck = world.campaign.luck
        world.enter(next(name for name in late if luck.entrant(name)[0] == bucket), 1)
    else:
        record = world.entrants.records[world.id, id_of(world).split(".")[1]]
        world.entrants.records[world.id, record.name] = replace(record, entries=(*record.entries, record.entries[-1]))
    with pytest.raises(DrawDisagrees, match="bucket"):
        prover(world)(ANN, id_of(world))


def test_a_prize_that_went_back_after_the_seal_leaves_the_proof_as_it_was() -> None:
    """GIVEN a sealed instant win WHEN a prize is returned later THEN the row is still the one that was sealed."""
    world = DrawWorld(instant_campaign(), entrants=40)
    record = world.entrants.records[world.id, id_of(world).split(".")[1]]
    at = record.entries[0].at
    won = record.entries[0]._replace(tries=(Try("0", Fate.WON, at, 0),))
    world.entrants.records[world.id, record.name] = record.replaced(1, won)
    world.seal()
    before = prover(world)(ANN, id_of(world))
    assert check_proof(vars_of(before), *published(world)) == []
    back = won._replace(tries=(Try("0", Fate.RETURNED, at, 0, world.clock() + 1),))
    world.entrants.records[world.id, record.name] = record.replaced(1, back)
    assert prover(world)(ANN, id_of(world)) == before
