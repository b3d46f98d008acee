"""What a rehearsal proved: found from what the shoppers were told and from the audit, by arithmetic alone.

Definitions (each errs on the side of the API only where nobody outside could know better):

- ``oversold``: units too many in the shards by the audit, or units acknowledged as paid beyond the stock.
- ``lost``: units missing in the shards by the audit, and paid units that the shop was told about but
  the tables do not have; after waiting for expiry also units still held past their time.
- ``duplicates``: shoppers for whom a repeated request (same key, double tap, second device, repeated
  payment) had a second result: another reservation while the first was still good, or a refusal after
  a success. An environment answers "all held, come back" from what it has seen within the last second, so that answer
  counts only if the success was longer ago.
- ``wrong_sold_out``: "sold out" answers at a time when not every unit could have been sold. A
  confirmed unit never comes back, and it cannot be confirmed before its payment was sent. So if
  the payments sent before the answer arrived, in flight or acknowledged, make up less than the stock,
  the answer was wrong. It was wrong, too, if the audit afterwards finds unsold units.
- ``errors_5xx``: answers with a status of 500 or more, except ``temporarily_overloaded``, which is an
  honest answer.
"""

import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from brandday.domain.sight import FRESH_MS
from brandday_cli.audit_records import Violation
from brandday_cli.audit_rules import Findings
from brandday_cli.rehearsal_shopper import BUSY, Call


@dataclass(frozen=True)
class Verdict:
    """The figures of one rehearsal, and what the audit found; ``kept`` says whether every promise was."""

    shoppers: int
    initial: int
    sold: int
    held: int
    free: int
    oversold: int
    lost: int
    duplicates: int
    wrong_sold_out: int
    responses: Mapping[str, int]
    errors_5xx: int
    p50_ms: float
    p99_ms: float
    requests_per_s: float
    audit_ok: bool
    violations: tuple[Violation, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        broken = self.oversold + self.lost + self.duplicates + self.wrong_sold_out + self.errors_5xx
        return self.audit_ok and broken == 0

    def as_json(self) -> dict[str, object]:
        """Return the last line of ``brandday rehearse --json``."""
        figures = {**vars(self), "responses": dict(self.responses)}
        del figures["violations"]
        return figures


def judge(
    calls: Sequence[Call],
    findings: Findings,
    *,
    shoppers: int,
    sold_before: Mapping[str, int] | None = None,
    overdue: int = 0,
) -> Verdict:
    """Judge a rehearsal.

    ``sold_before`` are units sold per SKU before it began; ``overdue`` units still held after their time.
    """
    pools = findings.pools
    before = sold_before or {}
    owed = {pool.sku: pool.initial + pool.restocked for pool in pools}
    sold = {pool.sku: pool.sold for pool in pools}
    paid = _paid_units(calls)
    told = {sku: before.get(sku, 0) + paid.get(sku, 0) for sku in owed}
    answered = sorted(call.received - call.sent for call in calls if call.status)
    seconds = max((call.received for call in calls), default=0) - min((call.sent for call in calls), default=0)
    return Verdict(
        shoppers=shoppers,
        initial=sum(pool.initial for pool in pools),
        sold=sum(sold.values()),
        held=sum(pool.held for pool in pools),
        free=sum(pool.free for pool in pools),
        oversold=max(findings.oversold, sum(max(0, told[sku] - owed[sku]) for sku in owed)),
        lost=findings.lost + sum(max(0, told[sku] - sold[sku]) for sku in owed) + overdue,
        duplicates=len(_second_results(calls)),
        wrong_sold_out=sum(_wrong_sold_out(calls, sku, owed[sku], sold[sku], before.get(sku, 0)) for sku in owed),
        responses=dict(sorted(Counter(call.outcome for call in calls).items())),
        errors_5xx=sum(call.status >= 500 and call.outcome != "temporarily_overloaded" for call in calls),
        p50_ms=_percentile(answered, 0.50),
        p99_ms=_percentile(answered, 0.99),
        requests_per_s=round(len(answered) / seconds, 1) if seconds > 0 else 0.0,
        audit_ok=findings.ok,
        violations=tuple(findings.violations),
    )


def _paid_units(calls: Iterable[Call]) -> Counter[str]:
    """Units acknowledged as sold by SKU, each reservation once."""
    units: Counter[str] = Counter()
    paid = {call.reservation_id: call for call in calls if call.kind == "confirm" and call.succeeded}
    for call in paid.values():
        units[call.sku] += call.quantity
    return units


def _second_results(calls: Iterable[Call]) -> set[int]:
    """Shoppers for whom a repeated request had another result than the first."""
    repeated: dict[tuple[str, int, int], list[Call]] = defaultdict(list)
    for call in calls:
        if call.outcome not in BUSY and call.status < 500:
            repeated[call.kind, call.shopper, call.wish].append(call)
    shoppers = set()
    for (_, shopper, _), group in repeated.items():
        for first, second in itertools.permutations(group, 2):
            if first.succeeded and _contradicts(first, second):
                shoppers.add(shopper)
                break
    return shoppers


def _contradicts(first: Call, second: Call) -> bool:
    if first.expires_at and first.expires_at <= second.received:
        return False  # the first reservation was over by then, so a new one (or a refusal) is right
    if second.succeeded:
        return first.reservation_id != second.reservation_id
    settled = FRESH_MS / 1000 if second.outcome == "all_held" else 0.0
    return first.received + settled <= second.sent


def _wrong_sold_out(calls: Iterable[Call], sku: str, owed: int, sold: int, before: int) -> int:
    """Count the "sold out" answers for a SKU that cannot have been true."""
    payments: dict[str, tuple[float, int]] = {}
    answers = []
    for call in calls:
        if call.sku != sku:
            continue
        if call.kind == "confirm":
            sent, _ = payments.get(call.reservation_id, (call.sent, 0))
            payments[call.reservation_id] = (min(sent, call.sent), call.quantity)
        elif call.outcome == "sold_out":
            answers.append(call.received)
    if sold < owed:
        return len(answers)
    in_order = sorted(payments.values())
    times = [sent for sent, _ in in_order]
    units = [before, *itertools.accumulate((quantity for _, quantity in in_order), initial=before)][1:]
    return sum(units[bisect.bisect_right(times, answered)] < owed for answered in answers)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Return a percentile (nearest rank) of seconds in order, as milliseconds."""
    if not ordered:
        return 0.0
    rank = min(len(ordered) - 1, int(share * len(ordered)))
    return round(ordered[rank] * 1000, 1)
