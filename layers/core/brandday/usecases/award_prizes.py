"""Hands the prizes of a draw to those who won them, and those that nobody claimed to the next reserves.

A prize is a unit of a pool. It is claimed in the name of the winning ticket, then the win is written into the entrant's
record, from where it becomes a reward. Both can be repeated: at most one unit goes by the name of a ticket, and a
record that says what became of it is left alone.

A prize comes back when its reward was forfeited: first the record, then the unit, then the reward says so, and last the
move is written down, which names the next reserve. Moves are numbered without a gap and each is written once, so two
processes that see different forfeits first agree on one order, and nobody is moved up twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from brandday.domain.draw_record import MOVES, PAGE_ROWS, Move, Place, Result, move_part, read_move, write_move
from brandday.domain.entrant import Fate, Try, parse_entry_id, win
from brandday.domain.entry_protocols import Nothing, Present, claim_prize, claim_request
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.reward import Reward, RewardStatus, units_returned
from brandday.domain.stock import LostRace
from brandday.usecases.draw_ports import DrawDisagrees, Draws
from brandday.usecases.hold_draw import ranked_places
from brandday.usecases.live_lotteries import LiveLotteries, LiveLottery
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Clock, Each
from brandday.usecases.reward_ports import Rewards
from brandday.usecases.settle_entries import Records, ReturnPrizes, plan_claim

WINNERS = "winners"
MOVED = "moves"
AT_ONCE = 100
"""How many prizes are handed out between two looks at the clock."""

PAGE = 100
TRIES = 4
"""How often one award is tried when others write the same shards and records."""


class Awarded(NamedTuple):
    """How many winners have their prize, and how many prizes that came back have gone to a reserve or to nobody.

    `is_done` says that nothing is left to do until another prize comes back.
    """

    winners: int
    moves: int
    is_done: bool


class AwardPrizes:
    """Makes prizes of places."""

    def __init__(
        self,
        lotteries: LiveLotteries,
        entrants: Entrants,
        records: Records,
        draws: Draws,
        rewards: Rewards,
        now: Clock,
        *,
        each: Each = map,
    ) -> None:
        self._lotteries = lotteries
        self._entrants = entrants
        self._records = records
        self._draws = draws
        self._rewards = rewards
        self._now = now
        self._each = each
        self._return_prize = ReturnPrizes(records)

    def __call__(self, campaign_id: str, result: Result, stop_at: int) -> Awarded:
        """Hand out what is not handed out yet, until the time is up (epoch ms).

        DrawDisagrees if there is no unit for a winner; TemporarilyOverloaded if others were faster again and again.
        """
        lottery = self._lotteries.get(campaign_id)
        places = _Places(self._draws, campaign_id)
        done, moved = (self._draws.count(campaign_id, what) for what in (WINNERS, MOVED))
        while done < result.winners:
            if self._now() >= stop_at:
                return Awarded(done, moved, is_done=False)
            batch = [places[number] for number in range(done, min(done + AT_ONCE, result.winners))]
            for _ in self._each(lambda place: self._award(lottery, place), batch):
                pass
            done += len(batch)
            self._draws.mark(campaign_id, WINNERS, done)
        saw_all = self._move_up(lottery, result, places, stop_at)
        for number, move in enumerate(moves_of(self._draws, campaign_id)):
            if number < moved:
                continue
            if self._now() >= stop_at:
                return Awarded(done, moved, is_done=False)
            if move.reserve is not None:
                slot = lottery.rules.slots[move.prize]
                self._award(lottery, places[result.winners + number]._replace(slot=slot))
            moved = number + 1
            self._draws.mark(campaign_id, MOVED, moved)
        return Awarded(done, moved, saw_all)

    def _award(self, lottery: LiveLottery, place: Place) -> None:
        """Claim the unit of a place and write the win down, unless the record says that this was done."""
        if place.slot is None:
            raise ValueError("a reserve has a prize by a move only")
        frozen = lottery.rules.frozen
        for _ in range(TRIES):
            record = self._entrants.load(frozen, place.entrant, consistent=True)
            if record is None or place.ticket > len(record.entries):
                raise DrawDisagrees(f"{place.entrant} was drawn with a ticket that there is no record of")
            entry = record.entries[place.ticket - 1]
            if entry.won is not None:
                return
            request = claim_request(lottery.rules, place.entrant, place.ticket, place.slot, self._now())
            claiming = claim_prize(request, lottery.terms, plan_claim(lottery, request))
            claimed = self._records.drive(claiming, frozen, place.entrant, _asks_nothing)
            if isinstance(claimed, LostRace):
                continue
            if isinstance(claimed, Nothing):
                raise DrawDisagrees(f"no unit is left of the prize that {place.entrant} has won")
            waiting = record.replaced(place.ticket, entry._replace(tries=(Try(place.slot, Fate.PENDING),)))
            after = win(waiting, place.ticket, claimed.shard, claimed.attempt)
            if after is not None and self._entrants.save(frozen, record, after):
                return
        raise TemporarilyOverloaded

    # --- prizes that come back ---

    def _move_up(self, lottery: LiveLottery, result: Result, places: "_Places", stop_at: int) -> bool:
        """Write down a move for every forfeited prize; return whether all were seen before the time was up."""
        campaign_id = lottery.campaign.id
        moves = moves_of(self._draws, campaign_id)
        known = {move.forfeited for move in moves}
        for reward in self._forfeited(campaign_id):
            parsed = parse_entry_id(reward.source)
            if parsed is None or parsed[1] in known:
                continue
            if self._now() >= stop_at:
                return False
            _, entrant, number = parsed
            if not self._return_prize(lottery.live, entrant, number, self._now()):
                raise TemporarilyOverloaded
            self._mark_returned(reward)
            while entrant not in known:
                reserve = places[result.winners + len(moves)].entrant if len(moves) < result.reserves else None
                move = Move(entrant, reward.sku, reserve)
                kept = read_move(self._draws.keep(campaign_id, move_part(len(moves)), write_move(move)))
                moves.append(kept)  # if another process was faster with another prize, this one is the next
                known.add(kept.forfeited)
        return True

    def _forfeited(self, campaign_id: str) -> Iterator[Reward]:
        after = None
        while True:
            page = self._rewards.in_status(campaign_id, RewardStatus.FORFEITED, limit=PAGE, after=after)
            yield from page.rewards
            after = page.next
            if after is None:
                return

    def _mark_returned(self, seen: Reward) -> None:
        reward = self._rewards.get(seen.id)
        after = None if reward is None else units_returned(reward)
        if reward is not None and after is not None and not self._rewards.save(reward, after):
            raise TemporarilyOverloaded


@dataclass
class _Places:
    """The ranking by place, from 0; the page that was read last is kept."""

    draws: Draws
    campaign_id: str
    pages: dict[int, Sequence[Place]] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Place:
        page, at = divmod(number, PAGE_ROWS)
        if page not in self.pages:
            self.pages = {page: ranked_places(self.draws, self.campaign_id, page)}
        return self.pages[page][at]


def moves_of(draws: Draws, campaign_id: str) -> list[Move]:
    """Return all prizes of a draw that came back, in the order in which reserves moved up."""
    return [read_move(text) for _, text in draws.list(campaign_id, MOVES)]


def _asks_nothing(_: object) -> Present:
    raise AssertionError("a claim needs no rules")
