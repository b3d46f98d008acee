"""Entries in lotteries over HTTP: a shopper enters, looks, and checks; the shop's backend grants earned chances."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from brandday.domain.campaign import Shopper
from brandday.domain.entrant import MAX_CHANCES, Fate
from brandday.domain.entries_left import EntriesLeft
from brandday.domain.entry_view import Entered, EntriesView, EntryOutcome, EntryView
from brandday.domain.errors import (
    CampaignEnded,
    CampaignNotFound,
    ChancesExhausted,
    EntryLimitReached,
    IdempotencyKeyReused,
    WrongMechanic,
)
from brandday.domain.receipt import entry_facts
from brandday.domain.times import to_rfc3339
from brandday.domain.visit import Visit
from brandday.entrypoints.routes import ID_FORMS, SHOPPER, Answer, Input, Output, Request, Route, Shape, can_be
from brandday.entrypoints.shopper import shopper_of
from brandday.entrypoints.visit import AT_THE_CLAIM, NOT_LET_IN, visit_of
from brandday.usecases.prove_entry import EntryProof

ORDERS: Final = "orders"
SUBJECT_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class EntryUseCases:
    """What these routes ask for; entering and granting can be repeated without a second effect.

    enter_lottery(shopper, campaign id, Idempotency-Key, visit); get_entry and prove_entry(shopper, entry id);
    list_entries(shopper, campaign id); grant_chances(campaign id, shopper id, grant id, chances), which tells whether
    that was done before.
    """

    enter_lottery: Callable[[Shopper, str, str, Visit], Entered]
    get_entry: Callable[[Shopper, str], EntryView]
    list_entries: Callable[[Shopper, str], EntriesView]
    prove_entry: Callable[[Shopper, str], EntryProof]
    grant_chances: Callable[[str, str, str, int], bool]


class Side(StrEnum):
    """Where the other node is."""

    LEFT = "left"
    RIGHT = "right"


type Reason = Literal["check_in", "share", "purchase", "other"]
"""What a shopper did to earn chances."""


class GrantChancesBody(Input):
    """Chances that a shopper has earned."""

    id: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="The grantor's own id of this; each counts once."),
    ]
    shopper_id: Annotated[
        str, Field(min_length=1, max_length=SUBJECT_LENGTH, description="Whose they are: the `sub` of their tokens.")
    ]
    chances: Annotated[int, Field(ge=1, le=MAX_CHANCES)]
    reason: Annotated[Reason, Field(description="What they were earned by. It decides nothing.")] = "other"


class EntryPrizeBody(Shape):
    """A prize; `title` by language tag."""

    id: str
    title: dict[str, str]


class TryBody(Shape):
    """One prize that the entry could have had, and what became of it."""

    prize: str
    fate: Annotated[Fate, Field(description="Why it was not won, if it was not.")]


class FactsBody(Shape):
    """Keep this: after the end, it is what the published receipt has to say about the entry."""

    entry: str
    at: Annotated[int, Field(description="When it was taken, in epoch ms.")]
    table: Annotated[int, Field(description="The version of the prize table it was judged by.")]
    table_hash: str
    commitment: Annotated[str, Field(description="SHA-256 of the seed, in hex.")]


class EntryFields(Shape):
    """An entry as its owner sees it; times are RFC 3339 in UTC."""

    id: str
    campaign_id: str
    number: Annotated[int, Field(description="Which of the shopper's entries in this campaign it is, from 1.")]
    entered_at: str
    table_version: Annotated[int, Field(description="The version of the prize table it was judged by.")]
    state: Annotated[EntryOutcome, Field(description="`pending`: its luck is fixed, its prize is being fetched.")]
    prize: Annotated[EntryPrizeBody | None, Field(description="What it won.")]
    consolation: Annotated[bool, Field(description="Whether the prize is what everybody gets who wins nothing else.")]
    reward_id: Annotated[str | None, Field(description="Where a prize can be followed; it may come a moment later.")]
    chain: Annotated[list[TryBody], Field(description="The prizes in question, in order, up to the one that was won.")]
    facts: FactsBody

    @classmethod
    def of(cls, view: EntryView, **fields: Any) -> Self:
        """The same, on the wire."""
        entry, prize = view.entry, view.prize
        return cls(
            id=view.id,
            campaign_id=view.campaign_id,
            number=view.number,
            entered_at=to_rfc3339(entry.at),
            table_version=entry.version,
            state=view.outcome,
            prize=None if prize is None else EntryPrizeBody(id=prize, title=dict(view.title or {"en": prize})),
            consolation=view.is_consolation,
            reward_id=view.reward_id,
            chain=[TryBody(prize=view.slots[link.slot], fate=link.fate) for link in entry.tries],
            facts=FactsBody(**facts_of(view)),
            **fields,
        )


class LeftBody(Shape):
    """How many entries are left, earned chances among them."""

    today: int
    in_all: Annotated[int, Field(description="Until the end, if none of a day's are let go by.")]
    next_at: Annotated[str | None, Field(description="When the next day brings some; null: it does not.")]

    @classmethod
    def of(cls, left: EntriesLeft) -> Self:
        """The same, on the wire."""
        next_at = None if left.next_at is None else to_rfc3339(left.next_at)
        return cls(today=left.today, in_all=left.in_all, next_at=next_at)


class EntryBody(EntryFields, Output):
    """One entry."""


class EnteredBody(EntryFields, Output):
    """An entry that was taken, and what is left now."""

    entries_left: LeftBody


class EntryListBody(Output):
    """All entries of one shopper in one campaign, the first one first."""

    entries: list[EntryFields]
    entries_left: LeftBody
    earned: Annotated[int, Field(description="Earned chances, used or not.")]


class ProofBody(Output):
    """What the receipt has to say about an entry, and the way from it to the published root; hashes in hex.

    `row`, `path` and `root` are null until the list is sealed, `seed` and `luck` until the seed is shown.
    """

    facts: FactsBody
    seed: str | None
    randomness: Annotated[str | None, Field(description="Of the beacon's round, if a draw is bound to one.")]
    luck: Annotated[str | None, Field(description="The roll of an instant win, or the rank key of a ticket.")]
    row: Annotated[list[Any] | None, Field(description="The entrant in the list; its hash is the leaf.")]
    path: Annotated[
        list[tuple[Side, str]] | None,
        Field(description="The other nodes from the leaf up, with their sides."),
    ]
    root: Annotated[str | None, Field(description="Must be the root that is published for everybody.")]


class ChancesBody(Output):
    """Chances that were granted."""

    id: str
    campaign_id: str
    chances: int
    reason: Reason


def enter_lottery(use_cases: EntryUseCases, request: Request[None]) -> Answer:
    """201 with the entry and what it won, or with the same one again."""
    campaign_id = request.path["campaign_id"]
    entered = use_cases.enter_lottery(shopper_of(request), campaign_id, request.idempotency_key, visit_of(request))
    entry = entered.entry
    return Answer(
        EnteredBody.of(entry, entries_left=LeftBody.of(entered.left)),
        headers={"Location": f"/v1/entries/{entry.id}", **_replayed(is_replay=entered.replayed)},
    )


def list_entries(use_cases: EntryUseCases, request: Request[None]) -> Answer:
    """200 with the shopper's own entries in a campaign, and how many are left."""
    campaign_id = request.query["campaign_id"]
    if not can_be("campaign_id", campaign_id):
        raise CampaignNotFound
    view = use_cases.list_entries(shopper_of(request), campaign_id)
    return Answer(
        EntryListBody(
            entries=[EntryFields.of(entry) for entry in view.entries],
            entries_left=LeftBody.of(view.left),
            earned=view.earned,
        )
    )


def get_entry(use_cases: EntryUseCases, request: Request[None]) -> Answer:
    """200 with the entry as it is now."""
    return Answer(EntryBody.of(use_cases.get_entry(shopper_of(request), request.path["entry_id"])))


def prove_entry(use_cases: EntryUseCases, request: Request[None]) -> Answer:
    """200 with the facts of the entry and, once the lottery is over, with the proof that they were kept."""
    return Answer(ProofBody(**asdict(use_cases.prove_entry(shopper_of(request), request.path["entry_id"]))))


def grant_chances(use_cases: EntryUseCases, request: Request[GrantChancesBody]) -> Answer:
    """200 with the chances, however often the same ones are granted: each `id` counts once for a shopper."""
    campaign_id, body = request.path["campaign_id"], request.body
    replayed = use_cases.grant_chances(campaign_id, body.shopper_id, body.id, body.chances)
    return Answer(
        ChancesBody(id=body.id, campaign_id=campaign_id, chances=body.chances, reason=body.reason),
        headers=_replayed(is_replay=replayed),
    )


def facts_of(view: EntryView) -> dict[str, Any]:
    """What is to be kept of an entry."""
    return entry_facts(view.campaign_id, view.entrant, view.number, view.entry, view.table_hash, view.commitment)


def _replayed(*, is_replay: bool) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if is_replay else {}


_CAMPAIGN_ID: Final = ID_FORMS["campaign_id"][0]
_REPLAYED_HEADER: Final = {"Idempotent-Replayed": "`true` when this request was answered before."}
_ONE: Final = "/v1/entries/{entry_id}"

ROUTES: Final = (
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}/entries",
        enter_lottery,
        "Enter a lottery",
        EnteredBody,
        scope=SHOPPER,
        statuses=(201,),
        needs_key=True,
        headers={"Location": "Where the entry is.", **_REPLAYED_HEADER},
        shows=AT_THE_CLAIM,
        errors=(
            WrongMechanic,
            *NOT_LET_IN,
            EntryLimitReached,
        ),
    ),
    Route(
        "GET",
        "/v1/entries",
        list_entries,
        "List one's own entries in a campaign",
        EntryListBody,
        scope=SHOPPER,
        query={"campaign_id": (Annotated[str, Field(pattern=f"^{_CAMPAIGN_ID}$")], "The lottery's campaign.")},
        needs_query=("campaign_id",),
        errors=(CampaignNotFound, WrongMechanic),
    ),
    Route("GET", _ONE, get_entry, "Look at an entry", EntryBody, scope=SHOPPER),
    Route("GET", f"{_ONE}/proof", prove_entry, "Prove that an entry was treated as promised", ProofBody, scope=SHOPPER),
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}/chances",
        grant_chances,
        "Grant a shopper earned chances",
        ChancesBody,
        scope=ORDERS,
        body=GrantChancesBody,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(WrongMechanic, CampaignEnded, ChancesExhausted, IdempotencyKeyReused),
    ),
)
"""The routes of EntriesFunction."""
