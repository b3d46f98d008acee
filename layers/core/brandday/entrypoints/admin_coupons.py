"""How operators make coupons, look at them and disable them, over HTTP.

Every route needs a token with the scope `operator`, and answers codes: whoever has it can use any coupon. A job has a
name, and each of its steps can be repeated: the same coupons come of it.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field

from brandday.domain.coupon_code import show
from brandday.domain.coupon_job import BATCH, MAX_JOB, CouponJob, Disabled, JobKind, Row, RowProblem, Taken
from brandday.domain.coupon_record import CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.errors import (
    CampaignChangeRefused,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotPublished,
    CouponJobConflict,
    CouponsExceeded,
    ValidationFailed,
    WrongMechanic,
)
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.admin import AdminUseCases
from brandday.entrypoints.http_input import CURSOR, wrong_query
from brandday.entrypoints.routes import OPERATOR, Answer, Input, Output, Request, Route, Shape
from brandday.usecases.coupon_ports import CAMPAIGN_PARTS

if TYPE_CHECKING:
    from brandday.usecases.coupon_jobs import CouponSight

BATCH_LIMIT_BYTES: Final = 256 * 1024

Text = Annotated[str, Field(min_length=1, max_length=255)]


class CouponJobInput(Input):
    """A job that makes coupons; the same content under the same name creates it once."""

    job: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="The operator's own name of it.")]
    kind: Annotated[JobKind, Field(strict=False)]
    size: Annotated[
        int, Field(ge=1, le=MAX_JOB, description="How many coupons; of an import, one more than its file has lines.")
    ]
    digest: Annotated[
        str, Field(pattern=r"^[0-9a-f]{64}$|^$", description="SHA-256 of the list it works on, if there is one.")
    ] = ""


class BatchInput(Input):
    """Which coupons of a job to make now: up to 500 from number `from` on."""

    start: Annotated[int, Field(alias="from", ge=0, lt=MAX_JOB)]
    shoppers: Annotated[
        list[Text] | None, Field(max_length=BATCH, description="Who gets them, in a job for a list of shoppers.")
    ] = None


class RowInput(Input):
    """A line of a partner's file."""

    line: Annotated[int, Field(ge=1, lt=MAX_JOB)]
    code: Annotated[str, Field(max_length=255)]
    shopper: Text | None = None


class RowsInput(Input):
    """Lines of a partner's file."""

    rows: Annotated[list[RowInput], Field(min_length=1, max_length=BATCH)]


class DisableInput(Input):
    """Codes of coupons that nobody shall use any more."""

    codes: Annotated[list[Text], Field(min_length=1, max_length=BATCH)]


class CouponJobBody(Shape):
    """A job. `count` are the coupons it is counted with; those with numbers below `done` were made."""

    job: str
    kind: JobKind
    size: int
    digest: str
    at: Annotated[str, Field(description="When its coupons are issued: RFC 3339 in UTC.")]
    count: int
    done: int

    @classmethod
    def of(cls, job: CouponJob) -> Self:
        """The same, on the wire."""
        return cls(
            job=job.name,
            kind=job.kind,
            size=job.size,
            digest=job.digest,
            at=to_rfc3339(job.at),
            count=job.count,
            done=job.done,
        )


class StartedJobBody(Output):
    """A job that was created, now or before."""

    job: CouponJobBody


class CouponJobListBody(Output):
    """All jobs of a campaign, in order of names."""

    jobs: list[CouponJobBody]


class CouponFactsBody(Shape):
    """A coupon as it was issued."""

    id: str
    code: Annotated[str, Field(description="As shown to people.")]
    owner: Annotated[str | None, Field(description="Opaque; null: whoever has the code may use it.")]
    source: Annotated[str, Field(description="Where it comes from: a claim, or a number of a job.")]
    issued_at: str
    valid_until: str

    @classmethod
    def of(cls, facts: CouponFacts) -> Self:
        """The same, on the wire."""
        return cls(**_facts(facts))


class StoredCouponBody(CouponFactsBody):
    """The same, as it is stored."""

    genuine: Annotated[bool, Field(description="Whether its code is what its source makes.")]


class CouponStateBody(Shape):
    """What has happened to a coupon."""

    id: str
    use: Annotated[UseState | None, Field(description="Null: nobody used it.")]
    redemption: str | None
    at: str
    locked_until: str
    store: str | None
    valid_until: Annotated[str | None, Field(description="Set when a rollback has prolonged it.")]
    disabled: bool

    @classmethod
    def of(cls, coupon: str, state: CouponState) -> Self:
        """The same, on the wire."""
        return cls(
            id=coupon,
            use=state.use,
            redemption=state.redemption,
            at=to_rfc3339(state.at),
            locked_until=to_rfc3339(state.locked_until),
            store=state.store,
            valid_until=to_rfc3339_or_none(state.valid_until),
            disabled=state.disabled,
        )


class PartBody(Shape):
    """What one order does with one code."""

    redemption: str
    number: int
    code: str
    coupon_id: Annotated[str | None, Field(description="Null for a shared code.")]
    claim: Annotated[str | None, Field(description="Where the use of a shared code is counted.")]
    order_id: str
    status: PartStatus
    at: str
    discount: Annotated[int, Field(description="Minor units of currency.")]
    currency: str
    store: str | None
    returned: bool

    @classmethod
    def of(cls, part: Part) -> Self:
        """The same, on the wire."""
        return cls(
            redemption=part.redemption,
            number=part.number,
            code=show(part.code),
            coupon_id=part.coupon_id,
            claim=part.claim,
            order_id=part.order_id,
            status=part.status,
            at=to_rfc3339(part.at),
            discount=part.discount,
            currency=part.currency,
            store=part.store,
            returned=part.returned,
        )


class BatchBody(Output):
    """Coupons that a job has made, in order of numbers."""

    coupons: list[CouponFactsBody]


class TakenBody(Shape):
    """What became of a line; a coupon, or why there is none."""

    line: int
    problem: RowProblem | None
    coupon: CouponFactsBody | None

    @classmethod
    def of(cls, taken: Taken) -> Self:
        """The same, on the wire."""
        coupon = None if taken.coupon is None else CouponFactsBody.of(taken.coupon)
        return cls(line=taken.line, problem=taken.problem, coupon=coupon)


class TakenListBody(Output):
    """What became of each line, in the order of the request."""

    rows: list[TakenBody]


class CouponPageBody(Output):
    """A page of what is stored of a campaign's coupons; a coupon's state can be on another page of the same part."""

    coupons: list[StoredCouponBody]
    states: list[CouponStateBody]
    parts: list[PartBody]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]

    @classmethod
    def from_sight(cls, sight: "CouponSight") -> Self:
        """The same, on the wire."""
        page = sight.page
        return cls(
            coupons=[StoredCouponBody(**_facts(facts), genuine=facts.id not in sight.forged) for facts in page.facts],
            states=[CouponStateBody.of(key, state) for key, state in page.states.items()],
            parts=[PartBody.of(part) for part in page.parts],
            next=page.next,
        )


class DisabledBody(Output):
    """What became of each code, in the order of the request."""

    results: list[Disabled]


def start_job(use_cases: AdminUseCases, request: Request[CouponJobInput]) -> Answer:
    """201 with the job, or 200 with the one that was created before."""
    body = request.body
    started = use_cases.coupons.start(_id(request), body.job, body.kind, body.size, body.digest, request.subject)
    return Answer(
        StartedJobBody(job=CouponJobBody.of(started.job)),
        status=201 if started.is_new else 200,
        headers={} if started.is_new else {"Idempotent-Replayed": "true"},
    )


def list_jobs(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with all jobs."""
    jobs = use_cases.coupons.list_jobs(_id(request))
    return Answer(CouponJobListBody(jobs=[CouponJobBody.of(job) for job in jobs]))


def make_batch(use_cases: AdminUseCases, request: Request[BatchInput]) -> Answer:
    """200 with the coupons, however often they are asked for."""
    body = request.body
    made = use_cases.coupons.make(_id(request), request.path["job"], body.start, body.shoppers)
    return Answer(BatchBody(coupons=[CouponFactsBody.of(facts) for facts in made]))


def take_in_rows(use_cases: AdminUseCases, request: Request[RowsInput]) -> Answer:
    """200 with what became of each line, however often they are sent."""
    rows = [Row(row.line, row.code, row.shopper) for row in request.body.rows]
    taken = use_cases.coupons.take_in(_id(request), request.path["job"], rows)
    return Answer(TakenListBody(rows=[TakenBody.of(row) for row in taken]))


def list_coupons(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with a page of everything that is stored, in one of 16 parts; a moment old at most."""
    part, after = request.query.get("part", ""), request.query.get("after")
    if not (part.isascii() and part.isdecimal() and len(part) < 3 and int(part) < CAMPAIGN_PARTS):
        raise wrong_query("part", "too_large", max=CAMPAIGN_PARTS - 1)
    if after is not None and not CURSOR.fullmatch(after):
        raise wrong_query("after", "not_a_cursor")
    try:
        sight = use_cases.coupons.page(_id(request), int(part), after)
    except ValueError:
        raise wrong_query("after", "not_a_cursor") from None
    return Answer(CouponPageBody.from_sight(sight))


def disable_coupons(use_cases: AdminUseCases, request: Request[DisableInput]) -> Answer:
    """200 with what became of each code, however often they are sent."""
    results = use_cases.coupons.disable(_id(request), request.body.codes, request.subject)
    return Answer(DisabledBody(results=list(results)))


def _id(request: Request[Any]) -> str:
    return request.path["campaign_id"]


def _facts(facts: CouponFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "code": show(facts.code),
        "owner": facts.owner,
        "source": facts.source,
        "issued_at": to_rfc3339(facts.issued_at),
        "valid_until": to_rfc3339(facts.valid_until),
    }


_ONE: Final = "/v1/admin/campaigns/{campaign_id}"
_JOBS: Final = f"{_ONE}/coupon-jobs"

ROUTES: Final = (
    Route(
        "POST",
        _JOBS,
        start_job,
        "Create a job that makes coupons",
        StartedJobBody,
        scope=OPERATOR,
        body=CouponJobInput,
        statuses=(201, 200),
        needs_key=True,
        headers={"Idempotent-Replayed": "`true` when the job was there."},
        errors=(
            WrongMechanic,
            CampaignNotPublished,
            CampaignEnded,
            CampaignChangeRefused,
            CouponsExceeded,
            CouponJobConflict,
        ),
    ),
    Route("GET", _JOBS, list_jobs, "List the jobs that make coupons", CouponJobListBody, scope=OPERATOR),
    Route(
        "POST",
        f"{_JOBS}/{{job}}/batches",
        make_batch,
        "Make up to 500 coupons of a job",
        BatchBody,
        scope=OPERATOR,
        body=BatchInput,
        body_limit_bytes=BATCH_LIMIT_BYTES,
        needs_key=True,
        errors=(CouponJobConflict,),
    ),
    Route(
        "POST",
        f"{_JOBS}/{{job}}/rows",
        take_in_rows,
        "Take in up to 500 codes of a partner",
        TakenListBody,
        scope=OPERATOR,
        body=RowsInput,
        body_limit_bytes=BATCH_LIMIT_BYTES,
        needs_key=True,
        errors=(CampaignNotPublished, CampaignEnded, CouponJobConflict),
    ),
    Route(
        "GET",
        f"{_ONE}/coupons",
        list_coupons,
        "Read what is stored of a campaign's coupons",
        CouponPageBody,
        scope=OPERATOR,
        query={
            "part": (Annotated[int, Field(ge=0, lt=CAMPAIGN_PARTS)], "Which of 16 parts."),
            "after": (str, "`next` of the page before."),
        },
        needs_query=("part",),
        errors=(ValidationFailed, CampaignNotFound),
    ),
    Route(
        "POST",
        f"{_ONE}/coupons/disable",
        disable_coupons,
        "Disable coupons",
        DisabledBody,
        scope=OPERATOR,
        body=DisableInput,
        body_limit_bytes=BATCH_LIMIT_BYTES,
        needs_key=True,
        errors=(WrongMechanic,),
    ),
)
"""More routes of AdminFunction."""
