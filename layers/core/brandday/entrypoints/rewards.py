"""What a shopper has won or bought, over HTTP. Every route needs a token with the scope `shopper`.

An answer shows what its owner needs: never what a partner or an operator said about it, and of an address only that
there is one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field

from brandday.domain.errors import RewardClosed
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import RewardStatus
from brandday.domain.reward_view import RewardView
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.address import AddressInput
from brandday.entrypoints.http_input import page_query, read_cursor, read_limit
from brandday.entrypoints.routes import SHOPPER, Answer, Output, Request, Route, Shape
from brandday.usecases.manage_rewards import RewardViews

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class RewardUseCases:
    """What these routes ask for; the first argument is always the token's subject."""

    list_rewards: Callable[[str, int, str | None], RewardViews]
    get_reward: Callable[[str, str], RewardView]
    give_address: Callable[[str, str, Mapping[str, Any]], RewardView]


class ShownStatus(StrEnum):
    """Where a reward is on its way, as its owner is told."""

    PENDING = "pending"
    AWAITING_ADDRESS = "awaiting_address"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    RETURNED = "returned"
    FAILED = "failed"
    FORFEITED = "forfeited"

    @classmethod
    def of(cls, status: RewardStatus) -> Self:
        """The same; that operators look at it first is their business."""
        return cls.PENDING if status is RewardStatus.AWAITING_APPROVAL else cls(status)


class NextStep(StrEnum):
    """What its owner can do next."""

    GIVE_ADDRESS = "give_address"
    WAIT = "wait"
    CONTACT_SHOP = "contact_shop"
    NOTHING = "nothing"


_NEXT: Final = {
    ShownStatus.PENDING: NextStep.WAIT,
    ShownStatus.AWAITING_ADDRESS: NextStep.GIVE_ADDRESS,
    ShownStatus.DISPATCHED: NextStep.WAIT,
    ShownStatus.DELIVERED: NextStep.NOTHING,
    ShownStatus.RETURNED: NextStep.CONTACT_SHOP,
    ShownStatus.FAILED: NextStep.CONTACT_SHOP,
    ShownStatus.FORFEITED: NextStep.NOTHING,
}


class RewardFields(Shape):
    """A reward; times are RFC 3339 in UTC."""

    id: str
    campaign_id: str
    kind: RewardKind
    sku: str
    title: Annotated[dict[str, str], Field(description="By language tag.")]
    quantity: int
    status: ShownStatus
    next: Annotated[NextStep, Field(description="What its owner can do next.")]
    created_at: str
    claim_until: Annotated[
        str | None, Field(description="Until when an address can be given; null: no limit, or none is needed.")
    ]
    has_address: bool
    dispatched_at: Annotated[str | None, Field(description="Only while it is on its way.")]
    delivered_at: str | None
    order_id: str | None

    @classmethod
    def of(cls, view: RewardView) -> Self:
        """The same, on the wire."""
        return cls(**_fields(view))


class RewardBody(RewardFields, Output):
    """One reward."""


class RewardListBody(Output):
    """Rewards of one shopper, the newest first."""

    rewards: list[RewardFields]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


def list_rewards(use_cases: RewardUseCases, request: Request[None]) -> Answer:
    """200 with the shopper's own rewards, the newest first."""
    limit = read_limit(request.query, default=DEFAULT_LIMIT, most=MAX_LIMIT)
    page = use_cases.list_rewards(request.subject, limit, read_cursor(request.query))
    return Answer(RewardListBody(rewards=[RewardFields.of(view) for view in page.items], next=page.next))


def get_reward(use_cases: RewardUseCases, request: Request[None]) -> Answer:
    """200 with the reward."""
    return Answer(RewardBody.of(use_cases.get_reward(request.subject, request.path["reward_id"])))


def give_address(use_cases: RewardUseCases, request: Request[AddressInput]) -> Answer:
    """200 with the reward, which is on its way now.

    The address can be put right in the same way until the reward is being sent, and not after `claim_until`.
    """
    try:
        view = use_cases.give_address(request.subject, request.path["reward_id"], request.body.to_document())
    except RewardClosed as closed:
        shown = ShownStatus.of(RewardStatus(str(closed.params["status"])))
        raise RewardClosed(status=str(shown)) from None
    return Answer(RewardBody.of(view))


def _fields(view: RewardView) -> dict[str, Any]:
    reward = view.reward
    status = ShownStatus.of(reward.status)
    arrived = reward.status is RewardStatus.DELIVERED
    return {
        "id": reward.id,
        "campaign_id": reward.campaign_id,
        "kind": reward.kind,
        "sku": reward.sku,
        "title": dict(view.title),
        "quantity": reward.quantity,
        "status": status,
        "next": _NEXT[status],
        "created_at": to_rfc3339(reward.created_at),
        "claim_until": to_rfc3339_or_none(reward.claim_until),
        "has_address": reward.address is not None,
        "dispatched_at": to_rfc3339_or_none(reward.status_at if reward.status is RewardStatus.DISPATCHED else None),
        "delivered_at": to_rfc3339_or_none((reward.reported_at or reward.status_at) if arrived else None),
        "order_id": reward.order_id,
    }


_ONE: Final = "/v1/rewards/{reward_id}"

ROUTES: Final = (
    Route(
        "GET",
        "/v1/rewards",
        list_rewards,
        "List one's own rewards",
        RewardListBody,
        scope=SHOPPER,
        query=page_query(default=DEFAULT_LIMIT, most=MAX_LIMIT),
    ),
    Route("GET", _ONE, get_reward, "Look at a reward", RewardBody, scope=SHOPPER),
    Route(
        "PUT",
        f"{_ONE}/address",
        give_address,
        "Say where a prize shall be sent",
        RewardBody,
        scope=SHOPPER,
        body=AddressInput,
        errors=(RewardClosed,),
    ),
)
"""The routes of RewardsFunction."""
