"""Tickets and challenges through the API: each brings one claim to one shopper, and everything else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from brandday.domain.campaign import Eligibility, Status
from brandday.domain.entry_ticket import key_id, make_ticket
from brandday.domain.protection import Ask, ChallengeTerms, Counted, Limit, Protection, TicketTerms, Window
from brandday.domain.signals import SignalKind
from tests.fakes.backend import CLOSES, OPENS
from tests.fakes.ticket_api import PASSES, TicketApi
from tests.http_client import Answered

TICKET = TicketTerms(opens_before_ms=120_000, valid_ms=300_000)
CHALLENGE = ChallengeTerms("altcha", Ask.ALWAYS, difficulty=2, valid_ms=300_000, wait_ms=60_000)
PER_SHOPPER = Limit("tries", SignalKind.SHOPPER, Counted.ATTEMPTS, 10, Window(60_000, sliding=True))


@pytest.fixture
def api() -> TicketApi:
    """A sale that is entered with a ticket."""
    return TicketApi(Protection(ticket=TICKET))


@pytest.fixture
def hard() -> TicketApi:
    """A sale without tickets, where a challenge has to be solved for each claim."""
    return TicketApi(Protection(challenge=CHALLENGE))


@pytest.fixture
def both() -> TicketApi:
    """A sale whose tickets have to be worked for."""
    return TicketApi(Protection(ticket=TICKET, challenge=CHALLENGE))


def said(answer: Answered) -> tuple[int, str, Any]:
    return answer.status, answer.code, answer.body["params"].get("reason")


def ticket_invalid(reason: str) -> tuple[int, str, str]:
    return 403, "ticket_invalid", reason


def challenge_required(reason: str) -> tuple[int, str, str]:
    return 403, "challenge_required", reason


# --- tickets ------------------------------------------------------------------------------------------------------


def test_a_ticket_brings_one_claim(api: TicketApi) -> None:
    ticket = api.ticket()
    api.clock.advance(1)

    assert api.reserve(ticket=ticket).status == 201
    assert said(api.reserve(key="key-2", ticket=ticket)) == ticket_invalid("used")


def test_the_same_request_gets_the_same_answer_whatever_has_become_of_its_ticket(api: TicketApi) -> None:
    ticket = api.ticket()
    first = api.reserve(ticket=ticket)

    for later, other in ((1, ticket), (TICKET.valid_ms, ticket), (0, None), (0, "tkt_made-up")):
        api.clock.advance(later)
        again = api.reserve(ticket=other)
        assert (again.status, again.body["id"]) == (201, first.body["id"])
        assert again.headers["Idempotent-Replayed"] == "true"


def test_without_a_ticket_of_ones_own_nobody_gets_in(api: TicketApi) -> None:
    expired = api.ticket()
    api.clock.advance(TICKET.valid_ms)
    secret = b"the first secret"
    of_campaign = make_ticket(key_id(secret), secret, "another-sale", "shopper-1", api.clock(), CLOSES, "n")

    assert said(api.reserve()) == ticket_invalid("missing")
    assert said(api.reserve(ticket="")) == ticket_invalid("missing")
    assert said(api.reserve(ticket=api.ticket()[:-1] + "~")) == ticket_invalid("wrong")
    assert said(api.reserve(ticket=api.ticket("shopper-2"))) == ticket_invalid("wrong")
    assert said(api.reserve(ticket=of_campaign)) == ticket_invalid("wrong")
    assert said(api.reserve(ticket=expired)) == ticket_invalid("expired")
    assert api.world.owned("shopper-1") == 0


def test_to_check_a_ticket_takes_no_call(api: TicketApi) -> None:
    ticket = api.ticket()
    api.world.tap.calls.clear()

    assert api.reserve(ticket=ticket).status == 201
    assert list(api.world.tap.calls) == ["campaigns.load", "stock.write"]  # as without protection


def test_many_tickets_are_no_more_than_one_claim_at_a_time(api: TicketApi) -> None:
    tickets = [api.ticket() for _ in range(3)]
    api.clock.advance(1)
    first = api.reserve(ticket=tickets[0])
    assert first.status == 201
    assert api.cancel(first.body["id"]).status == 200

    for number, ticket in enumerate(tickets):
        assert said(api.reserve(key=f"more-{number}", ticket=ticket)) == ticket_invalid("used")
    api.clock.advance(1)
    assert api.reserve(key="anew", ticket=api.ticket()).status == 201


def test_tickets_are_given_out_from_shortly_before_the_start(api: TicketApi) -> None:
    api.clock.advance(-TICKET.opens_before_ms - 5000)
    early = api.get_ticket()
    assert (early.status, early.code, early.body["retry_after_ms"]) == (409, "campaign_not_started", 5000)

    api.clock.advance(5000)
    ticket = api.ticket()
    assert api.reserve(ticket=ticket).code == "campaign_not_started"
    api.clock.advance(TICKET.opens_before_ms)
    assert api.reserve(ticket=ticket).status == 201


def test_a_ticket_says_when_it_is_over_and_no_later_than_the_sale(api: TicketApi) -> None:
    assert api.get_ticket().body["expires_at"] == "2026-07-08T16:05:00.000Z"
    api.clock.advance(CLOSES - OPENS - 1000)
    assert api.get_ticket().body["expires_at"] == "2026-07-11T16:00:00.000Z"


def test_who_may_not_buy_gets_no_ticket(api: TicketApi) -> None:
    assert api.get_ticket(claims={"channel": "store"}).code == "not_eligible"
    api.world.change(eligibility=Eligibility(regions=("CN",)))
    assert api.get_ticket(claims={"region": "DE"}).code == "not_eligible"
    api.world.change(status=Status.PAUSED)
    assert api.get_ticket().code == "campaign_paused"
    api.world.change(status=Status.ENDED, ended_at=OPENS)
    assert api.get_ticket().code == "campaign_ended"


def test_when_everything_is_sold_nobody_is_looked_at_any_more() -> None:
    api = TicketApi(Protection(limits=(PER_SHOPPER,), ticket=TICKET, challenge=CHALLENGE), stock=1)
    bought = api.reserve(ticket=api.ticket(solution=api.solution())).body["id"]
    api.world.settle()
    assert api.get_ticket("shopper-2", solution=api.solution("shopper-2")).status == 201  # it may come back

    api.world.environment().confirm(bought)
    api.world.settle()
    api.world.tap.calls.clear()
    assert api.get_ticket("shopper-3").code == "sold_out"
    assert api.get_challenge("shopper-3").code == "sold_out"
    assert set(api.world.tap.calls) == {"campaigns.load"}


def test_a_campaign_without_tickets_gives_out_none(hard: TicketApi) -> None:
    assert hard.get_ticket().code == "no_ticket_needed"
    hard.world.change(protection=None)
    assert hard.get_ticket().code == "no_ticket_needed"
    assert hard.get_challenge().code == "no_challenge_needed"
    assert hard.get_challenge(campaign_id="no-such-sale").code == "campaign_not_found"


def test_while_the_secret_is_rotated_old_tickets_stay_good_and_new_ones_are_known_everywhere(api: TicketApi) -> None:
    before = api.ticket("shopper-1")
    api.secrets.values[PASSES] = [b"the second secret", b"the first secret"]
    after = api.ticket("shopper-2")

    assert before.partition(".")[0] != after.partition(".")[0]
    assert api.reserve("shopper-1", ticket=before).status == 201
    assert api.reserve("shopper-2", ticket=after).status == 201

    late = api.ticket("shopper-3")
    api.secrets.values[PASSES] = [b"the fourth secret", b"the third secret"]
    assert said(api.reserve("shopper-3", ticket=late)) == ticket_invalid("wrong")


# --- challenges ---------------------------------------------------------------------------------------------------


def test_a_solution_brings_one_claim(hard: TicketApi) -> None:
    assert said(hard.reserve()) == challenge_required("missing")
    solution = hard.solution()

    assert hard.reserve(solution=solution).status == 201
    assert said(hard.reserve(key="key-2", solution=solution)) == challenge_required("used")
    hard.clock.advance(1)
    assert hard.reserve(key="key-2", solution=hard.solution()).status == 200  # what they hold already


def test_a_solution_is_nobody_elses_and_not_for_ever(hard: TicketApi) -> None:
    solution = hard.solution("shopper-1")

    assert said(hard.reserve("shopper-2", solution=solution)) == challenge_required("wrong")
    assert said(hard.reserve("shopper-1", solution=solution[:-8])) == challenge_required("wrong")
    hard.clock.advance(CHALLENGE.valid_ms)
    assert said(hard.reserve("shopper-1", solution=solution)) == challenge_required("expired")


def test_who_cannot_solve_it_waits(hard: TicketApi) -> None:
    posed = hard.get_challenge(query={"kind": "wait"}).body

    assert said(hard.reserve(solution=posed["solution"])) == challenge_required("early")
    hard.clock.advance(CHALLENGE.wait_ms)
    assert hard.reserve(solution=posed["solution"]).status == 201
    assert said(hard.reserve(key="key-2", solution=posed["solution"])) == challenge_required("used")


def test_a_shop_that_vouches_for_a_person_spares_them_the_challenge(hard: TicketApi) -> None:
    headers: dict[str, str | None] = {"idempotency-key": "key-1"}
    answer = hard.call(
        hard.sale(),
        "POST",
        "/v1/campaigns/{campaign_id}/reservations",
        body={"sku": "HERO", "quantity": 1},
        headers=headers,
        claims={"vouched": "true"},
    )
    assert answer.status == 201


def test_one_challenge_is_one_claim_however_many_tickets_it_brings(both: TicketApi) -> None:
    assert said(both.get_ticket()) == challenge_required("missing")
    solution = both.solution()
    tickets = [both.ticket(solution=solution) for _ in range(2)]
    both.clock.advance(1000)

    assert both.reserve(ticket=tickets[0]).status == 201
    assert said(both.reserve(key="key-2", ticket=tickets[1])) == ticket_invalid("used")
    later = both.ticket(solution=solution)
    assert said(both.reserve(key="key-2", ticket=later)) == ticket_invalid("used")


def test_challenges_are_posed_so_early_that_they_are_solved_when_the_desk_opens(both: TicketApi) -> None:
    both.clock.advance(-TICKET.opens_before_ms - CHALLENGE.valid_ms - 1)
    assert both.get_challenge().code == "campaign_not_started"
    both.clock.advance(2000)
    solution = both.solution()
    both.clock.advance(CHALLENGE.valid_ms - 2000)
    assert both.get_ticket(solution=solution).code == "campaign_not_started"
    both.clock.advance(1)
    assert both.get_ticket(solution=solution).status == 201


def test_a_kind_that_there_is_not_is_named(hard: TicketApi) -> None:
    answer = hard.get_challenge(query={"kind": "captcha"})
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert answer.body["errors"][0]["query"] == "kind"
