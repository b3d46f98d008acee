"""What counts as a second result of a repeated request."""

import pytest

from brandday_cli.audit_rules import Findings
from brandday_cli.rehearsal_shopper import Call
from brandday_cli.rehearsal_verdict import judge

MINE = "rsv_mine"


def call(outcome: str, status: int, sent: float, reservation: str = "", expires_at: float = 100.0) -> Call:
    return Call(
        kind="reserve",
        shopper=1,
        wish=0,
        sku="HERO",
        quantity=1,
        outcome=outcome,
        status=status,
        sent=sent,
        received=sent + 0.01,
        reservation_id=reservation,
        expires_at=expires_at,
    )


CREATED = call("created", 201, 10.0, MINE)


@pytest.mark.parametrize(
    ("second", "duplicates"),
    [
        (call("replayed", 201, 10.5, MINE), 0),
        (call("created", 201, 10.5, "rsv_other"), 1),
        (call("shopper_limit_reached", 409, 10.5), 1),
        (call("all_held", 409, 10.9), 0),
        (call("all_held", 409, 11.1), 1),
        (call("sold_out", 409, 10.5), 1),
        (call("temporarily_overloaded", 503, 12.0), 0),
        (call("shopper_limit_reached", 409, 9.9), 0),
    ],
    ids=[
        "the same",
        "another one",
        "refused after the success",
        "held, from what was seen a moment ago",
        "held, when everybody must have seen it",
        "sold out",
        "nothing decided",
        "sent before the success was known",
    ],
)
def test_a_repeated_request_has_one_result(second: Call, duplicates: int) -> None:
    assert judge([CREATED, second], Findings([]), shoppers=1).duplicates == duplicates
