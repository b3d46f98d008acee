"""A rehearsal against a stub shop: an honest one passes, and each planted fault breaks its own promise."""

import dataclasses
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from brandday.config.mechanics import parse_campaign
from brandday.domain.reservation_id import parse_reservation_id
from brandday_cli.rehearsal import RehearsalRefused, Script, Stage, rehearse_campaign
from brandday_cli.rehearsal_display import RehearsalDisplay, render_verdict
from brandday_cli.rehearsal_plan import copy_declaration
from brandday_cli.rehearsal_shopper import Call
from brandday_cli.rehearsal_verdict import Verdict
from brandday_cli.rehearsal_warm_up import PATH
from tests.fakes.declarations import FULFILMENT, document
from tests.functional.rehearsal_stub import StubShop, open_mint, serve

PROMISES = ("oversold", "lost", "duplicates", "wrong_sold_out", "errors_5xx")
FAULTS = dict(zip(("oversells", "forgets", "repeats", "lies", "fails"), PROMISES, strict=True))


class Quiet:
    """An audience that only remembers."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.stages: list[str] = []
        self.tokens = 0
        self.lanes = 0

    def on_stage(self, what: str, _shoppers: int, /) -> None:
        self.stages.append(what)

    def on_signed(self, tokens: int) -> None:
        self.tokens += tokens

    def on_warm(self, lanes: int) -> None:
        self.lanes += lanes

    def on_calls(self, calls: list[Call], _visits: int, /) -> None:
        self.calls += calls

    def on_pause(self) -> None:
        pass


class Together:
    """Rehearsals that are played at the same time: most of one is waiting for doors to open."""

    AT_ONCE = 4

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(self.AT_ONCE)
        self.shops = {fault: StubShop(fault) for fault in ("stumbles", *FAULTS, "refuses", "")}
        self.audience = Quiet()  # of the honest shop
        scripts: dict[str, dict[str, Any]] = {
            "refuses": {"shoppers": 2, "processes": 1},
            "": {"shoppers": 5, "processes": 2, "audience": self.audience},
        }
        self.verdicts = {
            fault: self.pool.submit(play, shop, **scripts.get(fault, {"processes": 1}))
            for fault, shop in self.shops.items()
        }


@pytest.fixture(scope="module")
def together() -> Iterator[Together]:
    """Every fault's rehearsal, and a small one of an honest shop."""
    started = Together()
    with started.pool:
        yield started


def play(shop: StubShop, audience: Quiet | None = None, **script: Any) -> Verdict:
    with serve(shop) as url:
        stage = Stage(url, shop, open_mint, shop.findings)
        chosen = Script(**{"shoppers": 60, "processes": 2, "opens_in": 1.0, "late_after": 0.7, **script})
        return rehearse_campaign(stage, "brand-day", chosen, audience or Quiet())


def test_an_honest_shop_keeps_every_promise_under_a_mixed_crowd() -> None:
    shop, audience = StubShop(), Quiet()
    verdict = play(shop, audience)
    assert verdict.kept, verdict
    assert verdict.shoppers == audience.tokens == 60
    assert verdict.initial == 40 == verdict.sold + verdict.held + verdict.free
    answers = verdict.responses
    for outcome in ("created", "replayed", "resumed", "confirmed", "campaign_not_started", "shopper_limit_reached"):
        assert answers[outcome] > 0, answers
    assert sum(answers.values()) == len(audience.calls)
    assert verdict.p50_ms <= verdict.p99_ms
    assert verdict.requests_per_s > 0
    assert list(json.loads(json.dumps(verdict.as_json()))) == [
        "shoppers",
        "initial",
        "sold",
        "held",
        "free",
        "oversold",
        "lost",
        "duplicates",
        "wrong_sold_out",
        "responses",
        "errors_5xx",
        "p50_ms",
        "p99_ms",
        "requests_per_s",
        "audit_ok",
    ]


def test_the_copy_is_ended_and_the_campaign_itself_left_alone(together: Together) -> None:
    shop = together.shops[""]
    together.verdicts[""].result()
    assert shop.published == shop.ended
    assert shop.published[0].startswith("brand-day-rehearsal-")


def test_the_crowd_warms_the_backend_up_first_and_counts_none_of_it(together: Together) -> None:
    shop, audience = together.shops[""], together.audience
    verdict = together.verdicts[""].result()
    assert [stage.partition(" on ")[0] for stage in audience.stages] == [
        "signing tokens",
        "warming up (not counted)",
        "the rush",
    ]
    assert audience.lanes == 8
    assert shop.reads_before_requests >= audience.lanes
    assert sum(verdict.responses.values()) == len(audience.calls) == shop.requests
    assert "reservation_not_found" not in verdict.responses


def test_what_the_warm_up_reads_could_be_a_reservation() -> None:
    # a malformed id would be refused before anything is looked for in the database
    assert parse_reservation_id(PATH.rpartition("/")[2]) is not None


def test_an_honest_refusal_for_overload_is_retried_and_no_error(together: Together) -> None:
    verdict = together.verdicts["stumbles"].result()
    assert verdict.responses["temporarily_overloaded"] > 0
    assert verdict.kept, verdict


@pytest.mark.parametrize(("fault", "promise"), FAULTS.items())
def test_a_shop_with_a_fault_breaks_that_promise(fault: str, promise: str, together: Together) -> None:
    verdict = together.verdicts[fault].result()
    assert not verdict.kept
    assert getattr(verdict, promise) > 0, verdict


def test_the_display_counts_and_the_verdict_is_readable() -> None:
    console = Console(width=120, file=io.StringIO(), record=True)
    shop = StubShop()
    with serve(shop) as url, RehearsalDisplay(console) as display:
        stage = Stage(url, shop, open_mint, shop.findings)
        verdict = rehearse_campaign(
            stage, "brand-day", Script(shoppers=5, processes=1, opens_in=0.5, late_after=0.5), display
        )
    console.print(render_verdict(verdict))
    console.print(render_verdict(dataclasses.replace(verdict, lost=3)))
    text = console.export_text()
    assert "5/5" in text
    assert "Every promise was kept." in text
    assert "A promise was broken." in text


@pytest.mark.parametrize("url", ["https://shop.example/api", "http://10.0.0.1:8080", "http://localhost.example"])
def test_a_rehearsal_is_played_on_this_machine_only(url: str) -> None:
    shop = StubShop()
    with pytest.raises(RehearsalRefused, match="only on this machine"):
        rehearse_campaign(Stage(url, shop, open_mint, shop.findings), "brand-day", Script(), Quiet())


def test_a_rehearsal_in_which_nobody_gets_through_proves_nothing(together: Together) -> None:
    with pytest.raises(RehearsalRefused, match="no shopper got through"):
        together.verdicts["refuses"].result()


def test_a_campaign_that_opens_in_the_far_future_is_not_rehearsed_live() -> None:
    shop = StubShop()
    shop.starts_at = "2099-01-01T00:00:00+00:00"
    with pytest.raises(RehearsalRefused, match="opens only at"):
        play(shop, shoppers=2, live=True)


def test_nothing_that_is_bought_at_a_rehearsal_leaves_for_a_partner() -> None:
    """The copy is a campaign that works, whatever the rewards of the one it is made from."""
    original = document("skus.0.reward", {"kind": "physical"}, fulfilment=FULFILMENT)
    copy = parse_campaign(copy_declaration(original, "x", datetime(2026, 12, 24, tzinfo=UTC))).to_campaign()
    assert copy.fulfilment.by_kind == {}
    assert {str(sku.reward.kind) for sku in copy.skus} == {"order"}
