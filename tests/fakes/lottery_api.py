"""The lotteries' HTTP API in front of a world of fakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, Protocol

from brandday.domain.draw import SEAL_AFTER_MS
from brandday.entrypoints import draws, entries
from brandday.entrypoints.draws import DrawUseCases
from brandday.entrypoints.entries import EntryUseCases
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.enter_lottery import EnterLottery, GrantChances
from brandday.usecases.guard_ports import Gate
from brandday.usecases.hold_draw import result_of
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Stock
from brandday.usecases.prove_entry import ProveEntry
from brandday.usecases.publish_receipt import PublishReceipt
from brandday.usecases.seal_draw import SealDraw, sealed
from brandday.usecases.settle_entries import Records, SettleEntries
from tests.events import http_event
from tests.fakes.backend import CLOSES, SALE
from tests.fakes.clock import SettableClock
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.memory_campaigns import MemoryCampaigns
from tests.fakes.memory_draws import MemoryDraws
from tests.http_client import Answered, Client

ENTER = "/v1/campaigns/{campaign_id}/entries"
MINE = "/v1/entries"
ENTRY = "/v1/entries/{entry_id}"
PROOF = "/v1/entries/{entry_id}/proof"
CHANCES = "/v1/campaigns/{campaign_id}/chances"
DRAW = "/v1/campaigns/{campaign_id}/draw"
RECEIPT = "/v1/campaigns/{campaign_id}/draw/receipt"
RULES = "/v1/campaigns/{campaign_id}/rules"


class World(Protocol):
    """What `LotteryBackend` and `DrawWorld` have in common."""

    clock: SettableClock
    campaigns: MemoryCampaigns

    @property
    def entrants(self) -> Entrants: ...

    @property
    def stock(self) -> Stock: ...


@dataclass
class LotteryApi:
    """Both functions of lotteries over one world; every call is one of a cold environment."""

    world: World
    campaign_id: str
    kept: MemoryDraws = field(default_factory=MemoryDraws)
    lines: list[Any] = field(default_factory=list)
    gate: Gate | None = None
    """Who lets shoppers in where a campaign is protected."""

    def call(
        self,
        method: str,
        route: str,
        *,
        shopper: str = "shopper-1",
        scope: str = "shopper",
        key: str | None = "key-1",
        body: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str | None] | None = None,
        claims: dict[str, str] | None = None,
        **path: str,
    ) -> Answered:
        """Ask like API Gateway would; `path` are the ids in the route, the campaign's among them if not said."""
        event = http_event(
            "reserve_units",
            body=body,
            headers={"idempotency-key": key, **(headers or {})},
            claims={"sub": shopper, "scope": scope, "channel": "web", **(claims or {})},
        )
        names = {"campaign_id": self.campaign_id, **path}
        raw_path = route.format(**names)
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path}
        event["pathParameters"] = {name: value for name, value in names.items() if f"{{{name}}}" in route}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        event["requestContext"]["routeKey"] = event["routeKey"]
        event["queryStringParameters"] = query or {}
        if body is None:
            event["body"] = None
        is_public = route in (DRAW, RECEIPT, RULES)
        if is_public:
            del event["requestContext"]["authorizer"]
        if is_public:
            return Client(draws.ROUTES, self.draws(), self.lines).send(event)
        return Client(entries.ROUTES, self.entries(), self.lines).send(event)

    def enter(self, shopper: str = "shopper-1", key: str = "key-1", **changes: Any) -> Answered:
        """Enter."""
        return self.call("POST", ENTER, shopper=shopper, key=key, **changes)

    def get(self, entry_id: str, **changes: Any) -> Answered:
        """Look at an entry."""
        return self.call("GET", ENTRY, entry_id=entry_id, **changes)

    def mine(self, **changes: Any) -> Answered:
        """List one's own entries."""
        return self.call("GET", MINE, query={"campaign_id": self.campaign_id}, **changes)

    def proof(self, entry_id: str, **changes: Any) -> Answered:
        """Prove an entry."""
        return self.call("GET", PROOF, entry_id=entry_id, **changes)

    def grant(self, shopper: str = "shopper-1", grant_id: str = "g-1", chances: int = 1, **changes: Any) -> Answered:
        """Grant earned chances, as the shop does."""
        body = {"id": grant_id, "shopper_id": shopper, "chances": chances, "reason": "share"}
        return self.call("POST", CHANCES, **{"scope": "orders", "shopper": "the-shop", "body": body, **changes})

    def public(self, route: str, **changes: Any) -> Answered:
        """Ask for a public page."""
        return self.call("GET", route, **changes)

    def receipt_pages(self) -> list[Answered]:
        """All pages of the receipt."""
        pages = [self.public(RECEIPT)]
        while pages[-1].body["next"] is not None:
            pages.append(self.public(RECEIPT, query={"after": pages[-1].body["next"]}))
        return pages

    def seal(self) -> None:
        """Seal the list, as the schedule does."""
        live = self._live()
        settle = SettleEntries(LiveLotteries(live, self.world.campaigns), self._records(), self.world.clock)
        seal = SealDraw(self.world.entrants, self.kept, settle, self.world.clock)
        assert seal(live.get(self.campaign_id), self.world.clock() + 1000) is not None

    def entries(self) -> EntryUseCases:
        """A cold environment of EntriesFunction."""
        world, live = self.world, self._live()
        lotteries = LiveLotteries(live, world.campaigns)
        use = EnterLottery(lotteries, world.entrants, self._records(), world.clock, self.gate)
        return EntryUseCases(
            enter_lottery=use.enter,
            get_entry=use.get,
            list_entries=use.list_entries,
            prove_entry=ProveEntry(use.get, self._browse(live).draw, live, world.entrants, self.kept),
            grant_chances=GrantChances(lotteries, world.entrants, world.clock),
        )

    def draws(self) -> DrawUseCases:
        """A cold environment of DrawsFunction."""
        live = self._live()
        browse = self._browse(live)
        return DrawUseCases(
            get_draw=browse.draw,
            get_seal=partial(sealed, self.kept),
            get_result=partial(result_of, self.kept),
            get_receipt=PublishReceipt(live, self.world.entrants, self.kept, self.world.campaigns),
            get_rules=browse.rules,
        )

    def _live(self) -> LiveCampaigns:
        return LiveCampaigns(self.world.campaigns, self.world.clock)

    def _records(self) -> Records:
        return Records(self.world.entrants, self.world.stock)

    def _browse(self, live: LiveCampaigns) -> BrowseCampaigns:
        return BrowseCampaigns(
            live,
            self.world.campaigns,
            self.world.clock,
            seeds=self.world.campaigns.seed,
            draw_held=lambda campaign_id: result_of(self.kept, campaign_id) is not None,
        )


def played_lottery() -> LotteryApi:
    """An instant win of 30 shoppers, over and sealed."""
    prizes = (prize("mug", 7, Fraction(1, 3)), prize("sticker", 9, None))
    api = LotteryApi(LotteryBackend(lottery(*prizes, consolation="sticker")), SALE)
    for number in range(30):
        api.world.clock.advance(7)
        assert api.enter(f"shopper-{number}").status == 201
    api.world.clock.now = CLOSES + SEAL_AFTER_MS
    api.seal()
    return api
