"""The audit of limits on wins: no tally has more that is live than its limit allows, and each line names a claim.

Which claims a tally should name cannot be told from the tables: that takes the signals of those who claimed, and nobody
keeps these. So what is there is judged: lines against claims. The shards stream by first, then all tallies; what looks
wrong is judged again over the tally and the shards it names, as they were at one moment. Memory grows with the
campaign's claims, some 100 bytes each, if it has such limits.

A limit that was lowered while the campaign ran is exceeded by what was taken before.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from brandday_cli.audit_records import Entry, Plan, RawItem, Shard, Violation, decode_claims
from brandday_cli.audit_rules import Findings
from brandday_cli.audit_tables import PatientReads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

FORGOTTEN_AFTER_MS = 15 * 60 * 1000
"""How long a released claim stays at least after its hold would have lapsed."""

MOST_ITEMS = 99
"""How many shards are read at one moment with a tally: 100 items fit into a call."""

_LINE = re.compile(r"([0-9a-z]{8})([0-9a-z])([se])([0-9a-z]+)\.([0-9a-z]+):(\S+)")


class Line(NamedTuple):
    """One line of a tally: what was taken at ``at`` (epoch ms) of which campaign; ``shard`` is None for an entry."""

    campaign_id: str
    name: str
    at: int
    units: int
    shard: int | None


@dataclass(frozen=True)
class WinLimit:
    """At most ``most`` units per mark, in a window of ``ms``: sliding, or from ``anchor + n * ms`` on (None: ever)."""

    name: str
    most: int
    ms: int | None = None
    slides: bool = False
    anchor: int = 0

    def exceeds(self, lines: Sequence[Line]) -> int:
        """Return by how many units the fullest window is beyond the limit, 0 if none is."""
        windows: dict[int, int] = {}
        for line in lines:
            if self.ms is None:
                begins = 0
            elif self.slides:
                begins = line.at - self.ms + 1
            else:
                begins = line.at - (line.at - self.anchor) % self.ms
            within = (one.units for one in lines if begins <= one.at and (self.ms is None or one.at < begins + self.ms))
            windows[begins] = sum(within)
        return max(0, max(windows.values(), default=0) - self.most)


class TallyTables(Protocol):
    """What the audit needs to read of tallies besides stock; tests hand in a fake."""

    def read_tallies(self, prefix: str) -> Iterator[RawItem]:
        """Yield all items whose pk begins with it."""

    def read_moment(
        self, pk: str, campaign_id: str, shards: Sequence[int]
    ) -> tuple[RawItem | None, list[RawItem | None]]:
        """Return a tally and stock items (at most MOST_ITEMS), as they were at one moment."""


class DynamoTallyTables:
    """The real tables."""

    def __init__(self, client: "DynamoDBClient", guard_table: str, stock_table: str) -> None:
        self._reads = PatientReads(client)
        self._client = client
        self._guard_table = guard_table
        self._stock_table = stock_table

    def read_tallies(self, prefix: str) -> Iterator[RawItem]:
        """Yield all items whose pk begins with it; this reads the whole table, which has no index."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._guard_table,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def read_moment(
        self, pk: str, campaign_id: str, shards: Sequence[int]
    ) -> tuple[RawItem | None, list[RawItem | None]]:
        """Return a tally and stock items, as they were at one moment."""
        keys = [(self._stock_table, {"pk": {"S": f"{campaign_id}#{shard}"}}) for shard in shards]
        tally, *claims = self._reads.together([(self._guard_table, {"pk": {"S": pk}, "sk": {"S": "-"}}), *keys])
        return tally, claims


class TallyAudit:
    """Judges the tallies of one campaign, or those of its brand day as far as its own claims go."""

    def __init__(
        self, tables: TallyTables, plan: Plan, scope: str, limits: Sequence[WinLimit], now_ms: Callable[[], int]
    ) -> None:
        self._tables = tables
        self._plan = plan
        self._prefix = f"TALLY#{scope}#"
        self._limits = {limit.name: limit for limit in limits}
        self._now_ms = now_ms
        self._claims: dict[tuple[int, str], tuple[Entry, ...]] = {}

    def parts(self) -> int:
        """Return how many parts there are to be read after the shards."""
        return 1

    def take_shard(self, shard: Shard) -> None:
        """Remember the claims of a shard."""
        for shopper, entries in shard.records.items():
            self._claims[shard.number, shopper] = tuple(entry for entry in entries if entry.state != ">")

    def finish(self, findings: Findings, on_part: Callable[[int], None] = lambda _: None) -> None:
        """Judge all tallies."""
        for item in self._tables.read_tallies(self._prefix):
            pk = item["pk"]["S"]
            limit = self._limits.get(pk.removeprefix(self._prefix).partition("#")[0])
            if limit is not None and self._judge(limit, item, self._known):
                findings.violations += self._judge_again(limit, pk)
        on_part(1)

    def _judge_again(self, limit: WinLimit, pk: str) -> list[Violation]:
        item, _ = self._tables.read_moment(pk, self._plan.campaign_id, ())
        shards = sorted({line.shard for line in self._lines(item or {}) or () if line.shard is not None})
        chosen = list(islice(shards, MOST_ITEMS))
        item, claims = self._tables.read_moment(pk, self._plan.campaign_id, chosen)
        images = dict(zip(chosen, claims, strict=True))

        def read(shard: int, name: str) -> tuple[Entry, ...]:
            if shard not in images:
                return self._known(shard, name)
            return tuple(decode_claims(self._plan, shard, images[shard], name))

        return [] if item is None else self._judge(limit, item, read)

    def _known(self, shard: int, name: str) -> tuple[Entry, ...]:
        return self._claims.get((shard, name), ())

    def _judge(self, limit: WinLimit, item: RawItem, read: Callable[[int, str], tuple[Entry, ...]]) -> list[Violation]:
        lines = self._lines(item)
        where = f"the tally of {limit.name!r} {item['pk']['S'][-16:]}"
        if lines is None:
            return [Violation("tally_malformed", f"{where} cannot be read")]
        violations, live = [], []
        recently = self._now_ms() - FORGOTTEN_AFTER_MS - self._plan.hold_ms
        for line in lines:
            if line.shard is None:
                live.append(line)
                continue
            claims = read(line.shard, line.name)
            found = next((claim for claim in claims if claim.attempt == line.at), None)
            if found is not None and found.owns_units:
                live.append(line)
            if (found is not None and found.quantity != line.units) or (not claims and line.at > recently):
                detail = f"{where} names a claim of {line.units} units that is not there"
                violations.append(Violation("tally_without_claim", detail, shard=line.shard, shopper=line.name))
        if beyond := limit.exceeds(live):
            detail = f"{where} has {limit.most + beyond} units that are live, and may have {limit.most}"
            violations.append(Violation("limit_exceeded", detail))
        return violations

    def _lines(self, item: RawItem) -> list[Line] | None:
        """Return the lines about this campaign; None if they cannot be read."""
        campaigns = item["c"]["S"].split(" ") if "c" in item else []
        lines = []
        for text in item["t"]["S"].split(" ") if "t" in item else []:
            match = _LINE.fullmatch(text)
            if match is None or int(match[5], 36) >= len(campaigns):
                return None
            shard = int(match[4], 36) if match[3] == "s" else None
            lines.append(Line(campaigns[int(match[5], 36)], match[6], int(match[1], 36), int(match[2], 36), shard))
        return [line for line in lines if line.campaign_id == self._plan.campaign_id]


def decode_limits(plan: Plan, config: RawItem) -> tuple[str, list[WinLimit]]:
    """Return what a campaign's tallies are kept under, and its limits on wins."""
    protection = json.loads(config["document"]["S"]).get("protection") or {}
    day = protection.get("brand_day")
    limits = []
    for limit in protection.get("limits", ()):
        if limit["counts"] == "wins":
            window = limit["window"]
            plain = WinLimit(limit["name"], int(limit["most"]))
            limits.append(plain if window is None else _windowed(plain, window))
    return f"day.{day}" if day else plan.campaign_id, limits


def _windowed(limit: WinLimit, window: dict[str, Any]) -> WinLimit:
    slides = window["kind"] == "sliding"
    return replace(limit, ms=int(window["seconds"]) * 1000, slides=slides, anchor=int(window["anchor"]))
