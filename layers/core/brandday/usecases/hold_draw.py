"""Holds a draw: ranks the sealed tickets, once, and stores who won.

Nothing here is random when it runs. The seed was fixed at publication, the list by its seal, the beacon's round by its
number; so whoever draws again, after a crash or next to somebody else, comes to the same ranking, and what is stored is
never another one. Memory: the places of the ranking, one page and one bucket of the list.
"""

from collections.abc import Iterator
from itertools import batched, chain, groupby, repeat

from brandday.domain.beacon import out_at
from brandday.domain.draw import Bucket, Ranked, Tickets, rank, root, ticket_leaf
from brandday.domain.draw_record import (
    BEACON,
    PAGE_ROWS,
    RANKED,
    RESULT,
    Group,
    Place,
    Result,
    Seal,
    is_same_result,
    is_same_seal,
    list_part,
    pages_of,
    place_part,
    ranked_part,
    ranking_hash,
    ranking_part,
    read_places,
    read_randomness,
    read_result,
    read_tickets,
    seal_of,
    slots_by_rank,
    write_places,
    write_randomness,
    write_result,
)
from brandday.domain.layout import SLOTS
from brandday.domain.lottery import Draw, Frozen, Lottery
from brandday.domain.luck import commitment, draw_seed
from brandday.domain.receipt import Randomness
from brandday.usecases.draw_ports import Beacons, DrawDisagrees, Draws
from brandday.usecases.live_campaigns import LiveCampaign
from brandday.usecases.lottery_ports import Seeds
from brandday.usecases.ports import Clock
from brandday.usecases.seal_draw import groups_of, lottery_of


class HoldDraw:
    """Makes the result of a draw."""

    def __init__(self, draws: Draws, seeds: Seeds, beacons: Beacons, now: Clock) -> None:
        self._draws = draws
        self._seeds = seeds
        self._beacons = beacons
        self._now = now

    def __call__(self, live: LiveCampaign, seal: Seal, stop_at: int) -> Result | None:
        """Return the result; None if it is not time yet, or if the time was up (epoch ms) before all were ranked.

        RoundMissing as long as the beacon's round is not there; DrawDisagrees if the stored list or ranking is not the
        one that the seal, the seed and the round make.
        """
        lottery, frozen = lottery_of(live)
        there = result_of(self._draws, frozen.campaign_id)
        if there is not None or lottery.draw is None or self._now() < due_at(lottery.draw):
            return there
        groups = groups_of(self._draws, frozen.campaign_id)
        if not is_same_seal(seal_of(groups, seal.sealed_at), seal):
            raise DrawDisagrees(f"the stored list does not have the root {seal.root} that was sealed")
        randomness = self._randomness(frozen, lottery.draw)
        seed = draw_seed(self._seed(frozen), None if randomness is None else randomness.value)
        ranking = self._ranking(frozen, seed, groups, places_of(lottery), stop_at)
        return None if ranking is None else self._keep(lottery, frozen, seal, randomness, ranking)

    def _seed(self, frozen: Frozen) -> bytes:
        seed = self._seeds.seed(frozen.campaign_id)
        if seed is None or commitment(seed) != frozen.commitment:
            raise DrawDisagrees("the stored seed is not the one that was promised")
        return seed

    def _randomness(self, frozen: Frozen, draw: Draw) -> Randomness | None:
        if draw.beacon is None:
            return None
        text = self._draws.read(frozen.campaign_id, BEACON)
        if text is None:
            fetched = self._beacons.fetch(draw.beacon)
            text = self._draws.keep(frozen.campaign_id, BEACON, write_randomness(fetched))
        kept = read_randomness(text)
        if not self._beacons.is_genuine(draw.beacon, kept):
            raise DrawDisagrees(f"the stored round of the beacon is not round {draw.beacon.round}")
        return kept

    def _ranking(
        self, frozen: Frozen, seed: bytes, groups: list[Group], places: int, stop_at: int
    ) -> list[Ranked] | None:
        done, best = self._left_off(frozen)

        def tickets() -> Iterator[Tickets]:
            nonlocal done
            yield from best
            for group in groups[done:]:
                if self._now() >= stop_at:
                    return
                yield from self._tickets(frozen, group)
                done += 1

        ranking = rank(seed, frozen.campaign_id, tickets(), places)
        if done < len(groups):
            self._leave_off(frozen, done, ranking)
            return None
        return ranking

    def _tickets(self, frozen: Frozen, group: Group) -> Iterator[Tickets]:
        """Yield a group's tickets, each bucket after it was seen to have the root that was sealed."""
        pages = (self._page(frozen, list_part(group.name, page)) for page in range(group.pages))
        rows = groupby(chain.from_iterable(pages), lambda row: row.entrant[: frozen.bucket_chars])
        left = list(reversed(group.buckets))
        for name, found in rows:
            bucket = list(found)
            if not left or Bucket(name, root(map(ticket_leaf, bucket)), len(bucket)) != left.pop():
                raise DrawDisagrees(f"the stored bucket {name} of the list is not the one that was sealed")
            yield from bucket
        if left:
            raise DrawDisagrees(f"the bucket {left[-1].name} of the list is missing")

    def _keep(
        self, lottery: Lottery, frozen: Frozen, seal: Seal, randomness: Randomness | None, ranking: list[Ranked]
    ) -> Result:
        winners = min(len(ranking), sum(prize.stock for prize in lottery.prizes))
        slots = chain(slots_by_rank(lottery.prizes, SLOTS), repeat(None))
        places = [Place(each.entrant, each.ticket, slot) for each, slot in zip(ranking, slots, strict=False)]
        for number, page in enumerate(batched(places, PAGE_ROWS, strict=False)):
            text = write_places(page)
            if self._draws.keep(frozen.campaign_id, place_part(number), text) != text:
                raise DrawDisagrees(f"page {number} of the ranking is not what was drawn before")
        result = Result(
            seal.root, ranking_hash(places), winners, len(places) - winners, randomness, drawn_at=self._now()
        )
        kept = read_result(self._draws.keep(frozen.campaign_id, RESULT, write_result(result)))
        if not is_same_result(result, kept):
            raise DrawDisagrees(f"the ranking has the hash {result.hash}, but {kept.hash} was drawn before")
        return kept

    # --- a ranking that is not finished ---

    def _leave_off(self, frozen: Frozen, done: int, best: list[Ranked]) -> None:
        pages = 0
        for pages, text in enumerate(pages_of(best), 1):
            self._draws.keep(frozen.campaign_id, ranked_part(done, pages - 1), text)
        self._draws.keep(frozen.campaign_id, ranking_part(done), str(pages))

    def _left_off(self, frozen: Frozen) -> tuple[int, list[Tickets]]:
        """Return how many groups were ranked, and the best of them.

        Each comes with as many tickets as it takes to have the one that counts: the lowest key is still the same.
        """
        heads = list(self._draws.list(frozen.campaign_id, RANKED))
        if not heads:
            return 0, []
        name, pages = heads[-1]
        done = int(name.removeprefix(RANKED))
        return done, [row for page in range(int(pages)) for row in self._page(frozen, ranked_part(done, page))]

    def _page(self, frozen: Frozen, part: str) -> list[Tickets]:
        text = self._draws.read(frozen.campaign_id, part)
        if text is None:
            raise DrawDisagrees(f"{part} is missing")
        return read_tickets(text)


def due_at(draw: Draw) -> int:
    """Return when a draw can be held, in epoch ms: at its time, or when the beacon's round is out."""
    return draw.at if draw.beacon is None else max(draw.at, out_at(draw.beacon))


def places_of(lottery: Lottery) -> int:
    """Return how many places are ranked: one per unit of a prize, and the reserves."""
    reserves = 0 if lottery.draw is None else lottery.draw.reserves
    return sum(prize.stock for prize in lottery.prizes) + reserves


def result_of(draws: Draws, campaign_id: str) -> Result | None:
    """Return the result of a draw, if it was held."""
    text = draws.read(campaign_id, RESULT)
    return None if text is None else read_result(text)


def ranked_places(draws: Draws, campaign_id: str, page: int) -> list[Place]:
    """Return a page of the ranking of a draw that was held."""
    text = draws.read(campaign_id, place_part(page))
    if text is None:
        raise DrawDisagrees(f"page {page} of the ranking is missing")
    return read_places(text)
