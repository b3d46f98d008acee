"""Everything the product can refuse, as exceptions: each one a fact, each with one stable wire code.

    BrandDayError
    ├── RequestRefused                  the request itself is wrong: send another one
    │   ├── MalformedJson               400
    │   ├── IdempotencyKeyMissing       400
    │   ├── RouteNotFound               404
    │   ├── MethodNotAllowed            405
    │   ├── BodyTooLarge                413
    │   ├── ValidationFailed            422
    │   └── IdempotencyKeyReused        422
    ├── AccessRefused                   the caller may not do this
    │   ├── Unauthenticated             401
    │   ├── SignatureInvalid            401
    │   ├── ShopSignalsInvalid          401
    │   ├── Forbidden                   403
    │   ├── SecondPersonRequired        403
    │   └── NotEligible                 403
    ├── AdmissionRefused                the campaign's gate lets nobody through like this
    │   ├── TicketInvalid               403
    │   ├── ChallengeRequired           403
    │   ├── SignalMissing               403
    │   ├── NotAdmitted                 403
    │   ├── LimitReached                409
    │   └── RateLimited                 429
    ├── NotFound                        there is no such thing, or it is not yours: the two look the same
    │   ├── CampaignNotFound            404
    │   ├── ReservationNotFound         404
    │   ├── CouponNotFound              404
    │   ├── RewardNotFound              404
    │   ├── EntryNotFound               404
    │   ├── RedemptionNotFound          404
    │   ├── CouponJobNotFound           404
    │   ├── QueueNotFound               404
    │   ├── CaseNotFound                404
    │   └── ListingNotFound             404
    ├── CampaignClosed                  the campaign does not offer this, or not at this moment
    │   ├── CampaignNotStarted          409
    │   ├── CampaignPaused              409
    │   ├── CampaignEnded               409
    │   ├── CampaignNotPublished        409
    │   ├── WrongMechanic               409
    │   ├── NoTicketNeeded              409
    │   └── NoChallengeNeeded           409
    ├── StockRefused                    no unit for this shopper
    │   ├── SoldOut                     409
    │   ├── AllHeld                     409
    │   └── ShopperLimitReached         409
    ├── ReservationRefused              the reservation is not in a state that allows this
    │   ├── ReservationExpired          409
    │   ├── ReservationReleased         409
    │   ├── ReservationAlreadyConfirmed 409
    │   └── HoldNotExtendable           409
    ├── CouponRefused                   the coupon cannot be used like this
    │   ├── CouponNotStarted            409
    │   ├── CouponExpired               409
    │   ├── CouponDisabled              409
    │   ├── CouponRedeemed              409
    │   ├── CouponExhausted             409
    │   ├── CouponLocked                409
    │   ├── CouponsHandedOut            409
    │   ├── CurrencyNotAccepted         409
    │   ├── NoMatchingItems             409
    │   ├── MinimumSpendNotReached      409
    │   └── NotCombinable               409
    ├── RedemptionRefused               the redemption is not in a state that allows this
    │   ├── RedemptionExpired           409
    │   └── RedemptionClosed            409
    ├── RewardRefused                   the reward is not in a state that allows this
    │   ├── RewardClosed                409
    │   └── RewardNotWaiting            409
    ├── LotteryRefused                  the lottery does not allow this, or not yet
    │   ├── EntryLimitReached           409
    │   ├── ChancesExhausted            409
    │   └── ReceiptNotReady             409
    ├── OperatorRefused                 an operator's act does not fit what is there
    │   ├── CampaignChangeRefused       409
    │   ├── CampaignConflict            409
    │   ├── RestockConflict             409
    │   ├── CouponsExceeded             409
    │   └── CouponJobConflict           409
    └── ServiceRefused                  our side: the same request may work later
        ├── InternalError               500
        └── TemporarilyOverloaded       503

The texts shown to people (English and Simplified Chinese) are in `messages.py`; a test walks this tree and
fails when an error has no text, no documentation in `docs/api.md`, or no place in the drawing above.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, NamedTuple

type Param = str | int | bool | tuple[str, ...] | None


class FieldError(NamedTuple):
    """One place in the input that is wrong.

    `pointer` is a JSON pointer into the body (`/quantity`; `""` is the whole body), `header:Name` for a header or
    `query:name` for a query parameter. `rule` names the broken rule and selects the text in `messages.py`; `params`
    are the values that text mentions. Never put the refused value itself into `params`: it may be a secret.
    """

    pointer: str
    rule: str
    params: Mapping[str, Param] = {}


class BrandDayError(Exception):
    """A refusal; give the facts in `takes` as keywords: `raise SoldOut(sku="HERO-1")`.

    `retry_after_ms` is set when the same request can succeed after about that long; the raiser may know
    better than `wait_ms` of the class. `errors` names what is wrong in the input. Raises `TypeError` when
    the facts are not exactly those in `takes`, so that no text ever lacks one.
    """

    status: ClassVar[int]
    title: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    wait_ms: ClassVar[int | None] = None
    code: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        cls.code = _snake_case(cls.__name__)

    def __init__(
        self, *, retry_after_ms: int | None = None, errors: Iterable[FieldError] = (), **params: Param
    ) -> None:
        if params.keys() != self.takes:
            raise TypeError(f"{type(self).__name__} takes {sorted(self.takes)}, got {sorted(params)}")
        super().__init__(self.code)
        self.retry_after_ms = self.wait_ms if retry_after_ms is None else retry_after_ms
        self.errors = tuple(errors)
        self.params: dict[str, Param] = params

    def __str__(self) -> str:
        facts = " ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code} {facts}".rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.retry_after_ms, self.errors, self.params)


def every_error() -> Iterator[type[BrandDayError]]:
    """Every error that can be raised, in the order of the drawing above (the groups are left out)."""
    for group in BrandDayError.__subclasses__():
        yield from group.__subclasses__()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _rebuild(
    kind: type[BrandDayError],
    retry_after_ms: int | None,
    errors: tuple[FieldError, ...],
    params: dict[str, Param],
) -> BrandDayError:
    return kind(retry_after_ms=retry_after_ms, errors=errors, **params)


# --- the request itself is wrong ----------------------------------------------------------------------------


class RequestRefused(BrandDayError):
    """The request itself is wrong; sending it again as it is cannot help."""


class MalformedJson(RequestRefused):
    """The body is not one JSON document (or holds NaN, a repeated name, or bytes that are not UTF-8)."""

    status = 400
    title = "The body is not valid JSON"


class IdempotencyKeyMissing(RequestRefused):
    """A request that changes something came without an `Idempotency-Key` header."""

    status = 400
    title = "Idempotency-Key is missing"


class RouteNotFound(RequestRefused):
    """No route has this path."""

    status = 404
    title = "No such route"


class MethodNotAllowed(RequestRefused):
    """The path exists, but not with this method. `allowed`: the methods it has."""

    status = 405
    title = "Method not allowed"
    takes = frozenset({"allowed"})


class BodyTooLarge(RequestRefused):
    """The body is larger than `limit_bytes`."""

    status = 413
    title = "The body is too large"
    takes = frozenset({"limit_bytes"})


class ValidationFailed(RequestRefused):
    """The input is well-formed but not acceptable; `errors` names every place."""

    status = 422
    title = "The input is not acceptable"


class IdempotencyKeyReused(RequestRefused):
    """The key was used before for another request."""

    status = 422
    title = "Idempotency-Key was used for another request"


# --- the caller may not -------------------------------------------------------------------------------------


class AccessRefused(BrandDayError):
    """The caller may not do this."""


class Unauthenticated(AccessRefused):
    """There is no valid token."""

    status = 401
    title = "A valid token is needed"


class Forbidden(AccessRefused):
    """The token lacks the scope `needs`."""

    status = 403
    title = "The token does not allow this"
    takes = frozenset({"needs"})


class SignatureInvalid(AccessRefused):
    """A report is not signed as agreed, or there is nothing of this sender to report on: the two look the same."""

    status = 401
    title = "The signature is not valid"


class ShopSignalsInvalid(AccessRefused):
    """The header Shop-Signals is not what the shop has signed for this shopper, or it is over."""

    status = 401
    title = "The shop's signals are not valid"


class SecondPersonRequired(AccessRefused):
    """Whoever applied the campaign may not approve its rewards."""

    status = 403
    title = "Somebody else has to approve this"


class NotEligible(AccessRefused):
    """The campaign is not for this shopper.

    `requirement` is `member_tier`, `new_customer`, `region`, `channel` or `order_channel`; `accepted` are
    what would do.
    """

    status = 403
    title = "This campaign is not open to you"
    takes = frozenset({"requirement", "accepted"})


# --- the gate of a campaign ---------------------------------------------------------------------------------


class AdmissionRefused(BrandDayError):
    """The gate of a protected campaign: what stands against this visit.

    A `reference` names the case that an operator can explain and lift (`brandday risk explain`).
    """


class TicketInvalid(AdmissionRefused):
    """The entry ticket is no good: `reason` is `missing`, `wrong` (made up, or of another shopper or campaign),
    `expired` or `used`.
    """

    status = 403
    title = "The ticket is not valid"
    takes = frozenset({"reason"})


class ChallengeRequired(AdmissionRefused):
    """A challenge has to be solved first; `reason` is what became of the solution that was sent: `missing`, `wrong`,
    `early` (of one who waits), `expired` or `used`.
    """

    status = 403
    title = "A challenge has to be solved first"
    takes = frozenset({"reason"})


class SignalMissing(AdmissionRefused):
    """The campaign counts by a signal that the visit does not have; `by` is its kind."""

    status = 403
    title = "Something is missing that this campaign counts by"
    takes = frozenset({"by"})


class NotAdmitted(AdmissionRefused):
    """The campaign's rules speak against this visit."""

    status = 403
    title = "You could not be let in"
    takes = frozenset({"reference"})


class LimitReached(AdmissionRefused):
    """As much was taken as one device, network, phone, address or means of payment may (`by`: the kind)."""

    status = 409
    title = "The limit is reached"
    takes = frozenset({"by", "limit", "reference"})


class RateLimited(AdmissionRefused):
    """Somebody tries more often than they may."""

    status = 429
    title = "Too many attempts"
    wait_ms = 1000
    takes = frozenset({"reference"})


# --- there is no such thing ---------------------------------------------------------------------------------


class NotFound(BrandDayError):
    """There is no such thing, or it belongs to somebody else: callers cannot tell the two apart."""


class CampaignNotFound(NotFound):
    """No published campaign has this id (for operators: no campaign at all)."""

    status = 404
    title = "No such campaign"


class ReservationNotFound(NotFound):
    """No reservation of this shopper has this id."""

    status = 404
    title = "No such reservation"


class CouponNotFound(NotFound):
    """No coupon of this shopper has this code."""

    status = 404
    title = "No such coupon"


class RewardNotFound(NotFound):
    """No reward of this shopper has this id (for operators: no reward at all)."""

    status = 404
    title = "No such reward"


class EntryNotFound(NotFound):
    """No entry of this shopper has this id."""

    status = 404
    title = "No such entry"


class RedemptionNotFound(NotFound):
    """The caller has no redemption with this id."""

    status = 404
    title = "No such redemption"


class CouponJobNotFound(NotFound):
    """The campaign has no job of this name that makes coupons."""

    status = 404
    title = "No such job"


class QueueNotFound(NotFound):
    """There is no queue of this name."""

    status = 404
    title = "No such queue"


class CaseNotFound(NotFound):
    """No case with this reference."""

    status = 404
    title = "No such case"


class ListingNotFound(NotFound):
    """Nothing like that is on a list."""

    status = 404
    title = "Nothing like that is on a list"


# --- the campaign does not offer this now -------------------------------------------------------------------


class CampaignClosed(BrandDayError):
    """The campaign exists but does not offer this, or not at this moment."""


class CampaignNotStarted(CampaignClosed):
    """The campaign opens at `starts_at` (RFC 3339); `retry_after_ms` is the time until then."""

    status = 409
    title = "The campaign has not started"
    takes = frozenset({"starts_at"})


class CampaignPaused(CampaignClosed):
    """An operator has paused the campaign."""

    status = 409
    title = "The campaign is paused"
    wait_ms = 5000


class CampaignEnded(CampaignClosed):
    """The campaign ended at `ended_at` (RFC 3339)."""

    status = 409
    title = "The campaign has ended"
    takes = frozenset({"ended_at"})


class CampaignNotPublished(CampaignClosed):
    """The act needs a published campaign, and this one is a draft."""

    status = 409
    title = "The campaign is not published"


class WrongMechanic(CampaignClosed):
    """The campaign is of another kind (`mechanic`): nothing is sold in a lottery, and nobody enters a sale."""

    status = 409
    title = "The campaign is of another kind"
    takes = frozenset({"mechanic"})


class NoTicketNeeded(CampaignClosed):
    """The campaign gives out no tickets."""

    status = 409
    title = "No ticket is needed here"


class NoChallengeNeeded(CampaignClosed):
    """The campaign poses no challenges."""

    status = 409
    title = "No challenge is needed here"


# --- no unit for this shopper -------------------------------------------------------------------------------


class StockRefused(BrandDayError):
    """There is no unit for this shopper."""


class SoldOut(StockRefused):
    """Every unit of `sku` is sold; only a restock would change it."""

    status = 409
    title = "Sold out"
    takes = frozenset({"sku"})


class AllHeld(StockRefused):
    """Every unsold unit of `sku` is in somebody's cart; `retry_after_ms` says when one may come back."""

    status = 409
    title = "All units are in carts at the moment"
    wait_ms = 5000
    takes = frozenset({"sku"})


class ShopperLimitReached(StockRefused):
    """The shopper would own more than `limit` units per `per` (`sku`, `campaign`); `owned` are theirs now."""

    status = 409
    title = "Your limit is reached"
    takes = frozenset({"limit", "owned", "per"})


# --- the reservation's state does not allow this ------------------------------------------------------------


class ReservationRefused(BrandDayError):
    """The reservation is not in a state that allows this."""


class ReservationExpired(ReservationRefused):
    """The hold ran out; `refund_due` is true when this answers a payment, which has to be given back."""

    status = 409
    title = "The reservation has expired"
    takes = frozenset({"refund_due"})


class ReservationReleased(ReservationRefused):
    """The reservation was cancelled; `refund_due` as in `ReservationExpired`."""

    status = 409
    title = "The reservation was cancelled"
    takes = frozenset({"refund_due"})


class ReservationAlreadyConfirmed(ReservationRefused):
    """The reservation is paid, perhaps by another order; `refund_due` as in `ReservationExpired`."""

    status = 409
    title = "The reservation is already confirmed"
    takes = frozenset({"refund_due"})


class HoldNotExtendable(ReservationRefused):
    """The campaign offers no extension."""

    status = 409
    title = "The hold cannot be extended"


# --- the coupon cannot be used like this --------------------------------------------------------------------


class CouponRefused(BrandDayError):
    """The coupon cannot be used like this."""


class CouponNotStarted(CouponRefused):
    """The coupon is valid from `starts_at` (RFC 3339) on; `retry_after_ms` is the time until then."""

    status = 409
    title = "The coupon is not valid yet"
    takes = frozenset({"starts_at"})


class CouponExpired(CouponRefused):
    """The coupon was valid until `ended_at` (RFC 3339)."""

    status = 409
    title = "The coupon has expired"
    takes = frozenset({"ended_at"})


class CouponDisabled(CouponRefused):
    """An operator has disabled the coupon."""

    status = 409
    title = "The coupon is disabled"


class CouponRedeemed(CouponRefused):
    """The coupon was used at `at` (RFC 3339).

    `where` is `counter`, and `store` the store's id; or it is `online`, and `store` is "".
    """

    status = 409
    title = "The coupon was used"
    takes = frozenset({"at", "where", "store"})


class CouponExhausted(CouponRefused):
    """The coupon has been used as often as it may be."""

    status = 409
    title = "The coupon is used up"


class CouponLocked(CouponRefused):
    """The coupon, or what is left of a shared code, is locked by another order until in `retry_after_ms`."""

    status = 409
    title = "The coupon is in use"
    wait_ms = 5000


class CouponsHandedOut(CouponRefused):
    """Nobody can take a coupon of this campaign: its brand hands them out, or everybody uses one code."""

    status = 409
    title = "There is nothing to take"


class CurrencyNotAccepted(CouponRefused):
    """The coupon is for orders in `currency`."""

    status = 409
    title = "The coupon is for another currency"
    takes = frozenset({"currency"})


class NoMatchingItems(CouponRefused):
    """The coupon takes nothing off the order, and adds nothing to it."""

    status = 409
    title = "The coupon applies to nothing in the order"


class MinimumSpendNotReached(CouponRefused):
    """The items that the coupon applies to cost too little.

    `missing` are the minor units of `currency` that would make it valid, `spend` is the same for people: `8.00`.
    """

    status = 409
    title = "The minimum spend is not reached"
    takes = frozenset({"missing", "currency", "spend"})


class NotCombinable(CouponRefused):
    """The coupon does not combine with others on the order, or they leave nothing for it to take off.

    `clashes_with` are their codes, as shown to people.
    """

    status = 409
    title = "The coupon cannot be combined"
    takes = frozenset({"clashes_with"})


# --- the redemption's state does not allow this -------------------------------------------------------------


class RedemptionRefused(BrandDayError):
    """The redemption is not in a state that allows this."""


class RedemptionExpired(RedemptionRefused):
    """The lock ran out, and what was locked is not to be had any more."""

    status = 409
    title = "The lock has run out"


class RedemptionClosed(RedemptionRefused):
    """The redemption is `status` (`locked`, `redeemed`, `rolled_back` or `released`), which does not allow this."""

    status = 409
    title = "The redemption does not allow this"
    takes = frozenset({"status"})


# --- the reward's state does not allow this -----------------------------------------------------------------


class RewardRefused(BrandDayError):
    """The reward is not in a state that allows this."""


class RewardClosed(RewardRefused):
    """An address cannot be given (any more): `status` is the reward's, and its claim deadline may have passed."""

    status = 409
    title = "The address cannot be changed any more"
    takes = frozenset({"status"})


class RewardNotWaiting(RewardRefused):
    """The reward does not wait for this act of an operator; it is `status`."""

    status = 409
    title = "The reward does not wait for this"
    takes = frozenset({"status"})


# --- the lottery does not allow this ------------------------------------------------------------------------


class LotteryRefused(BrandDayError):
    """The lottery does not allow this, or not yet."""


class EntryLimitReached(LotteryRefused):
    """The shopper has no entry left.

    `until` (RFC 3339) is when the next day brings one, and `allowance` is then `day`; if only an earned chance does,
    `until` is None and `allowance` is `campaign`.
    """

    status = 409
    title = "Your entries are used"
    takes = frozenset({"allowance", "until"})


class ChancesExhausted(LotteryRefused):
    """The lottery allows a shopper `left` more earned chances, which is less than was to be granted."""

    status = 409
    title = "The shopper has earned all chances that can be earned"
    takes = frozenset({"left"})


class ReceiptNotReady(LotteryRefused):
    """What is published after the end is not there yet; `retry_after_ms` says when to look again."""

    status = 409
    title = "The receipt is not published yet"
    wait_ms = 60_000


# --- an operator's act does not fit -------------------------------------------------------------------------


class OperatorRefused(BrandDayError):
    """An operator's act does not fit what is there."""


class CampaignChangeRefused(OperatorRefused):
    """The change touches what is frozen, or does not fit the campaign's status; `errors` names each place."""

    status = 409
    title = "The campaign cannot be changed like this"


class CampaignConflict(OperatorRefused):
    """Somebody else changed the campaign meanwhile; `version` is the one that is there now."""

    status = 409
    title = "The campaign was changed meanwhile"
    takes = frozenset({"version"})


class RestockConflict(OperatorRefused):
    """The restock id was used before for another SKU or quantity."""

    status = 409
    title = "The restock id was used for another restock"
    takes = frozenset({"restock_id"})


class CouponsExceeded(OperatorRefused):
    """The campaign may have `left` more coupons, which is less than was asked for; nothing was made."""

    status = 409
    title = "The campaign may not have that many coupons"
    takes = frozenset({"left"})


class CouponJobConflict(OperatorRefused):
    """The name `job` was used before for a job of another kind or size."""

    status = 409
    title = "The name was used for another job"
    takes = frozenset({"job"})


# --- our side -----------------------------------------------------------------------------------------------


class ServiceRefused(BrandDayError):
    """Our side could not do it now; the same request may work later."""


class InternalError(ServiceRefused):
    """Something failed that we did not foresee; the log has it under the request id."""

    status = 500
    title = "Something went wrong on our side"
    wait_ms = 1000


class TemporarilyOverloaded(ServiceRefused):
    """The database throttled, conflicted or timed out; nothing is half done, the same key may try again."""

    status = 503
    title = "Too busy at the moment"
    wait_ms = 500
