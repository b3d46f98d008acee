"""Who a shopper is, as their token says."""

from typing import Any

from brandday.domain.campaign import Shopper
from brandday.entrypoints.routes import Request


def shopper_of(request: Request[Any]) -> Shopper:
    """The shopper that the claims of the request's token describe."""
    claims = request.claims
    return Shopper(
        id=request.subject,
        tier=claims.get("tier", ""),
        channel=claims.get("channel", ""),
        region=claims.get("region", ""),
        new_customer=claims.get("new_customer") == "true",
    )
