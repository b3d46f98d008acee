"""Where rewards cannot go is told by the place in the document, before a campaign is applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from brandday.connectors import port
from brandday.domain.errors import FieldError
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind
from brandday.usecases.check_destinations import CheckDestinations


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
