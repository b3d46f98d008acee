"""What bots get, and what they cost: the same crowd without a campaign's protection and with it, side by side.

One visitor in five is a person; the others are bots of five kinds (`brandday_cli/abuse_plan.py`). They come to the
handlers that run in Lambda, four environments of each function, over DynamoDB Local, which reports the units of every
call. It is the rehearsal that `brandday rehearse guarded-drop --bots` plays on a deployed stack.

    python -m benchmarks.bots [--visitors 500]
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import jwt
from rich.table import Table
from ruamel.yaml import YAML

from benchmarks import results
from benchmarks.cpu import lines_to_nowhere
from benchmarks.deployed import TABLES, deployed
from benchmarks.meter import Meter, Usage
from benchmarks.results import Claim, table_of, wide_console
from brandday.adapters.shop_signals import AUDIENCE
from brandday.bootstrap import coupon_functions, operator_functions, sale_functions
from brandday_cli.abuse_plan import BOTS, Kind, Visitor
from brandday_cli.abuse_play import Reply
from brandday_cli.abuse_rehearsal import BotScript, Comparison, rehearse_with_bots
from brandday_cli.audit import open_tables, run_audit
from brandday_cli.rehearsal import Stage
from brandday_cli.target import Target
from brandday_local.ports import LOOPBACK

CAMPAIGN: Final = "guarded-drop"
FILE: Final = Path(__file__).parents[1] / "campaigns" / f"{CAMPAIGN}.yaml"
ENVIRONMENTS: Final = 4
SHOP_SECRET: Final = "brandday-gate/shop-signals"  # noqa: S105 - its name
UNUSED: Final = (
    "ADDRESS_KEY_ID",
    "HOLD_DEAD_LETTER_QUEUE_URL",
    "STREAM_DEAD_LETTER_QUEUE_URL",
    "FULFILMENT_QUEUE_URL",
    "FULFILMENT_DEAD_LETTER_QUEUE_URL",
)
"""What the operators' function has to be told and does not need here."""

MOST_WRITES: Final = 0.5
"""Write units for each request of a bot that is refused, at most, over all kinds."""

type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Backend:
    """The functions in this process: the rehearsal's door, and its operator.

    `number` counts the requests; what one uses is booked to it.
    """

    def __init__(self, signing_key: str, dice: random.Random, number: list[int]) -> None:
        self.number = number
        self.asked: list[tuple[Visitor, str, int]] = []
        self._key = signing_key
        self._dice = dice
        self._admin = operator_functions.admin()
        self._of_path: dict[str, list[Handler]] = {
            "reservations": [sale_functions.reservations() for _ in range(ENVIRONMENTS)],
            "tickets": [sale_functions.tickets() for _ in range(ENVIRONMENTS)],
            "validations": [coupon_functions.coupons() for _ in range(ENVIRONMENTS)],
        }
        self._of_path["challenge"] = self._of_path["tickets"]

    # --- the rehearsal's door ---

    def sign(self, visitors: Sequence[Visitor]) -> None:
        """Nobody checks tokens here: API Gateway does that."""

    def send(
        self, visitor: Visitor, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Reply:
        """Answer one request in one of the environments."""
        said = {"sub": visitor.account, "aud": AUDIENCE, "exp": int(time.time()) + 60, **visitor.signals}
        sent = {**headers, "shop-signals": jwt.encode(said, self._key, "HS256")}
        claims = {**visitor.claims, "sub": visitor.account, "scope": "shopper"}
        handler = self._dice.choice(self._of_path[path.rpartition("/")[2]])
        self.number[0] += 1
        status, document = _ask(handler, method, path, claims, sent, body)
        code = str(document["code"]) if status >= 300 else ""
        self.asked.append((visitor, code, self.number[0]))
        return Reply(status, code, document)

    # --- its operator ---

    def declaration(self, campaign_id: str) -> dict[str, Any]:
        """Return the campaign as it stands in its file."""
        declared: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe").load(FILE), default=str))
        if declared["id"] != campaign_id:
            raise LookupError(campaign_id)
        return {**declared, "starts_at": _local(declared["starts_at"]), "ends_at": _local(declared["ends_at"])}

    def apply(self, declaration: Mapping[str, Any]) -> object:
        """Apply a declaration."""
        return self._operate("PUT", declaration["id"], declaration)

    def publish(self, campaign_id: str) -> object:
        """Publish a draft."""
        return self._operate("POST", f"{campaign_id}/publish")

    def end(self, campaign_id: str) -> object:
        """End a campaign."""
        return self._operate("POST", f"{campaign_id}/end")

    def _operate(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> object:
        self.number[0] += 1
        headers = {"idempotency-key": f"bots-{self.number[0]}"}
        claims = {"sub": "operator", "scope": "operator"}
        status, document = _ask(self._admin, method, f"/v1/admin/campaigns/{path}", claims, headers, body)
        if status >= 300:
            raise AssertionError(document)
        return document


class _Context:
    aws_request_id = "bots"


def _ask(
    handler: Handler,
    method: str,
    path: str,
    claims: Mapping[str, str],
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None,
) -> tuple[int, dict[str, Any]]:
    answer = handler(
        {
            "version": "2.0",
            "rawPath": path,
            "headers": dict(headers),
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": LOOPBACK},
                "requestId": "bots",
                "stage": "$default",
                "authorizer": {"jwt": {"claims": dict(claims)}},
            },
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        },
        _Context(),
    )
    return answer["statusCode"], json.loads(answer["body"])


def _local(text: str) -> str:
    return text.replace(" ", "T")


def measure(visitors: int, on_stage: Callable[[str, int], None]) -> tuple[Comparison, dict[str, Usage], Counter[str]]:
    """Return the two rounds, and of the protected one what was used, and by how many requests, by kind of visitor and
    whether they were refused.
    """
    number = [0]
    key = "a secret of the shop that is long enough"
    with _engine(lambda: str(number[0]), key) as meter, lines_to_nowhere():
        backend = Backend(key, random.Random(1), number)
        tables = open_tables(Target("http://127.0.0.1"), guard_table=TABLES["GUARD_TABLE"])
        stage = Stage("http://127.0.0.1", backend, _nobody_mints, lambda played_id: run_audit(tables, played_id))
        first_protected = [0]

        def told(what: str, total: int) -> None:
            first_protected[0] = number[0]
            on_stage(what, total)

        comparison = rehearse_with_bots(
            stage, backend, CAMPAIGN, BotScript(visitors, seed=1, at_once=1), told, lambda: None
        )
        used: dict[str, Usage] = {}
        requests: Counter[str] = Counter()
        for visitor, code, request in backend.asked:
            if request > first_protected[0]:
                said = f"{visitor.kind}, {'refused' if code else 'served'}"
                requests[said] += 1
                used.setdefault(said, Usage()).add(meter.usage(str(request)))
        return comparison, used, requests


@contextmanager
def _engine(account: Callable[[], str], shop_key: str) -> Iterator[Meter]:
    settings = {**dict.fromkeys(UNUSED, "unused"), "SHOP_SIGNALS_SECRET": SHOP_SECRET}
    with deployed(settings, {SHOP_SECRET: shop_key}) as unmetered:
        meter = Meter(account, unmetered)
        assert boto3.DEFAULT_SESSION is not None
        meter.attach_to(boto3.DEFAULT_SESSION.events)
        yield meter


def _nobody_mints() -> Any:
    raise NotImplementedError


def main() -> None:
    """Measure, show and save; fail if bots get more than the bounds allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=500)
    console = wide_console()
    comparison, used, number = measure(
        parser.parse_args().visitors, lambda what, total: console.print(f"{what} ({total} visitors)", style="dim")
    )
    without, protected = comparison.without, comparison.protected
    table = Table(title="The same crowd twice", title_justify="left")
    for column in (
        "",
        "visitors",
        "units without",
        "units protected",
        "refused requests",
        "calls",
        "write units",
        "read units",
    ):
        table.add_column(column, justify="right" if column else "left")
    section: dict[str, Any] = {"rounds": comparison.as_json(), "refused": {}}
    for kind in Kind:
        said = f"{kind}, refused"
        usage, refused = used.get(said, Usage()), number[said]
        each = [total / refused if refused else 0.0 for total in (usage.calls, usage.write_units, usage.read_units)]
        table.add_row(
            kind,
            f"{protected.visitors.get(kind, 0):,}",
            f"{without.units[kind]:,}",
            f"{protected.units[kind]:,}",
            f"{refused:,}",
            *(f"{figure:.2f}" for figure in each),
        )
        names = ("calls", "write_units", "read_units")
        section["refused"][str(kind)] = {"requests": refused, **dict(zip(names, each, strict=True))}
    of_bots = [f"{kind}, refused" for kind in BOTS]
    writes = sum(used.get(said, Usage()).write_units for said in of_bots) / max(
        1, sum(number[said] for said in of_bots)
    )
    share = f"{without.honest_share:.0%} without protection"
    claims = [
        Claim("units that bots get, share of all", 1 - protected.honest_share, 0.3, share),
        Claim("honest shoppers turned away, share", protected.wrongly_refused, 0.01, "nobody is without a gate"),
        Claim("write units per request of a bot that is refused", writes, MOST_WRITES, "a log and a counter: 2"),
    ]
    console.print(table)
    console.print(table_of(claims))
    results.save("bots", section, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
