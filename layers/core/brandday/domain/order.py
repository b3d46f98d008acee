"""An order as coupons see it: lines at unit prices, shipping, and where it is placed. Amounts are minor units."""

from dataclasses import dataclass

MAX_LINES = 100
MAX_QUANTITY = 10_000
MAX_AMOUNT = 10**12
MAX_CODES = 10


@dataclass(frozen=True, slots=True)
class Line:
    """`quantity` of one SKU, each at `unit_price`; `category` is the shop's own, "" if it has none."""

    sku: str
    category: str
    quantity: int
    unit_price: int

    @property
    def total(self) -> int:
        """What the line costs before any coupon."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody is about to buy; one currency throughout, `channel` as in campaigns ("" if unknown)."""

    currency: str
    lines: tuple[Line, ...]
    shipping: int = 0
    channel: str = ""
