"""What the gates of campaigns have refused, and what operators do about it, over HTTP.

Every route needs a token with the scope `operator`. Signals are shown as marks, which are keyed hashes; a value that
an operator sends to be listed is hashed at once and comes back from nowhere.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import Field

from brandday.domain.errors import CampaignNotFound, CaseNotFound, ListingNotFound, ValidationFailed
from brandday.domain.listing import Listing
from brandday.domain.refusal_case import read_reference
from brandday.domain.risk import Listed, RiskMode, RiskTerms
from brandday.domain.signals import SignalKind
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.http_input import page_query, read_choice, read_cursor, read_limit
from brandday.entrypoints.routes import OPERATOR, Answer, Input, Output, Request, Route, Shape
from brandday.entrypoints.trail_body import TrailEntryBody
from brandday.usecases.keep_lists import (
    MOST_DAYS,
    MOST_ROWS,
    REASON_LENGTH,
    VALUE_LENGTH,
    KeepLists,
    ListingProblem,
    Outcome,
    Row,
)
from brandday.usecases.review_risk import Explained, Grounds, Reason, ReviewRisk, RiskReport

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
ROWS_LIMIT_BYTES: Final = 128 * 1024
ALLOW_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class RiskUseCases:
    """What these routes ask for."""

    review: ReviewRisk
    lists: KeepLists


class AllowInput(Input):
    """For how long a shopper is let through, and why."""

    days: Annotated[
        int, Field(ge=0, le=MOST_DAYS, description="Days after today, until the end of the day in UTC.")
    ] = ALLOW_DAYS
    reason: Annotated[
        str, Field(max_length=REASON_LENGTH, pattern=r"^[^\x00-\x1f\x7f]*$", description="Words for colleagues.")
    ] = ""


Text = Annotated[str, Field(max_length=VALUE_LENGTH)]


class ListingInput(Input):
    """What should be on a list: a value, or a mark that was shown. One that is wrong is told by its `problem`."""

    list: Annotated[Text, Field(description="`allow` or `block`.")]
    kind: Annotated[Text, Field(description="What it is: shopper, device, network, phone, email, address, payment.")]
    value: Annotated[Text, Field(description="As people write it; it is hashed and forgotten.")] = ""
    mark: Annotated[Text, Field(description="Instead of the value.")] = ""
    until: Annotated[
        Text, Field(description="A date (with all of its day, in UTC) or an RFC 3339 time; 90 days if it is left out.")
    ] = ""
    reason: Annotated[Text, Field(description="Words for colleagues.")] = ""


class ListingsInput(Input):
    """Rows of a list, up to 100."""

    listings: Annotated[list[ListingInput], Field(min_length=1, max_length=MOST_ROWS)]


class RemoveInput(Input):
    """What should be on no list any more: a value, or a mark that was shown."""

    kind: Annotated[SignalKind, Field(strict=False)]
    value: Annotated[str, Field(max_length=VALUE_LENGTH)] = ""
    mark: Annotated[str, Field(max_length=VALUE_LENGTH)] = ""


class ListingBody(Shape):
    """What is on a list; times are RFC 3339 in UTC."""

    list: Listed
    kind: SignalKind
    mark: str
    until: str
    reason: str
    who: str
    at: str

    @classmethod
    def of(cls, listing: Listing) -> Self:
        """The same, on the wire."""
        return cls(
            list=listing.listed,
            kind=listing.key.kind,
            mark=listing.key.mark,
            until=to_rfc3339(listing.until),
            reason=listing.reason,
            who=listing.who,
            at=to_rfc3339(listing.at),
        )

    @classmethod
    def of_or_none(cls, listing: Listing | None) -> Self | None:
        """The same of a listing that may not be there."""
        return None if listing is None else cls.of(listing)


class RiskReasonBody(Shape):
    """A rule or a limit that stood against somebody."""

    name: str
    grounds: Annotated[Grounds, Field(description="`guessing`: wrong codes, tickets; `gone`: not declared any more.")]
    text: str
    weight: Annotated[int | None, Field(description="A rule's, as declared now.")]

    @classmethod
    def of(cls, reason: Reason) -> Self:
        """The same, on the wire."""
        return cls(name=reason.name, grounds=reason.grounds, text=reason.text, weight=reason.weight)


class CountedRiskReasonBody(RiskReasonBody):
    """The same, counted."""

    cases: int


class SharedMarkBody(Shape):
    """A signal that several cases share."""

    kind: SignalKind
    mark: str
    cases: int
    list: Annotated[Listed | None, Field(description="The list it is on already.")]


class ThresholdBody(Shape):
    """How many shoppers had at least this score."""

    score: int
    shoppers: int


class RiskTermsBody(Shape):
    """The rules of risk as declared now: their mode, and from which scores on they have consequences."""

    mode: RiskMode
    challenge_at: int | None
    refuse_at: int | None

    @classmethod
    def of(cls, terms: RiskTerms | None) -> Self | None:
        """The same, on the wire; None where there are no rules."""
        if terms is None:
            return None
        return cls(mode=terms.mode, challenge_at=terms.challenge_at, refuse_at=terms.refuse_at)


class RiskReportBody(Output):
    """What a campaign's gate has refused, or would have; a case is one shopper's."""

    campaign_id: str
    risk: Annotated[RiskTermsBody | None, Field(description="Null where no rules are declared.")]
    cases: int
    complete: Annotated[bool, Field(description="False: there are more, of which these are a fair sample.")]
    lifted: int
    first_at: str | None
    last_at: str | None
    by_mode: Annotated[dict[str, int], Field(description="`shadow`: nothing happened. `enforce`: it was refused.")]
    by_code: Annotated[dict[str, int], Field(description="By the code of the refusal.")]
    reasons: Annotated[list[CountedRiskReasonBody], Field(description="Rules and limits, the most frequent first.")]
    marks: Annotated[list[SharedMarkBody], Field(description="Signals that most cases share.")]
    thresholds: Annotated[
        list[ThresholdBody],
        Field(description="What other thresholds would do; below those in force nothing is known."),
    ]

    @classmethod
    def of(cls, report: RiskReport) -> Self:
        """The same, on the wire."""
        return cls(
            campaign_id=report.campaign_id,
            risk=RiskTermsBody.of(report.terms),
            cases=report.cases,
            complete=report.is_complete,
            lifted=report.lifted,
            first_at=to_rfc3339_or_none(report.first_at),
            last_at=to_rfc3339_or_none(report.last_at),
            by_mode={str(mode): cases for mode, cases in report.by_mode.items()},
            by_code=dict(report.by_code),
            reasons=[
                CountedRiskReasonBody(**RiskReasonBody.of(reason).model_dump(), cases=cases)
                for reason, cases in report.reasons
            ],
            marks=[
                SharedMarkBody(kind=one.key.kind, mark=one.key.mark, cases=one.cases, list=one.listed)
                for one in report.marks
            ],
            thresholds=[ThresholdBody(score=one.score, shoppers=one.shoppers) for one in report.thresholds],
        )


class MarkBody(Shape):
    """A signal of a case, and where it is listed now."""

    kind: SignalKind
    mark: str
    listing: ListingBody | None


class CaseBody(Output):
    """One shopper's refusal in one campaign: the latest one, and what stood against them."""

    reference: str
    campaign_id: str
    at: str
    mode: Annotated[RiskMode, Field(description="`shadow`: it is what would have happened; nobody was refused.")]
    code: str
    score: int
    risk: Annotated[RiskTermsBody | None, Field(description="The rules as declared now.")]
    reasons: list[RiskReasonBody]
    marks: list[MarkBody]
    kept_until: str
    lifted_at: str | None

    @classmethod
    def of(cls, explained: Explained) -> Self:
        """The same, on the wire."""
        case = explained.case
        return cls(
            reference=case.reference,
            campaign_id=case.campaign_id,
            at=to_rfc3339(case.at),
            mode=case.mode,
            code=case.code,
            score=case.score,
            risk=RiskTermsBody.of(explained.terms),
            reasons=[RiskReasonBody.of(reason) for reason in explained.reasons],
            marks=[
                MarkBody(kind=key.kind, mark=key.mark, listing=ListingBody.of_or_none(listing))
                for key, listing in explained.marks
            ],
            kept_until=to_rfc3339(case.forget_at),
            lifted_at=to_rfc3339_or_none(case.lifted_at),
        )


class LiftedBody(Output):
    """What became of a refusal that was lifted."""

    reference: str
    campaign_id: str
    lifted_at: str | None
    listing: Annotated[ListingBody, Field(description="The shopper, on the allow list.")]
    changed: Annotated[bool, Field(description="False: it was done before.")]


class OutcomeBody(Shape):
    """What became of a row, in the order they were sent."""

    listing: Annotated[ListingBody | None, Field(description="Null if there is a problem.")]
    changed: Annotated[bool, Field(description="False: it was listed like this before, or there is a problem.")]
    problem: ListingProblem | None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """The same, on the wire."""
        return cls(listing=ListingBody.of_or_none(outcome.listing), changed=outcome.changed, problem=outcome.problem)


class OutcomesBody(Output):
    """What became of each row; those with a problem did not hold up the others."""

    listings: list[OutcomeBody]


class RemovedBody(Output):
    """What was taken off its list."""

    listing: ListingBody
    changed: Annotated[bool, Field(description="False: this request had done it before.")]


class ListingPageBody(Output):
    """What is listed now, by kind and mark; a page may have fewer than `limit`, or none, and still not be the last."""

    listings: list[ListingBody]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


class ListingHistoryBody(Output):
    """What was done to the lists, the latest act first."""

    entries: list[TrailEntryBody]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


def get_report(use_cases: RiskUseCases, request: Request[None]) -> Answer:
    """200 with what the campaign's gate has refused, or would have in shadow mode, counted."""
    return Answer(RiskReportBody.of(use_cases.review.report(request.path["campaign_id"])))


def get_case(use_cases: RiskUseCases, request: Request[None]) -> Answer:
    """200 with the case: which rules or limits stood against the shopper, and what is listed of their signals now."""
    return Answer(CaseBody.of(use_cases.review.explain(_reference(request))))


def allow_case(use_cases: RiskUseCases, request: Request[AllowInput]) -> Answer:
    """200 with the shopper on the allow list: limits and rules of risk let them through, in all campaigns.

    What a limit per shopper and the campaign's eligibility say still holds, and so does the need for a ticket.
    """
    body = request.body
    lifted = use_cases.review.allow(
        _reference(request), body.days, body.reason, request.subject, request.idempotency_key
    )
    return Answer(
        LiftedBody(
            reference=lifted.case.reference,
            campaign_id=lifted.case.campaign_id,
            lifted_at=to_rfc3339_or_none(lifted.case.lifted_at),
            listing=ListingBody.of(lifted.listing),
            changed=lifted.changed,
        ),
        headers=_replayed(lifted.changed),
    )


def put_listings(use_cases: RiskUseCases, request: Request[ListingsInput]) -> Answer:
    """200 with what became of each row. The same again changes nothing; another one about the same replaces it."""
    rows = [Row(**row.model_dump()) for row in request.body.listings]
    outcomes = use_cases.lists.put(rows, request.subject, request.idempotency_key)
    changed = sum(outcome.changed for outcome in outcomes)
    return Answer(
        OutcomesBody(listings=[OutcomeBody.of(outcome) for outcome in outcomes]),
        headers=_replayed(changed > 0),
        noted={"listed": changed},
    )


def list_listings(use_cases: RiskUseCases, request: Request[None]) -> Answer:
    """200 with a page of what is listed now."""
    page = use_cases.lists.page(
        read_choice(request.query, "kind", SignalKind),
        read_choice(request.query, "list", Listed),
        read_limit(request.query, default=DEFAULT_LIMIT, most=MAX_LIMIT),
        read_cursor(request.query),
    )
    return Answer(ListingPageBody(listings=[ListingBody.of(one) for one in page.listings], next=page.next))


def remove_listing(use_cases: RiskUseCases, request: Request[RemoveInput]) -> Answer:
    """200 with what was taken off its list; the same request again finds it done."""
    body = request.body
    removed = use_cases.lists.remove(body.kind, body.value, body.mark, request.subject, request.idempotency_key)
    return Answer(
        RemovedBody(listing=ListingBody.of(removed.listing), changed=removed.changed),
        headers=_replayed(removed.changed),
    )


def get_listing_history(use_cases: RiskUseCases, request: Request[None]) -> Answer:
    """200 with a page of the lists' audit trail: who listed, allowed or took off what, when, and why."""
    page = use_cases.lists.history(
        read_limit(request.query, default=DEFAULT_LIMIT, most=MAX_LIMIT), read_cursor(request.query)
    )
    return Answer(ListingHistoryBody(entries=[TrailEntryBody.of(entry) for entry in page.entries], next=page.next))


def _reference(request: Request[Any]) -> str:
    try:
        return read_reference(request.path["reference"])
    except ValueError:
        raise CaseNotFound from None


def _replayed(changed: bool) -> dict[str, str]:
    return {} if changed else {"Idempotent-Replayed": "true"}


_REPLAYED_HEADER: Final = {"Idempotent-Replayed": "`true` when there was nothing left to change."}
_CASE: Final = "/v1/admin/cases/{reference}"
_LISTINGS: Final = "/v1/admin/listings"

ROUTES: Final = (
    Route(
        "GET",
        "/v1/admin/campaigns/{campaign_id}/risk",
        get_report,
        "See what a campaign's gate refuses, or would",
        RiskReportBody,
        scope=OPERATOR,
        errors=(CampaignNotFound,),
    ),
    Route("GET", _CASE, get_case, "Explain a refusal by its reference", CaseBody, scope=OPERATOR),
    Route(
        "POST",
        f"{_CASE}/allow",
        allow_case,
        "Lift a refusal: let its shopper through",
        LiftedBody,
        scope=OPERATOR,
        body=AllowInput,
        needs_key=True,
        headers=_REPLAYED_HEADER,
    ),
    Route(
        "POST",
        _LISTINGS,
        put_listings,
        "Put up to 100 values or marks on the allow list or the block list",
        OutcomesBody,
        scope=OPERATOR,
        body=ListingsInput,
        body_limit_bytes=ROWS_LIMIT_BYTES,
        needs_key=True,
        headers=_REPLAYED_HEADER,
    ),
    Route(
        "GET",
        _LISTINGS,
        list_listings,
        "Page through the allow list and the block list",
        ListingPageBody,
        scope=OPERATOR,
        query={
            "kind": (SignalKind, "Only these; all kinds if it is left out."),
            "list": (Listed, "Only this list; both if it is left out."),
            **page_query(default=DEFAULT_LIMIT, most=MAX_LIMIT),
        },
    ),
    Route(
        "POST",
        f"{_LISTINGS}/remove",
        remove_listing,
        "Take something off its list",
        RemovedBody,
        scope=OPERATOR,
        body=RemoveInput,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(ListingNotFound, ValidationFailed),
    ),
    Route(
        "GET",
        f"{_LISTINGS}/history",
        get_listing_history,
        "Read who listed what",
        ListingHistoryBody,
        scope=OPERATOR,
        query=page_query(default=DEFAULT_LIMIT, most=MAX_LIMIT),
    ),
)
"""The routes of RiskFunction."""
