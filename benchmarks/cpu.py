"""What our code adds to what the libraries cost: processor time of a request through the real `lambda_handler`.

    python -m benchmarks.cpu [--pairs 101]

* a claim (event in, response out, one write) over one bare boto3 `UpdateItem` with the same parameters;
* a sold-out refusal (no call at all) over a Powertools route that does nothing, asked with the same event.

The two of a pair run in the same process, one after the other and in turns, so that both meet the same machine; the
figure is the median of the pairs' ratios. Processor time of this process is counted, not waiting. The database's
answers were recorded from DynamoDB Local in the same run and are served by a process that only looks them up
(`benchmarks/canned.py`): an engine that works would share our two cores and only add noise.
"""

import argparse
import cProfile
import json
import os
import pstats
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from rich.table import Table

from benchmarks import canned, results
from benchmarks.engine import client_of
from benchmarks.ours import CAMPAIGN, SKU, Shards, flash_sale, publish
from benchmarks.results import Claim, wide_console
from brandday.adapters.aws import dynamodb_client
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.stock_table import StockTable
from brandday.bootstrap import sale_functions
from brandday.domain.campaign import Shopper
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.reserve_units import ReserveUnits
from brandday_local.dynamodb_local import DynamoDbLocal

EVENT = Path(__file__).parents[1] / "tests" / "events" / "reserve_units.json"
SOLD_OUT = "brand-day-over"
STOCK = 60_000
CLAIM_AT_MOST = 1.6
REFUSAL_AT_MOST = 1.5

type Handler = Callable[[dict[str, Any], Any], Any]


class Context:
    """What Lambda passes beside the event."""

    aws_request_id = "7e1f0c1a-5f0e-4c0e-9d3b-1c2d3e4f5a6b"
    function_name = "reservations"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:reservations"


@dataclass(frozen=True)
class Comparison:
    """Two ways to spend processor time, each `make(times)` prepares as many calls to be timed."""

    name: str
    ours: str
    theirs: str
    make_ours: Callable[[int], Callable[[], None]]
    make_theirs: Callable[[int], Callable[[], None]]
    times: int
    at_most: float | None = None


@dataclass(frozen=True)
class Pair:
    """Microseconds of processor time per call."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """How many times as much ours takes."""
        return self.ours / self.theirs


def main() -> None:
    """Measure, print, write results.json, and fail if a bound is broken."""
    options = _options()
    console = wide_console()
    pattern, recorder = _recorded()
    tables = {"STOCK_TABLE": pattern.stock_table, "CAMPAIGN_TABLE": pattern.campaign_table}
    with canned.serve(recorder.answers) as url, environment(url, **tables), lines_to_nowhere():
        comparisons = _comparisons(recorder)
        if options.profile:
            _profile(comparisons, options.profile)
            return
        measured = {each.name: _measure(each, options.pairs) for each in comparisons}
    table = Table(title="Processor time per request", title_justify="left")
    for column in ("what", "ours", "measured against", "theirs", "ratio", "middle half", "at most"):
        table.add_column(column, no_wrap=True, justify="left" if column in ("what", "measured against") else "right")
    for each in comparisons:
        figures = _figures(measured[each.name])
        low, high = figures["ratio_middle_half"]
        table.add_row(
            each.ours,
            f"{figures['ours_us']:.0f} us",
            each.theirs,
            f"{figures['theirs_us']:.0f} us",
            f"{figures['ratio']:.2f}",
            f"{low:.2f} - {high:.2f}",
            "" if each.at_most is None else f"{each.at_most:.1f}",
        )
    console.print(table)
    section = {
        "measured_against": "what the libraries alone cost, in the same process; answers recorded from DynamoDB Local",
        "unit": "ratio of processor times; median of the pairs, [quartiles]",
        "comparisons": {
            each.name: {
                "ours": each.ours,
                "against": each.theirs,
                **_figures(measured[each.name]),
            }
            for each in comparisons
        },
    }
    claims = [
        Claim(f"processor time of {each.ours}", _figures(measured[each.name])["ratio"], each.at_most, each.theirs)
        for each in comparisons
        if each.at_most is not None
    ]
    results.save("cpu", section, claims)
    console.print(f"written to {results.RESULTS}")
    results.stand_by(claims)


def _recorded() -> tuple[Shards, canned.Recorder]:
    """Let a shopper claim, and another buy the last unit of another campaign; keep what the engine said."""
    recorder = canned.Recorder((CAMPAIGN, SOLD_OUT))
    pattern, now_ms = Shards("canned"), time.time_ns() // 1_000_000
    with DynamoDbLocal() as engine:
        client = client_of(engine.endpoint_url)
        pattern.create(client, STOCK, now_ms)
        publish(
            client, pattern.stock_table, pattern.campaign_table, flash_sale(1, now_ms, campaign_id=SOLD_OUT), now_ms
        )
        follow = pattern.background(client, lambda: now_ms)
        recorder.attach(client)
        live = LiveCampaigns(CampaignTable(client, pattern.campaign_table), lambda: now_ms)
        stock = StockTable(client, pattern.stock_table)
        reserve, manage = ReserveUnits(live, stock, lambda: now_ms), ManageReservation(live, stock, lambda: now_ms)
        bought = reserve(Shopper("buyer", channel="app"), SOLD_OUT, SKU, 1, "key").reservation
        manage.confirm(bought.id, "order-1")
        follow()
        stock.read(SOLD_OUT, (0,), consistent=True)
        CampaignTable(client, pattern.campaign_table).load(SOLD_OUT)
        CampaignTable(client, pattern.campaign_table).load(CAMPAIGN)
        reserve(Shopper("shopper", channel="app"), CAMPAIGN, SKU, 1, "key")
        client.close()
    return pattern, recorder


@contextmanager
def environment(url: str, **tables: str) -> Iterator[None]:
    """What Lambda would set, `tables` among it; there are no other credentials, so nothing can reach an account."""
    before = dict(os.environ)
    os.environ.update(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106 - made up
        AWS_SESSION_TOKEN="testing",  # noqa: S106
        AWS_DEFAULT_REGION="us-east-1",
        **tables,
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def lines_to_nowhere() -> Iterator[None]:
    """Like Lambda, write every line of the log at once; unlike it, to nobody."""
    before = sys.stdout
    with Path(os.devnull).open("w", buffering=1) as nowhere:
        sys.stdout = nowhere
        try:
            yield
        finally:
            sys.stdout = before


def _comparisons(recorder: canned.Recorder) -> Sequence[Comparison]:
    handler: Handler = sale_functions.reservations()
    shoppers = count()
    template = json.loads(EVENT.read_text())

    def ours(campaign: str, said: str) -> Callable[[int], Callable[[], None]]:
        def make(times: int) -> Callable[[], None]:
            events = [_event(template, campaign, f"shopper-{next(shoppers)}") for _ in range(times)]

            def call() -> None:
                for event in events:
                    answer = handler(event, Context)
                    assert said in answer["body"], answer

            return call

        return make

    def bare(client: Any) -> Callable[[int], Callable[[], None]]:
        params = recorder.requests["UpdateItem", CAMPAIGN]

        def make(times: int) -> Callable[[], None]:
            def call() -> None:
                for _ in range(times):
                    client.update_item(**params)

            return call

        return make

    app = APIGatewayHttpResolver()

    @app.post("/v1/campaigns/<campaign_id>/reservations")
    def nothing(campaign_id: str) -> dict[str, Any]:
        del campaign_id
        return {}

    def empty(times: int) -> Callable[[], None]:
        events = [_event(template, SOLD_OUT, f"shopper-{next(shoppers)}") for _ in range(times)]

        def call() -> None:
            for event in events:
                assert app.resolve(event, Context)["statusCode"] == 200  # type: ignore[arg-type]

        return call

    our_client = dynamodb_client(900)
    return (
        Comparison(
            "claim",
            "a claim",
            "UpdateItem of a boto3 client as it comes",
            ours(CAMPAIGN, '"state":"held"'),
            bare(boto3.client("dynamodb")),
            20,
            CLAIM_AT_MOST,
        ),
        Comparison(
            "claim_over_our_client",
            "a claim",
            "UpdateItem of our own client (fewer retries and checks)",
            ours(CAMPAIGN, '"state":"held"'),
            bare(our_client),
            20,
        ),
        Comparison(
            "sold_out",
            "a sold-out refusal",
            "a Powertools route that does nothing",
            ours(SOLD_OUT, '"code":"sold_out"'),
            empty,
            100,
            REFUSAL_AT_MOST,
        ),
    )


def _event(template: dict[str, Any], campaign: str, shopper: str) -> dict[str, Any]:
    event = deepcopy(template)
    path = f"/v1/campaigns/{campaign}/reservations"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["pathParameters"]["campaign_id"] = campaign
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"sub": shopper, "channel": "app"}
    event["headers"]["idempotency-key"] = f"key-of-{shopper}"
    event["body"] = json.dumps({"sku": SKU, "quantity": 1})
    return event


def _measure(comparison: Comparison, pairs: int) -> list[Pair]:
    for make in (comparison.make_ours, comparison.make_theirs):
        make(comparison.times * 2)()  # warm
    measured = []
    for number in range(pairs):
        ours, theirs = comparison.make_ours(comparison.times), comparison.make_theirs(comparison.times)
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: _processor_us(first), second: _processor_us(second)}
        measured.append(Pair(times[ours] / comparison.times, times[theirs] / comparison.times))
    return measured


def _processor_us(call: Callable[[], None]) -> float:
    began = time.process_time_ns()
    call()
    return (time.process_time_ns() - began) / 1000


def _figures(pairs: Sequence[Pair]) -> dict[str, Any]:
    ratios = [pair.ratio for pair in pairs]
    quarters = quantiles(ratios, n=4)
    return {
        "ratio": round(median(ratios), 3),
        "ratio_middle_half": [round(quarters[0], 3), round(quarters[2], 3)],
        "ours_us": round(median(pair.ours for pair in pairs), 1),
        "theirs_us": round(median(pair.theirs for pair in pairs), 1),
        "pairs": len(pairs),
    }


def _profile(comparisons: Sequence[Comparison], name: str) -> None:
    """Print where the time of one comparison's `ours` goes (`sold_out`), or that of what it is measured against
    (`-sold_out`).
    """
    chosen = next(each for each in comparisons if each.name == name.strip("-"))
    call = (chosen.make_theirs if name.startswith("-") else chosen.make_ours)(2000)
    profile = cProfile.Profile()
    profile.enable()
    call()
    profile.disable()
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(60)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=101, help="pairs per comparison (default 101)")
    parser.add_argument("--profile", default="", help="show where one comparison's time goes instead; -name: theirs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
