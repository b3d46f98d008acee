"""Who comes to a rehearsal with bots: one shopper in five is a person, the others are bots of five kinds.

Nothing here sends or waits. The same seed and number of visitors give the same crowd.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a visitor is."""

    HONEST = "honest shopper"
    NO_TICKET = "script without a ticket"
    REPLAY = "replayed ticket"
    ONE_DEVICE = "many accounts on one device"
    ONE_NETWORK = "many devices on one network"
    GUESSER = "code guesser"


BOTS = tuple(kind for kind in Kind if kind is not Kind.HONEST)
HONEST_SHARE = 0.2

PEOPLE_COME_WITHIN = (0.25, 2.5)
"""Seconds after the opening: a person has to see that it is open, and to tap."""

BOTS_COME_WITHIN = (0.0, 0.5)

REPLAYS_PER_TICKET = 30
GUESSES_PER_ACCOUNT = 40
DEVICES_OF_FARM = 2
NETWORKS_OF_FARM = 2
HOUSEHOLD = 3
"""People behind one address; in every third household two of them share a tablet."""

CAFE = 0.05
"""Of the people, how many sit in one café, behind one address."""


@dataclass(frozen=True)
class Visitor:
    """One visitor: an account with what its token says and what the shop knows about the visit, when it comes (seconds
    after the opening), and how.

    `wants_ticket`: it queues up before the start as it should. `replays` is the number of the visitor whose ticket it
    sends instead of one of its own. `code` is a guess.
    """

    number: int
    kind: Kind
    account: str
    claims: Mapping[str, str]
    signals: Mapping[str, str]
    arrives_after: float
    wants_ticket: bool = False
    replays: int | None = None
    code: str = ""


def plan_visitors(visitors: int, seed: int, claims: Mapping[str, str]) -> list[Visitor]:
    """Plan a crowd; `claims` are those that make anybody eligible. Each kind of bot has the same share."""
    dice = random.Random(f"abuse {seed}")  # noqa: S311 - simulated visitors need no secret luck
    honest = round(visitors * HONEST_SHARE)
    kinds = [Kind.HONEST] * honest + [BOTS[at % len(BOTS)] for at in range(visitors - honest)]
    planned: list[Visitor] = []
    seen: dict[Kind, int] = {}
    for number, kind in enumerate(kinds):
        at = seen[kind] = seen.get(kind, -1) + 1
        planned.append(_visitor(number, kind, at, planned, dice, claims, seed))
    return sorted(planned, key=lambda visitor: visitor.arrives_after)


def _visitor(
    number: int,
    kind: Kind,
    at: int,
    before: Sequence[Visitor],
    dice: random.Random,
    claims: Mapping[str, str],
    seed: int,
) -> Visitor:
    account = f"abuse-{seed}-{number}"
    device, address, home = f"device-{seed}-{number}", _address(10, number), f"home-{seed}-{number}"
    arrives = dice.uniform(*(PEOPLE_COME_WITHIN if kind is Kind.HONEST else BOTS_COME_WITHIN))
    replays, code, wants_ticket = None, "", kind in (Kind.HONEST, Kind.ONE_DEVICE, Kind.ONE_NETWORK)
    match kind:
        case Kind.HONEST:
            household, person = divmod(at, HOUSEHOLD)
            in_cafe = at % round(1 / CAFE) == 0
            address, home = _address(20, 0 if in_cafe else 1 + household), f"home-{seed}-h{household}"
            device = f"tablet-{seed}-{household}" if person < 2 and household % 3 == 0 else device
        case Kind.NO_TICKET:
            pass
        case Kind.REPLAY:
            if at % REPLAYS_PER_TICKET == 0:
                wants_ticket = True
            else:
                owner = [other for other in before if other.kind is Kind.REPLAY and other.wants_ticket][-1]
                replays = owner.number
                # Half of them for the same account, with a new key; half for accounts of their own.
                account = owner.account if at % 2 else account
                arrives = owner.arrives_after + dice.uniform(0.1, 0.5)
        case Kind.ONE_DEVICE:
            device = f"farm-{seed}-{at % DEVICES_OF_FARM}"
        case Kind.ONE_NETWORK:
            address = _address(30, at % NETWORKS_OF_FARM, 1 + at // NETWORKS_OF_FARM % 250)
        case Kind.GUESSER:
            account = f"abuse-{seed}-guesser-{at // GUESSES_PER_ACCOUNT}"
            address = _address(40, 0)
            code = "".join(dice.choices("23456789ABCDEFGHJKLMNPQRSTUVWXYZ", k=16))
    signals = {
        "device": device,
        "ip": address,
        "phone": f"+86139{seed % 10}{number:07d}",
        "email": f"{account}@example.com",
        "address": home,
        "payment": f"card-{seed}-{number}",
        "account_created_at": "2024-01-01T00:00:00Z" if kind is Kind.HONEST else "2026-11-01T00:00:00Z",
    }
    return Visitor(number, kind, account, claims, signals, arrives, wants_ticket, replays, code)


def _address(net: int, number: int, host: int = 1) -> str:
    """An address of the range that is set aside for private use: no network but one's own."""
    return f"10.{net + number // 256}.{number % 256}.{host}"
