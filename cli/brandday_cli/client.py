"""The admin API as the command sees it."""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from brandday.config.parts import CAMPAIGN_ID
from brandday.domain.refusal_case import read_reference
from brandday.domain.reward_id import parse_reward_id
from brandday_cli.failures import CommandFailed, ExitCode

TIMEOUT_SECONDS = 30
MOST_TRIES = 5
LONGEST_WAIT_SECONDS = 5.0

FULFILMENTS_PAGE = 100
"""Rewards asked for at once."""

JOB_NAME = r"[a-z0-9][a-z0-9-]{0,39}"

_BUSY = (429, 503)

_ADVICE = {
    "unauthenticated": "The token is missing, forged or expired: give a fresh one with --token or BRANDDAY_TOKEN.",
    "forbidden": "Use a token with the scope `operator`.",
    "campaign_not_found": "See which campaigns there are with `brandday list`.",
    "campaign_not_published": "Publish it first: `brandday publish ID`.",
    "campaign_ended": "An ended campaign stays ended: declare a new one under another id.",
    "campaign_conflict": "Somebody else was faster. Look with `brandday show ID`, then decide again.",
    "restock_conflict": "Look with `brandday show ID` what the restock was, or choose a new --id.",
    "reward_not_found": "See which rewards there are with `brandday fulfilments`.",
    "second_person_required": "Ask a colleague to approve it: whoever applied the campaign may not.",
    "reward_not_waiting": "Somebody or something was faster. Look with `brandday fulfilment REWARD`.",
    "receipt_not_ready": "Receipts are published once the list is sealed, those of draws once it is drawn.",
    "wrong_mechanic": "Only lotteries have draws, winners and receipts.",
    "coupons_exceeded": "See what there is with `brandday coupons usage ID`.",
    "coupon_job_conflict": "Choose another name with --job; the same one only goes on with the same file and number.",
    "queue_not_found": "The queues are holds, fulfilments and stream.",
    "case_not_found": "Look at its letters again; a case is kept for a while after its campaign, then forgotten.",
    "listing_not_found": "See what is listed with `brandday risk lists`.",
    "internal_error": "Run the same command again; if it keeps failing, look for the request id in the logs.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One wrong place in what was sent: a JSON pointer and a sentence."""

    pointer: str
    detail: str


class ApiRefused(CommandFailed):
    """The API understood and refused; `code` is its stable code, `places` are what is wrong in the body."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.code: str = problem.get("code", "unknown")
        self.places = tuple(Place(place.get("pointer", ""), place["detail"]) for place in problem.get("errors", ()))
        request_id = problem.get("request_id", "")
        super().__init__(
            f"{problem.get('title', 'The request was refused')} ({self.code}). {problem.get('detail', '')}".strip(),
            exit_code=ExitCode.UNAVAILABLE if problem.get("status", 0) >= 500 else ExitCode.REFUSED,
            details=[f"{place.pointer} {place.detail}".strip() for place in self.places],
            advice=_ADVICE.get(self.code, "")
            + (f" Request id: {request_id}." if self.code == "internal_error" else ""),
        )


@dataclass
class AdminClient:
    """Calls the admin API. Every act may be repeated, so each call is, while the API is busy or cannot be
    reached.

    Without a `token` only public routes answer. `transport` and `sleep` are for tests. Raises ApiRefused, or
    CommandFailed when there is no answer.
    """

    url: str
    token: str = field(repr=False)
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._http = httpx.Client(
            base_url=self.url.rstrip("/") + "/",
            headers={"User-Agent": "brandday-cli"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {}),
            timeout=TIMEOUT_SECONDS,
            transport=self.transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def list_campaigns(self) -> list[dict[str, Any]]:
        """All campaigns, the latest to start first."""
        campaigns: list[dict[str, Any]] = self._call("GET", "v1/admin/campaigns")["campaigns"]
        return campaigns

    def show(self, campaign_id: str) -> dict[str, Any]:
        """One campaign with all that is kept about it."""
        campaign: dict[str, Any] = self._call("GET", _path(campaign_id))["campaign"]
        return campaign

    def declaration(self, campaign_id: str) -> dict[str, Any]:
        """The campaign's document, as it could be applied again."""
        document: dict[str, Any] = self.show(campaign_id)["document"]
        return document

    def apply(
        self, document: Mapping[str, Any], *, dry_run: bool = False, version: int | None = None
    ) -> dict[str, Any]:
        """Declare a campaign; `version` is the one that was looked at (0: there was none)."""
        query = {"dry_run": "true"} if dry_run else {}
        if version is not None:
            query["version"] = str(version)
        return self._call("PUT", _path(str(document["id"])), json=document, query=query)

    def act(self, campaign_id: str, verb: str) -> dict[str, Any]:
        """Publish, pause, resume or end a campaign."""
        return self._call("POST", _path(campaign_id, verb))

    def publish(self, campaign_id: str) -> dict[str, Any]:
        """Publish a draft."""
        return self.act(campaign_id, "publish")

    def end(self, campaign_id: str) -> dict[str, Any]:
        """End a campaign."""
        return self.act(campaign_id, "end")

    def restock(self, campaign_id: str, restock_id: str, sku: str, quantity: int) -> dict[str, Any]:
        """Add units, once per restock id."""
        body = {"id": restock_id, "sku": sku, "quantity": quantity}
        return self._call("POST", _path(campaign_id, "restocks"), json=body)

    def history(self, campaign_id: str) -> list[dict[str, Any]]:
        """The audit trail, the latest act first."""
        entries: list[dict[str, Any]] = self._call("GET", _path(campaign_id, "history"))["entries"]
        return entries

    def statistics(self, campaign_id: str) -> dict[str, Any]:
        """Free, held and sold units of every SKU."""
        return self._call("GET", _path(campaign_id, "statistics"))

    def fulfilments(
        self, campaign_id: str, status: str, *, limit: int = FULFILMENTS_PAGE, after: str | None = None
    ) -> dict[str, Any]:
        """One page of a campaign's rewards in a status; `next` is where the next one begins."""
        _check_campaign_id(campaign_id)
        query = {"campaign_id": campaign_id, "status": status, "limit": str(limit)}
        return self._call("GET", "v1/admin/fulfilments", query=query | ({"after": after} if after else {}))

    def all_fulfilments(self, campaign_id: str, status: str) -> Iterator[dict[str, Any]]:
        """All of a campaign's rewards in a status, page by page as they are asked for."""
        after: str | None = None
        while True:
            page = self.fulfilments(campaign_id, status, after=after)
            yield from page["fulfilments"]
            after = page["next"]
            if after is None:
                return

    def fulfilment(self, reward_id: str) -> dict[str, Any]:
        """One reward with all that operators may know."""
        return self._call("GET", _reward_path(reward_id))

    def approve(self, reward_id: str) -> dict[str, Any]:
        """Agree, as a second person, that a reward leaves; `changed` is False if that was done before."""
        return self._call("POST", _reward_path(reward_id, "approve"))

    def redrive(self, reward_id: str) -> dict[str, Any]:
        """Send a failed or returned reward on its way once more; `changed` is False if it is on its way already."""
        return self._call("POST", _reward_path(reward_id, "redrive"))

    def queues(self) -> list[dict[str, Any]]:
        """How long the queues and their dead letters are."""
        queues: list[dict[str, Any]] = self._call("GET", "v1/admin/queues")["queues"]
        return queues

    def redrive_queue(
        self,
        queue: str,
        *,
        limit: int,
        cursor: str | None = None,
        campaign_id: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Do again some of what was given up; `next` is the cursor to go on with, None at the end."""
        if campaign_id is not None:
            _check_campaign_id(campaign_id)
        body = {"limit": limit, "cursor": cursor, "campaign_id": campaign_id, "dry_run": dry_run}
        given = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", f"v1/admin/queues/{queue}/redrive", json=given)

    def draw(self, campaign_id: str) -> dict[str, Any]:
        """What a lottery has promised in public, and what came of it; needs no token."""
        return self._call("GET", _public_path(campaign_id, "draw"))

    def draw_sight(self, campaign_id: str, *, dry_run: bool = False) -> dict[str, Any]:
        """How far a lottery's draw is, as operators see it."""
        return self._call("GET", _path(campaign_id, "draw"), query={"dry_run": "true"} if dry_run else {})

    def draw_places(self, campaign_id: str) -> Iterator[dict[str, Any]]:
        """Winners and reserves of a draw, in order, page by page as they are asked for."""
        after: str | None = None
        while True:
            page = self._call("GET", _path(campaign_id, "draw", "places"), query={"after": after} if after else {})
            yield from page["places"]
            after = page["next"]
            if after is None:
                return

    def receipt_pages(self, campaign_id: str) -> Iterator[dict[str, Any]]:
        """The parts of a lottery's receipt, page by page; needs no token."""
        after: str | None = None
        while True:
            query = {} if after is None else {"after": after}
            page = self._call("GET", _public_path(campaign_id, "draw", "receipt"), query=query)
            yield page["receipt"]
            after = page["next"]
            if after is None:
                return

    def start_coupon_job(self, campaign_id: str, job: str, kind: str, size: int, digest: str) -> dict[str, Any]:
        """Create a job that makes coupons, or find the one that was created before."""
        body = {"job": job, "kind": kind, "size": size, "digest": digest}
        return self._call("POST", _path(campaign_id, "coupon-jobs"), json=body)

    def coupon_batch(
        self, campaign_id: str, job: str, start: int, shoppers: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """The coupons of a job from a number on, 500 at most; they are made if they are not there."""
        body = {"from": start} | ({} if shoppers is None else {"shoppers": list(shoppers)})
        coupons: list[dict[str, Any]] = self._call("POST", _job_path(campaign_id, job, "batches"), json=body)["coupons"]
        return coupons

    def coupon_rows(self, campaign_id: str, job: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Take in lines of a partner's file, 500 at most; what became of each."""
        taken: list[dict[str, Any]] = self._call(
            "POST", _job_path(campaign_id, job, "rows"), json={"rows": list(rows)}
        )["rows"]
        return taken

    def coupon_pages(self, campaign_id: str, part: int) -> Iterator[dict[str, Any]]:
        """All that is stored of a campaign's coupons in one of 16 parts, page by page as they are asked for."""
        after: str | None = None
        while True:
            query = {"part": str(part)} | ({"after": after} if after else {})
            page = self._call("GET", _path(campaign_id, "coupons"), query=query)
            yield page
            after = page["next"]
            if after is None:
                return

    def disable_coupons(self, campaign_id: str, codes: Sequence[str]) -> list[str]:
        """Disable coupons, 500 codes at most; what became of each."""
        results: list[str] = self._call("POST", _path(campaign_id, "coupons", "disable"), json={"codes": list(codes)})[
            "results"
        ]
        return results

    def risk_report(self, campaign_id: str) -> dict[str, Any]:
        """What a campaign's gate has refused, or would have, counted."""
        return self._call("GET", _path(campaign_id, "risk"))

    def case(self, reference: str) -> dict[str, Any]:
        """One refusal, explained."""
        return self._call("GET", _case_path(reference))

    def allow_case(self, reference: str, days: int, reason: str) -> dict[str, Any]:
        """Lift a refusal; `changed` is False if that was done before."""
        return self._call("POST", _case_path(reference, "allow"), json={"days": days, "reason": reason})

    def put_listings(self, listings: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """Put something on the lists, 100 at most; what became of each."""
        rows: list[dict[str, Any]] = self._call("POST", "v1/admin/listings", json={"listings": list(listings)})[
            "listings"
        ]
        return rows

    def remove_listing(self, said: Mapping[str, str]) -> dict[str, Any]:
        """Take something (kind, and value or mark) off its list."""
        listing: dict[str, Any] = self._call("POST", "v1/admin/listings/remove", json=said)["listing"]
        return listing

    def listings(self, kind: str | None, listed: str | None) -> Iterator[dict[str, Any]]:
        """All that is listed, page by page as it is asked for."""
        query = {name: text for name, text in (("kind", kind), ("list", listed)) if text}
        yield from self._in_pages("v1/admin/listings", "listings", query)

    def listing_history(self) -> Iterator[dict[str, Any]]:
        """What was done to the lists, the latest act first, page by page as it is asked for."""
        yield from self._in_pages("v1/admin/listings/history", "entries", {})

    def _in_pages(self, path: str, name: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._call("GET", path, query={**query, "limit": "100"} | ({"after": after} if after else {}))
            yield from page[name]
            after = page["next"]
            if after is None:
                return

    def _call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                response = self._http.request(method, path, json=json, params=query, headers=headers)
            except httpx.RequestError as error:
                if tries_left == 0:
                    raise CommandFailed(
                        f"No answer from {self.url}: {error}",
                        exit_code=ExitCode.UNAVAILABLE,
                        advice="Is it running, and is the address right? Running the command again is safe.",
                    ) from None
                self.sleep(0.2)
                continue
            if response.status_code not in _BUSY or tries_left == 0:
                return self._read(response)
            self.sleep(_wait_seconds(response))
        raise AssertionError("unreachable")

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.is_success and isinstance(body, dict):
            return body
        if isinstance(body, dict) and "code" in body:
            raise ApiRefused(body)
        if response.status_code in (401, 403):  # the gateway's own answer has another shape
            code = "unauthenticated" if response.status_code == 401 else "forbidden"
            raise ApiRefused({"code": code, "title": "The API does not accept the token", "status": 401})
        if response.status_code in _BUSY:
            raise CommandFailed(
                f"{self.url} is too busy and lets no more requests through",
                exit_code=ExitCode.UNAVAILABLE,
                advice="Run the same command again in a moment; it is safe.",
            )
        raise CommandFailed(
            f"{self.url} answered {response.status_code}, and not as this API does",
            exit_code=ExitCode.UNAVAILABLE,
            advice="Check the address: `brandday url` shows the one in use.",
        )


def _path(campaign_id: str, *rest: str) -> str:
    _check_campaign_id(campaign_id)
    return "/".join(["v1/admin/campaigns", campaign_id, *rest])


def _job_path(campaign_id: str, job: str, what: str) -> str:
    if not re.fullmatch(JOB_NAME, job):
        raise CommandFailed(
            f"{job!r} cannot be the name of a job",
            exit_code=ExitCode.USAGE,
            advice="Use up to 40 lower-case letters, digits and hyphens.",
        )
    return _path(campaign_id, "coupon-jobs", job, what)


def _public_path(campaign_id: str, *rest: str) -> str:
    _check_campaign_id(campaign_id)
    return "/".join(["v1/campaigns", campaign_id, *rest])


def _reward_path(reward_id: str, *rest: str) -> str:
    if parse_reward_id(reward_id) is None:
        raise CommandFailed(
            f"{reward_id!r} cannot be the id of a reward",
            exit_code=ExitCode.REFUSED,
            advice=_ADVICE["reward_not_found"],
        )
    return "/".join(["v1/admin/fulfilments", reward_id, *rest])


def _case_path(reference: str, *rest: str) -> str:
    try:
        read = read_reference(reference)
    except ValueError:
        raise CommandFailed(
            f"{reference!r} cannot be a reference",
            exit_code=ExitCode.REFUSED,
            advice="A reference has ten letters and digits, like 7Q2MX0KD93; hyphens and small letters do not matter.",
        ) from None
    return "/".join(["v1/admin/cases", read, *rest])


def _check_campaign_id(campaign_id: str) -> None:
    # What is typed on a command line may hold anything; a slash must not lead to another route.
    if not re.fullmatch(CAMPAIGN_ID, campaign_id):
        raise CommandFailed(
            f"{campaign_id!r} cannot be the id of a campaign",
            exit_code=ExitCode.REFUSED,
            advice=_ADVICE["campaign_not_found"],
        )


def _wait_seconds(response: httpx.Response) -> float:
    try:
        return min(float(response.headers["Retry-After"]), LONGEST_WAIT_SECONDS)
    except (KeyError, ValueError):
        return 1.0
