"""Whether the time of an answer tells a guesser that a code is somebody's coupon.

    python -m benchmarks.guesses [--rounds 500]

Shoppers ask `POST /v1/validations` about codes that pass the check characters: half of them are coupons of somebody
else, half were never made. Both are `coupon_not_found`, through the handler that Lambda runs, over DynamoDB Local. In
each round both kinds are asked once, in random order, and once more over a variant that returns as soon as it has found
that the coupon is somebody else's: the control, which this harness has to tell apart.

Two lots of times are told apart by Mann and Whitney's U (https://en.wikipedia.org/wiki/Mann-Whitney_U_test): the share
of pairs in which a time of the one lot is longer than one of the other. A half is a coin's toss. It takes no shape for
granted. How probable it is by chance is shown beside it, with the normal approximation: of enough answers without a
network in between, that sees the tenth of a millisecond which reading one more item takes.
"""

import argparse
import json
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count, cycle
from statistics import NormalDist, median, quantiles
from typing import TYPE_CHECKING, Any, Never, override

from rich.table import Table

from benchmarks import results
from benchmarks.cpu import EVENT, Context, Handler, lines_to_nowhere
from benchmarks.deployed import TABLES, deployed
from benchmarks.ours import CAMPAIGN, publish
from benchmarks.results import Claim, wide_console
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.clock import now_ms
from brandday.adapters.coupon_table import CouponTable
from brandday.adapters.stock_table import StockTable
from brandday.bootstrap import coupon_functions
from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign
from brandday.domain.coupon import Validity
from brandday.domain.coupon_code import CodeKeys, coupon_id, fold, make_code
from brandday.entrypoints.coupons import ROUTES, CouponUseCases
from brandday.entrypoints.http import build_app
from brandday.usecases.coupon_facts import facts_of, job_source
from brandday.usecases.coupon_ports import Found
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.manage_rewards import Owners
from brandday.usecases.validate_codes import ValidateCodes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CODES = 50
"""So many of each kind, in turn: no single item of the database decides."""

WARM = 50
BIAS_AT_MOST = 0.15
"""How far from a half the share may be: of 20 answers, 13 guesses are right where a coin has 10."""
CONTROL_MISSES = 0.5 - BIAS_AT_MOST
"""The share of pairs in which the control is misjudged, at most: it has to fail what we claim."""

_HOUR_MS = 3_600_000
_ROUTE = "/v1/validations"


@dataclass(frozen=True)
class Lots:
    """Milliseconds of answers about codes that are somebody else's, and about codes that were never made."""

    found: list[float]
    not_found: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long one takes as the other, by their medians."""
        return median(self.found) / median(self.not_found)

    @property
    def spread(self) -> list[float]:
        """The middle half of the rounds' ratios."""
        low, _, high = quantiles((one / other for one, other in zip(self.found, self.not_found, strict=True)), n=4)
        return [round(low, 3), round(high, 3)]

    @property
    def share(self) -> float:
        """In which share of all pairs the one that is found takes longer: U, divided by the number of pairs."""
        ordered = sorted(self.not_found)
        u = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in self.found) / 2
        return u / (len(self.found) * len(ordered))

    @property
    def chance(self) -> float:
        """How probable it is that equal answers are as far from a half, or further."""
        ours, theirs = len(self.found), len(self.not_found)
        deviation = ((ours + theirs + 1) / (12 * ours * theirs)) ** 0.5
        return 2 * NormalDist().cdf(-abs(self.share - 0.5) / deviation)


class EarlyReturn(LiveCodes):
    """The control: leaves the look at the shopper's own claims out when it knows the answer already."""

    @override
    def resolve(self, owner: str | None, codes: Sequence[str], *, consistent: bool = False) -> tuple[Found | None, ...]:
        ids = [coupon_id(self.keys(), fold(code)) for code in codes]
        if self._coupons.load(ids, consistent=consistent):
            return (None,) * len(codes)
        words, keys = self._look()
        if keys is not None and owner is not None:
            self._written_down(self._just_taken(keys, words, owner), codes)
        return (None,) * len(codes)


def measure(rounds: int) -> dict[str, Lots]:
    """Return the times of the product and of the control."""
    with deployed({}, {}) as client, lines_to_nowhere():
        found, not_found = _codes(client)
        product, control = Lots([], []), Lots([], [])
        asked = [
            (handler, codes, times)
            for handler, lots in ((coupon_functions.coupons(), product), (_control(client), control))
            for codes, times in ((cycle(found), lots.found), (cycle(not_found), lots.not_found))
        ]
        draws, guesser = random.Random(1), count()
        for number in range(WARM + rounds):
            for handler, codes, times in draws.sample(asked, len(asked)):
                took = _ask(handler, next(codes), next(guesser))
                if number >= WARM:
                    times.append(took)
    return {"ours": product, "an early return (control)": control}


def _codes(client: "DynamoDBClient") -> tuple[list[str], list[str]]:
    """Publish a campaign whose coupons shoppers take; return codes of somebody's coupons, and codes of none."""
    publish(client, TABLES["STOCK_TABLE"], TABLES["CAMPAIGN_TABLE"], _campaign(now_ms()), now_ms())
    stored = CampaignTable(client, TABLES["CAMPAIGN_TABLE"])
    secret, (campaign, _) = stored.code_secret(), stored.load(CAMPAIGN, consistent=True)
    assert secret is not None
    assert campaign.layout is not None
    keys, owner = CodeKeys.from_secret(secret), campaign.layout.name_of("somebody else")
    theirs = [facts_of(keys, campaign, job_source("theirs", number), now_ms(), owner=owner) for number in range(CODES)]
    CouponTable(client, TABLES["COUPON_TABLE"], TABLES["STOCK_TABLE"]).put_facts(theirs)
    none = [make_code(keys, CAMPAIGN, job_source("none", number)) for number in range(CODES)]
    return [facts.code for facts in theirs], none


def _campaign(now: int) -> Campaign:
    document = {
        "id": CAMPAIGN,
        "title": {"en": "Ten off"},
        "mechanic": "coupon",
        "time_zone": "Asia/Shanghai",
        "starts_at": "2026-11-09T00:00:00",
        "ends_at": "2026-11-12T00:00:00",
        "channels": ["app"],
        "currency": "CNY",
        "code_kind": "unique",
        "issued_by": "shoppers",
        "quantity": 1000,
        "benefit": {"kind": "amount_off", "amount": {"amount": 1000, "currency": "CNY"}},
    }
    campaign = parse_campaign(document).to_campaign()
    assert campaign.coupon is not None
    opens, closes = now - 1000, now + _HOUR_MS
    coupon = replace(campaign.coupon, validity=Validity(opens, closes))
    return replace(campaign, starts_at=opens, ends_at=closes, coupon=coupon)


def _control(client: "DynamoDBClient") -> Handler:
    campaigns, stock = CampaignTable(client, TABLES["CAMPAIGN_TABLE"]), StockTable(client, TABLES["STOCK_TABLE"])
    coupons = CouponTable(client, TABLES["COUPON_TABLE"], TABLES["STOCK_TABLE"])
    live = LiveCampaigns(campaigns, now_ms)
    codes = EarlyReturn(campaigns, coupons, live, stock, now_ms)

    def unused(*_: object) -> Never:
        raise NotImplementedError

    use_cases = CouponUseCases(
        take_coupon=unused,
        list_coupons=unused,
        validate_codes=ValidateCodes(codes, live, stock, Owners(campaigns.known_salt), now_ms),
        show_coupon=unused,
        draw_qr=unused,
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


_TEMPLATE = json.loads(EVENT.read_text())


def _ask(handler: Handler, code: str, guesser: int) -> float:
    """Return the milliseconds of one answer, which has to be that there is no such coupon.

    Each guesser has an account and a network of their own: the same one would be slowed down after a few.
    """
    event: dict[str, Any] = deepcopy(_TEMPLATE)
    event["routeKey"] = event["requestContext"]["routeKey"] = f"POST {_ROUTE}"
    event["rawPath"] = event["requestContext"]["http"]["path"] = _ROUTE
    event["pathParameters"] = {}
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"sub": f"guesser-{guesser}", "channel": "app"}
    event["requestContext"]["http"]["sourceIp"] = f"10.{guesser >> 8 & 255}.{guesser & 255}.1"
    price = {"amount": 9950, "currency": "CNY"}
    order = {"currency": "CNY", "lines": [{"sku": "HERO", "quantity": 2, "unit_price": price}], "channel": "app"}
    event["body"] = json.dumps({"codes": [code], "order": order})
    began = time.perf_counter_ns()
    answer = handler(event, Context)
    took = (time.perf_counter_ns() - began) / 1e6
    (checked,) = json.loads(answer["body"])["codes"]
    assert checked["reason"]["code"] == "coupon_not_found", answer
    return took


def main() -> None:
    """Measure, print, write results.json, and fail if found and not found can be told apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    measured = measure(parser.parse_args().rounds)
    table = Table(title="Somebody else's coupon, and none: milliseconds of an answer", title_justify="left")
    for column in ("", "somebody's", "none", "ratio", "middle half", "longer in", "by chance"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    section: dict[str, Any] = {
        "unit": "median milliseconds; ratio of medians; middle half of the rounds' ratios; share of pairs",
        "answers": {},
    }
    for name, lots in measured.items():
        low, high = lots.spread
        figures = {
            "found_ms": round(median(lots.found), 3),
            "not_found_ms": round(median(lots.not_found), 3),
            "ratio": round(lots.ratio, 4),
            "ratio_middle_half": lots.spread,
            "longer_in": round(lots.share, 3),
            "chance": float(f"{lots.chance:.2g}"),
            "rounds": len(lots.found),
        }
        section["answers"][name] = figures
        table.add_row(
            name,
            f"{figures['found_ms']:.3f}",
            f"{figures['not_found_ms']:.3f}",
            f"{lots.ratio:.3f}",
            f"{low:.2f} - {high:.2f}",
            f"{lots.share:.1%}",
            f"{lots.chance:.2g}",
        )
    ours, control = measured.values()
    bias, misses = abs(ours.share - 0.5), 0.5 - abs(control.share - 0.5)
    claims = [
        Claim("from a coin's toss: whose answer takes longer", round(bias, 3), BIAS_AT_MOST, "codes never made"),
        Claim("control: pairs that are misjudged", round(misses, 3), CONTROL_MISSES, "a variant that returns early"),
    ]
    console = wide_console()
    console.print(table)
    console.print(results.table_of(claims))
    results.save("guesses", section, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
