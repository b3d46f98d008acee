"""The crowd of a rehearsal with bots, how it plays, and how it is counted."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from brandday_cli.abuse_plan import BOTS, CAFE, HONEST_SHARE, HOUSEHOLD, Kind, Visitor, plan_visitors
from brandday_cli.abuse_play import MOST_TRIES, Played, Reply, Result, play_visitors
from brandday_cli.abuse_rehearsal import Comparison
from brandday_cli.abuse_verdict import Round

CLAIMS = {"channel": "web"}


def test_one_visitor_in_five_is_a_person_and_every_kind_of_bot_comes() -> None:
    crowd = plan_visitors(500, 1, CLAIMS)
    kinds = Counter(visitor.kind for visitor in crowd)
    assert kinds[Kind.HONEST] == 500 * HONEST_SHARE
    assert {kinds[kind] for kind in BOTS} == {80}
    assert crowd == plan_visitors(500, 1, CLAIMS)
    assert crowd != plan_visitors(500, 2, CLAIMS)


def test_bots_come_first_and_share_what_they_share() -> None:
    crowd = plan_visitors(500, 1, CLAIMS)
    by_kind = {kind: [visitor for visitor in crowd if visitor.kind is kind] for kind in Kind}
    people = by_kind[Kind.HONEST]
    assert min(person.arrives_after for person in people) > 0.2
    devices, networks = Counter(one.signals["device"] for one in people), Counter(one.signals["ip"] for one in people)
    assert set(devices.values()) == {1, 2}, "some share a tablet"
    assert networks.most_common(1)[0][1] == len(people) * CAFE
    assert networks.most_common(2)[1][1] == HOUSEHOLD
    assert len({bot.signals["device"] for bot in by_kind[Kind.ONE_DEVICE]}) == 2
    assert len({bot.signals["device"] for bot in by_kind[Kind.ONE_NETWORK]}) == 80
    assert len({bot.signals["ip"].rpartition(".")[0] for bot in by_kind[Kind.ONE_NETWORK]}) == 2
    replays = [bot for bot in by_kind[Kind.REPLAY] if bot.replays is not None]
    owners = {bot.number: bot for bot in by_kind[Kind.REPLAY] if bot.wants_ticket}
    assert replays
    assert {bot.replays for bot in replays} <= set(owners)
    same = sum(bot.account == owners[bot.replays or 0].account for bot in replays)
    assert 0 < same < len(replays), "some replay for the account of the ticket, some for others"


class Shop:
    """An API that gives units to whoever comes first, and with tickets only to those who have one."""

    def __init__(self, stock: int, *, tickets: bool, busy_for: int = 0) -> None:
        self.stock, self.tickets, self.busy = stock, tickets, Counter[int]()
        self.busy_for = busy_for
        self._lock = threading.Lock()

    def sign(self, visitors: Sequence[Visitor]) -> None:
        """Nobody is asked for a token here."""

    def send(
        self, visitor: Visitor, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Reply:
        """Answer as the product would."""
        with self._lock:
            if path == "/v1/validations":
                return Reply(429, "rate_limited", {})
            if path.endswith("/tickets"):
                return Reply(201, "", {"ticket": f"tkt_{visitor.account}"})
            self.busy[visitor.number] += 1
            if self.busy[visitor.number] <= self.busy_for:
                return Reply(503, "temporarily_overloaded", {"retry_after_ms": 1})
            if self.tickets and headers.get("Entry-Ticket") != f"tkt_{visitor.account}":
                return Reply(403, "ticket_invalid", {"method": method, "body": body})
            if self.stock == 0:
                return Reply(409, "sold_out", {})
            self.stock -= 1
            return Reply(201, "", {"id": f"rsv_{self.stock}"})


def play(shop: Shop, visitors: int = 50) -> list[Result]:
    """Play a crowd that comes at once."""
    crowd = plan_visitors(visitors, 1, CLAIMS)
    played = Played("sale", "HERO", opens_at=0.0, tickets=shop.tickets, challenge=False)
    return play_visitors(shop, played, crowd, 1, lambda _: None)


def test_without_a_gate_the_bots_are_first() -> None:
    first = Round.of(10, play(Shop(10, tickets=False)))
    assert sum(first.units.values()) == 10
    assert first.honest_share == 0
    assert first.turned_away == 0, "what is sold out is nobody's mistake"


def test_a_gate_turns_scripts_away_and_is_held_against_it_if_it_turns_away_people() -> None:
    gated = Round.of(40, play(Shop(40, tickets=True)))
    assert gated.units[Kind.NO_TICKET] == 0
    assert gated.units[Kind.HONEST] == 10
    assert gated.refusals[Kind.NO_TICKET] == {"ticket_invalid": 8}
    assert gated.wrongly_refused == 0
    crowd = [visitor for visitor in plan_visitors(50, 1, CLAIMS) if visitor.kind is Kind.HONEST]
    refused = Round.of(30, [Result(visitor, refusals=Counter({"limit_reached": 1})) for visitor in crowd])
    assert refused.wrongly_refused == 1


def test_visitors_come_back_when_told_to_but_not_for_ever() -> None:
    busy = play(Shop(50, tickets=False, busy_for=2))
    assert all(result.reservation for result in busy if result.visitor.kind is Kind.HONEST)
    hopeless = play(Shop(50, tickets=False, busy_for=MOST_TRIES), visitors=5)
    assert not any(result.reservation for result in hopeless)
    assert all(result.requests <= MOST_TRIES for result in hopeless)


@pytest.mark.parametrize("audits", [True, False], ids=["true books", "false books"])
def test_the_comparison_asks_for_all_three(audits: bool) -> None:
    without, gated = Round.of(10, play(Shop(10, tickets=False))), Round.of(40, play(Shop(40, tickets=True)))
    assert Comparison(without, gated, audits).kept is audits
    assert not Comparison(gated, without, audits).kept
