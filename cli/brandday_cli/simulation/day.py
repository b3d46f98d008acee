"""What is simulated: the crowd, what it finds, and what the backend was given to meet it with."""

from dataclasses import dataclass, field, replace

from brandday.domain.campaign import Campaign, Eligibility, LatePayment, Sku, Status
from brandday.domain.layout import SALT_BYTES, plan_layout
from brandday.domain.money import Money
from brandday_cli.simulation.arrivals import Curve
from brandday_cli.simulation.fleet import Capacity

START_MS = 1_800_000_000_000
"""When every simulated sale opens (epoch ms); any moment would do."""

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Crowd:
    """Who comes, and how they behave.

    Whoever is told that all units are in carts comes back `patience` times, as told; whoever meets a throttle comes
    back up to `stubbornness` times. Of those who hold a unit, `pays` (0 to 1) pay after `pays_after_s` on average.
    """

    shoppers: int
    curve: Curve
    patience: int = 1
    stubbornness: int = 8
    pays: float = 0.95
    pays_after_s: float = 30.0


@dataclass(frozen=True)
class Warmth:
    """Units per second that the tables were warmed up for; a new on-demand table has 4,000 and 12,000."""

    stock_writes: int = 4000
    stock_reads: int = 12_000
    campaign_writes: int = 4000
    campaign_reads: int = 12_000


@dataclass(frozen=True)
class Pace:
    """How long things take, in milliseconds: assumptions, not measurements of AWS.

    A call to DynamoDB takes `call_least` to `call_most` each way.
    """

    call_least: int = 1
    call_most: int = 3
    handler: int = 2
    stream: int = 200


@dataclass(frozen=True)
class Day:
    """One simulated day."""

    campaign: Campaign
    crowd: Crowd
    capacity: Capacity
    warmth: Warmth = field(default_factory=Warmth)
    pace: Pace = field(default_factory=Pace)
    stream_lanes: int = 2

    @property
    def stock(self) -> int:
        """All units of all SKUs."""
        return sum(sku.stock for sku in self.campaign.skus)


def publish(campaign: Campaign, salt: bytes = bytes(range(SALT_BYTES))) -> Campaign:
    """Return the campaign as if it had been published for a sale that opens at START_MS."""
    return replace(
        campaign,
        status=Status.PUBLISHED,
        version=1,
        starts_at=START_MS,
        ends_at=START_MS + _DAY_MS,
        layout=plan_layout(campaign.skus, salt),
        published_at=START_MS - _DAY_MS,
        eligibility=Eligibility(),
    )


def plain_campaign(stock: int, hold_seconds: int = 600) -> Campaign:
    """Return a published flash sale of one SKU, one unit for each shopper."""
    price = Money(990, "CNY")
    return publish(
        Campaign(
            id="planned-day",
            title={"en": "Planned day"},
            mechanic="flash_sale",
            time_zone="Asia/Shanghai",
            starts_at=START_MS,
            ends_at=START_MS + _DAY_MS,
            channels=("app",),
            skus=(Sku("HERO", {"en": "Hero"}, price, price, stock, units_per_shopper=1),),
            limit_per_shopper=1,
            hold_seconds=hold_seconds,
            extend_seconds=0,
            late_payment=LatePayment.REJECT,
            eligibility=Eligibility(),
        )
    )
