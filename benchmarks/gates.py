"""What a gate costs: database calls and units per request, by what becomes of it.

    python -m benchmarks.gates

A campaign with three limits on attempts (shopper, device, network) and three rules, over AWS's DynamoDB Local; visits
have all seven signals. People and bots come at random to 8 environments within a minute of virtual time. What the claim
itself costs is not in it. Cost is in write units, with read units at their price (benchmarks/meter.py).

DynamoDB Local reports nothing for items that are asked for and not there. AWS bills half a read unit for each: a look
at seven marks and three activities is five read units there, one write unit's price.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from rich.table import Table

from benchmarks import results
from benchmarks.engine import client_of
from benchmarks.meter import Meter, Usage
from benchmarks.results import Claim, wide_console
from brandday.adapters.guard_table import GuardTable
from brandday.adapters.phone_number import to_e164
from brandday.domain.campaign import Campaign, Eligibility, LatePayment, Shopper, Sku, Status
from brandday.domain.entry_ticket import key_id, make_ticket
from brandday.domain.errors import AdmissionRefused
from brandday.domain.layout import plan_layout
from brandday.domain.money import Money
from brandday.domain.protection import Counted, Limit, Protection, TicketTerms, Window
from brandday.domain.risk import RiskMode, RiskTerms, Weighed
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.on_block_list import OnBlockList
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.sight import Sight
from brandday.domain.signals import SignalKind
from brandday.domain.visit import Visit
from brandday.usecases.admission import Admission
from brandday.usecases.live_campaigns import LiveCampaign, read_summary, terms_of
from brandday.usecases.open_case import OpenCase
from brandday.usecases.read_signals import Marker, ReadSignals
from brandday_local.dynamodb_local import DynamoDbLocal
from brandday_local.template_tables import table_shape

ENVIRONMENTS = 8
PEOPLE = 300
FARMED = 300
"""Accounts on five devices."""

REQUESTS = 4000
KEY = b"a key of the benchmark"
START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
TABLE = "GuardTable"
MINUTE = Window(60_000, sliding=True)
AGAINST = "a counter per limit: a write per limit, and one more for each refusal that is logged"

PROTECTION = Protection(
    limits=(
        Limit("shopper", SignalKind.SHOPPER, Counted.ATTEMPTS, 10, MINUTE),
        Limit("device", SignalKind.DEVICE, Counted.ATTEMPTS, 20, MINUTE),
        Limit("network", SignalKind.NETWORK, Counted.ATTEMPTS, 300, MINUTE),
    ),
    risk=RiskTerms(
        RiskMode.ENFORCE,
        None,
        100,
        (
            Weighed("crowd", 100, SharedSignal("device", 5)),
            Weighed("new", 40, NewAccount(24)),
            Weighed("blocked", 100, OnBlockList()),
        ),
    ),
)


class _OneKey:
    """The ports `MarkKeys` and `PassKeys`."""

    def __call__(self) -> bytes:
        return KEY

    def current(self) -> tuple[str, bytes]:
        return key_id(KEY), KEY

    def find(self, key_id: str) -> bytes | None:
        return KEY if key_id == self.current()[0] else None


def measure(endpoint_url: str) -> tuple[dict[str, Usage], Counter[str]]:
    """Return what was used, and how often, by what became of requests."""
    with _table(endpoint_url) as (unmetered, client):
        used: dict[str, Usage] = {}
        seen: Counter[str] = Counter()
        dice, now, request = random.Random(1), [START_MS], ["nothing yet"]
        meter = Meter(lambda: request[0], unmetered)
        meter.attach(client)
        table = GuardTable(client, TABLE)
        gates = [_gate(table, lambda: now[0]) for _ in range(ENVIRONMENTS)]
        ticketed = replace(PROTECTION, ticket=TicketTerms(300_000, 600_000))
        for number in range(REQUESTS):
            now[0] += 60_000 // REQUESTS
            kind, shopper, visit = _visitor(dice)
            request[0] = f"request {number}"
            shown = visit._replace(ticket=_ticket(shopper, now[0])) if kind == "with a ticket" else visit
            demanded = ticketed if kind == "with a ticket" else PROTECTION
            try:
                dice.choice(gates).admit(_live(demanded), demanded, Shopper(shopper), shown)
                said = f"{kind}, let in"
            except AdmissionRefused as refusal:
                said = f"{kind}, {refusal.code}"
            seen[said] += 1
            used.setdefault(said, Usage()).add(meter.usage(request[0]))
    return used, seen


def _visitor(dice: random.Random) -> tuple[str, str, Visit]:
    kind = dice.choice(["without a ticket", "with a ticket", "farm", "farm"])
    farmed = kind == "farm"
    number = dice.randrange(FARMED if farmed else PEOPLE)
    shopper = f"{'bot' if farmed else 'person'}-{number}"
    claims = {
        "device": f"farm-{number % 5}" if farmed else f"device-{number}",
        "phone": f"+861390000{number:04d}",
        "email": f"{shopper}@example.com",
        "address": f"{number} Long Road",
        "payment": f"card-{shopper}",
        "account_created_at": str(START_MS // 1000 - (60 if farmed else 10_000_000)),
    }
    return kind, shopper, Visit(address=f"{'198.51.100' if farmed else f'10.0.{number % 50}'}.7", claims=claims)


def _gate(table: GuardTable, now: Any) -> Admission:
    reader = ReadSignals(Marker(_OneKey(), to_e164), lambda *_: {})
    return Admission(table, OpenCase(table, _OneKey(), now), reader, _OneKey(), now)


def _ticket(shopper: str, now: int) -> str:
    return make_ticket(key_id(KEY), KEY, "gates", shopper, now, now + 600_000, "nonce")


def _live(protection: Protection) -> LiveCampaign:
    skus = (Sku("HERO", {"en": "HERO"}, Money(19_900, "CNY"), Money(9_950, "CNY"), 900, 1),)
    layout = plan_layout(skus, bytes(16))
    campaign = Campaign(
        id="gates",
        title={"en": "Gates"},
        mechanic="flash_sale",
        time_zone="UTC",
        starts_at=START_MS,
        ends_at=START_MS + HOUR_MS,
        channels=("web",),
        skus=skus,
        limit_per_shopper=1,
        hold_seconds=600,
        extend_seconds=300,
        late_payment=LatePayment.REJECT,
        eligibility=Eligibility(),
        protection=protection,
        status=Status.PUBLISHED,
        layout=layout,
    )
    terms = terms_of(campaign, layout)
    return LiveCampaign(campaign, layout, terms, read_summary({}), Sight(layout, terms, START_MS), START_MS)


@contextmanager
def _table(endpoint_url: str) -> Iterator[tuple[Any, Any]]:
    with closing(client_of(endpoint_url)) as unmetered, closing(client_of(endpoint_url)) as client:
        unmetered.create_table(TableName=TABLE, **table_shape(TABLE))
        yield unmetered, client


def main() -> None:
    """Measure, show, and save."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with DynamoDbLocal() as engine:
        used, seen = measure(engine.endpoint_url)
    table = Table(title=f"{REQUESTS:,} requests in a minute, {ENVIRONMENTS} environments", title_justify="left")
    table.add_column("request")
    for column in ("requests", "calls", "write units", "read units", "cost"):
        table.add_column(column, justify="right")
    section: dict[str, Any] = {}
    for said, usage in sorted(used.items()):
        each = [total / seen[said] for total in (usage.calls, usage.write_units, usage.read_units, usage.cost)]
        table.add_row(said, f"{seen[said]:,}", *(f"{figure:.3f}" for figure in each))
        names = ("calls", "write_units", "read_units", "cost")
        section[said] = {"requests": seen[said], **dict(zip(names, each, strict=True))}
    refused = [said for said in used if said.startswith("farm") and not said.endswith("let in")]
    writes = sum(used[said].write_units for said in refused) / sum(seen[said] for said in refused)
    claims = [
        Claim(
            "write units of the gate per claim with a ticket", section["with a ticket, let in"]["write_units"], 0, ""
        ),
        Claim("write units per claim without a ticket", section["without a ticket, let in"]["write_units"], 1, AGAINST),
        Claim("write units per request of a farm that is refused", writes, 0.25, AGAINST),
    ]
    console = wide_console()
    console.print(table)
    console.print(results.table_of(claims))
    results.save("gates", {"measured_against": "AWS's DynamoDB Local 1.25.1", "requests": section}, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
