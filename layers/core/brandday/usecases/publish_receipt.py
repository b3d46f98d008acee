"""The receipt of a lottery, page by page: of a draw once it was held, of an instant win once its list is sealed.

Only then is the seed shown. No page takes more memory than its own rows, however long the list is.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from brandday.domain.draw_record import (
    ALPHABET,
    PAGE_ROWS,
    Group,
    Place,
    Result,
    Seal,
    as_sealed,
    bucket_names,
    group_part,
    list_part,
    read_group,
    read_tickets,
)
from brandday.domain.entrant import entry_id
from brandday.domain.layout import SLOTS
from brandday.domain.lottery import LotteryMode
from brandday.domain.luck import draw_seed, ticket_key
from brandday.domain.pacing import release_steps
from brandday.domain.receipt import FORMAT, record_row, ticket_row
from brandday.domain.receipt_page import ReceiptPage
from brandday.usecases.award_prizes import moves_of
from brandday.usecases.draw_ports import DrawDisagrees, Draws
from brandday.usecases.hold_draw import ranked_places, result_of
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.lottery_ports import Entrants, Seeds
from brandday.usecases.seal_draw import lottery_of, sealed, sealed_from

RECORDS = 500
"""Entrants of an instant win on a page: 40 entries each are 2 MB."""

_RELEASE, _LIST, _PLACES, _MOVES = "release", "list", "places", "moves"


class PublishReceipt:
    """Reads the pages of receipts."""

    def __init__(self, campaigns: LiveCampaigns, entrants: Entrants, draws: Draws, seeds: Seeds) -> None:
        self._campaigns = campaigns
        self._entrants = entrants
        self._draws = draws
        self._seeds = seeds

    def __call__(self, campaign_id: str, after: str | None = None) -> ReceiptPage | None:
        """Return a page: the first one, or the one that another has named as its `next`.

        None as long as there is no receipt, and for campaigns that are no lotteries; CampaignNotFound; ValueError if
        `after` is not from one of our pages.
        """
        live = self._campaigns.get(campaign_id)
        seal = None if live.campaign.luck is None else sealed(self._draws, campaign_id)
        if seal is None:
            return None
        lottery, _ = lottery_of(live)
        result = result_of(self._draws, campaign_id) if lottery.mode is LotteryMode.DRAW else None
        seed = self._seeds.seed(campaign_id)
        if seed is None or (lottery.mode is LotteryMode.DRAW and result is None):
            return None
        if after is None:
            return self._head(live, seal, seed, result)
        what, _, where = after.partition(".")
        match what:
            case "release" if result is None:
                return self._release(live, seed, _number(where, len(lottery.prizes)))
            case "list" if result is not None:
                name, _, page = where.partition(".")
                return self._tickets(live, result, name, page)
            case "list":
                name, _, last = where.partition(".")
                return self._records(live, name, last)
            case "places" if result is not None:
                return self._places(live, seed, result, _number(where, result.pages))
            case "moves" if result is not None:
                return self._moves(campaign_id)
        raise ValueError("not a cursor")

    def _head(self, live: LiveCampaign, seal: Seal, seed: bytes, result: Result | None) -> ReceiptPage:
        lottery, frozen = lottery_of(live)
        tables = () if live.campaign.luck is None else live.campaign.luck.tables
        randomness = None if result is None else result.randomness
        head: dict[str, Any] = {
            "format": FORMAT,
            "campaign": frozen.campaign_id,
            "seed": seed.hex(),
            "beacon": randomness and {"randomness": randomness.value.hex(), "signature": randomness.signature.hex()},
            "tables": [
                {"hash": table.hash(lottery, frozen), "table": table.document(lottery, frozen)} for table in tables
            ],
            "release": {},
            "sealed": {"root": seal.root, "entrants": seal.entrants, "entries": seal.entries, "buckets": []},
            "entrants": [],
        }
        if result is None:
            return ReceiptPage(head, f"{_RELEASE}.0")
        return ReceiptPage(head | {"winners": [], "reserves": [], "moved_up": []}, f"{_LIST}.{ALPHABET[0]}.0")

    def _release(self, live: LiveCampaign, seed: bytes, number: int) -> ReceiptPage:
        lottery, frozen = lottery_of(live)
        prize = lottery.prizes[number]
        steps = [list(step) for step in release_steps(prize, frozen, seed)]
        is_last = number + 1 == len(lottery.prizes)
        following = f"{_LIST}.{ALPHABET[0]}." if is_last else f"{_RELEASE}.{number + 1}"
        return ReceiptPage({"release": {prize.id: steps}}, following)

    # --- the list ---

    def _tickets(self, live: LiveCampaign, result: Result, name: str, page: str) -> ReceiptPage:
        group = self._group(live, name)
        number = _number(page, max(group.pages, 1))
        rows = []
        if group.pages:
            text = self._draws.read(live.campaign.id, list_part(name, number))
            if text is None:
                raise DrawDisagrees(f"page {number} of {name} is missing in the list")
            rows = list(map(ticket_row, read_tickets(text)))
        if number + 1 < group.pages:
            following = f"{_LIST}.{name}.{number + 1}"
        elif name != ALPHABET[-1]:
            following = f"{_LIST}.{_next(name)}.0"
        else:
            following = f"{_PLACES}.0" if result.pages else _MOVES
        return ReceiptPage(_rows(rows, group if number == 0 else None), following)

    def _records(self, live: LiveCampaign, name: str, last: str) -> ReceiptPage:
        group = self._group(live, name)
        slots, at = live.layout.skus, sealed_from(live)
        records = (as_sealed(record, at) for record in self._after(live, name, last))
        rows = [record_row(record, slots) for record in islice(records, RECORDS)]
        following = None if name == ALPHABET[-1] else f"{_LIST}.{_next(name)}."
        if len(rows) == RECORDS:
            following = f"{_LIST}.{name}.{rows[-1]['entrant']}"
        return ReceiptPage(_rows(rows, None if last else group), following)

    def _after(self, live: LiveCampaign, name: str, last: str) -> Iterator[Any]:
        _, frozen = lottery_of(live)
        if last and not last.startswith(name):
            raise ValueError("not a cursor")
        for bucket in bucket_names(name, frozen.bucket_chars):
            if bucket >= last[: frozen.bucket_chars]:
                for record in self._entrants.bucket(frozen, bucket):
                    if record.name > last and record.entries:
                        yield record

    def _group(self, live: LiveCampaign, name: str) -> Group:
        if len(name) != 1 or name not in ALPHABET:
            raise ValueError("not a cursor")
        text = self._draws.read(live.campaign.id, group_part(name))
        if text is None:
            raise DrawDisagrees(f"the group {name} of the list is missing")
        return read_group(text)

    # --- the ranking ---

    def _places(self, live: LiveCampaign, seed: bytes, result: Result, page: int) -> ReceiptPage:
        lottery, frozen = lottery_of(live)
        ranking_seed = draw_seed(seed, None if result.randomness is None else result.randomness.value)
        prizes = {slot: prize.id for slot, prize in zip(SLOTS, lottery.prizes, strict=False)}
        winners: list[dict[str, Any]] = []
        reserves: list[dict[str, Any]] = []
        first = page * PAGE_ROWS + 1
        for rank, place in enumerate(ranked_places(self._draws, frozen.campaign_id, page), first):
            row = _place_row(frozen.campaign_id, ranking_seed, rank, place)
            if place.slot is None:
                reserves.append(row)
            else:
                winners.append({**row, "prize": prizes[place.slot]})
        following = f"{_PLACES}.{page + 1}" if page + 1 < result.pages else _MOVES
        return ReceiptPage({"winners": winners, "reserves": reserves}, following)

    def _moves(self, campaign_id: str) -> ReceiptPage:
        moves = moves_of(self._draws, campaign_id)
        return ReceiptPage({"moved_up": [move._asdict() for move in moves if move.reserve is not None]}, None)


def _place_row(campaign_id: str, seed: bytes, rank: int, place: Place) -> dict[str, Any]:
    key = ticket_key(seed, entry_id(campaign_id, place.entrant, place.ticket))
    return {"rank": rank, "entrant": place.entrant, "ticket": place.ticket, "key": key.hex()}


def _rows(rows: list[dict[str, Any]], group: Group | None) -> Mapping[str, Any]:
    if group is None:
        return {"entrants": rows}
    buckets = [
        {"bucket": bucket.name, "root": bucket.root.hex(), "entrants": bucket.entrants} for bucket in group.buckets
    ]
    return {"entrants": rows, "sealed": {"buckets": buckets}}


def _next(name: str) -> str:
    return ALPHABET[ALPHABET.index(name) + 1]


def _number(text: str, below: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < below):
        raise ValueError("not a cursor")
    return int(text)
