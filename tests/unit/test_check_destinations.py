"""Where rewards cannot go is told by the place in the document, before a campaign is applied."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from brandday.adapters.http_post import HttpPost
from brandday.connectors import CONNECTORS, port
from brandday.domain.errors import FieldError, ValidationFailed
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind
from brandday.domain.messages import explain_field
from brandday.usecases.check_destinations import CheckDestinations
from tests.fakes.declarations import WEBHOOK, declared
from tests.fakes.operator_desk import WHO, Desk


class PigeonOptions(port.Options):
    """Which loft."""

    loft: str


class Pigeon:
    """A connector that knows one loft, and uses no tools."""

    name: ClassVar[str] = "pigeon"
    Options: ClassVar[type[port.Options]] = PigeonOptions

    @staticmethod
    def destination(options: PigeonOptions) -> str:
        return options.loft

    @staticmethod
    def check(options: PigeonOptions, tools: port.Tools) -> Mapping[str, str]:
        del tools
        return {} if options.loft == "ours" else {"loft": "no pigeon flies there"}

    @staticmethod
    def deliver(parcel: port.Parcel, options: PigeonOptions, tools: port.Tools, now: int) -> port.Verdict:
        del parcel, options, tools, now
        return port.Accepted()

    @staticmethod
    def receipt_secret(options: PigeonOptions) -> str | None:
        del options
        return None


@dataclass
class Nothing:
    """No tool at all."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody needs {name}")


check = CheckDestinations({"pigeon": Pigeon}, port.Tools(Nothing(), Nothing(), Nothing(), timeout_ms=1))


def fulfilment(**choices: ConnectorChoice) -> Fulfilment:
    return Fulfilment(by_kind={RewardKind(kind): choice for kind, choice in choices.items()})


def test_nothing_is_wrong_where_nothing_is_sent() -> None:
    assert check(Fulfilment()) == []


def test_every_destination_is_looked_at() -> None:
    lost = ConnectorChoice("pigeon", {"loft": "theirs"})
    found = check(fulfilment(order=ConnectorChoice("pigeon", {"loft": "ours"}), physical=lost, cash=lost))
    reason = {"reason": "no pigeon flies there"}
    assert found == [
        FieldError("/fulfilment/by_kind/physical/loft", "destination_refused", reason),
        FieldError("/fulfilment/by_kind/cash/loft", "destination_refused", reason),
    ]


def test_a_connector_that_has_gone_since_it_was_declared_is_named() -> None:
    (found,) = check(fulfilment(order=ConnectorChoice("telegraph", {})))
    assert found.pointer == "/fulfilment/by_kind/order/connector"
    assert found.params == {"reason": "there are only: pigeon"}


def test_options_that_a_connector_no_longer_takes_are_named() -> None:
    (found,) = check(fulfilment(order=ConnectorChoice("pigeon", {"loft": 1})))
    assert found.pointer == "/fulfilment/by_kind/order/loft"


# --- through the connectors there are ---


class KnowsOneSecret:
    """Secrets Manager with one secret in it."""

    def get(self, name: str) -> tuple[bytes, ...]:
        """Return it, or raise SecretMissing."""
        if name != WEBHOOK["secret"]:
            raise port.SecretMissing(name)
        return (b"whsec_" + base64.b64encode(bytes(32)),)


PUBLIC, INSIDE = "93.184.216.34", "10.0.0.7"
HOSTS = {"partner.example": (PUBLIC,), "inside.example": (INSIDE,), "both.example": (PUBLIC, INSIDE)}


def look_up(host: str, _: int) -> tuple[str, ...]:
    """Know a few hosts, and that an address is itself."""
    if host not in HOSTS and not host[0].isdigit() and ":" not in host:
        raise OSError("no such host")
    return HOSTS.get(host, (host,))


def deployed() -> Desk:
    """Return the desk of a deployment that asks the real connectors; no socket is opened."""
    tools = port.Tools(HttpPost(resolve=look_up), Nothing(), KnowsOneSecret(), timeout_ms=1)
    return Desk(check_destinations=CheckDestinations(CONNECTORS, tools))


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        (WEBHOOK, []),
        (WEBHOOK | {"secret": "brandday/forgotten"}, ["secret"]),
        (WEBHOOK | {"url": "http://partner.example/"}, ["url"]),
        (WEBHOOK | {"url": "https://inside.example/"}, ["url"]),
        (WEBHOOK | {"url": "https://both.example/"}, ["url"]),
        (WEBHOOK | {"url": "https://nowhere.example/"}, ["url"]),
        (WEBHOOK | {"url": "https://localhost/"}, ["url"]),
        (WEBHOOK | {"url": "https://127.0.0.1/"}, ["url"]),
        (WEBHOOK | {"url": "https://169.254.169.254/latest/meta-data/"}, ["url"]),
        (WEBHOOK | {"url": "https://[::ffff:10.0.0.7]/"}, ["url"]),
        (WEBHOOK | {"url": "https://192.168.1.1/", "secret": "brandday/forgotten"}, ["url", "secret"]),
        ({"connector": "sqs", "queue_url": "https://partner.example/123456789012/prizes"}, ["queue_url"]),
        ({"connector": "email", "to": "orders@partner.example"}, ["to"]),
    ],
    ids=lambda value: "-".join(value) or "all is well" if isinstance(value, list) else str(list(value.values())[:2]),
)
def test_what_no_deployment_can_reach_is_refused_at_apply(choice: dict[str, Any], fields: list[str]) -> None:
    desk = deployed()
    campaign = declared(fulfilment={"by_kind": {"order": choice}})
    if not fields:
        desk.operate.apply(campaign, WHO)
        assert desk.acts() == ["apply"]
        return
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(campaign, WHO)
    assert [place.pointer for place in refused.value.errors] == [f"/fulfilment/by_kind/order/{name}" for name in fields]
    assert desk.acts() == []
    for place in refused.value.errors:
        assert str(place.params["reason"]) in explain_field(place, "en")
        assert str(place.params["reason"]) in explain_field(place, "zh-CN")
