"""A shopper shows one of their own coupons: the content of its QR code."""

from brandday.domain.campaign import Shopper
from brandday.domain.errors import CouponNotFound
from brandday.domain.qr_content import write_content
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.manage_rewards import OwnerOf


class ShowCoupon:
    """Writes the content of QR codes; one instance serves an execution environment."""

    def __init__(self, codes: LiveCodes, owner_of: OwnerOf) -> None:
        self._codes = codes
        self._owner_of = owner_of

    def __call__(self, shopper: Shopper, coupon_id: str) -> str:
        """Return what the QR code of the shopper's own coupon says, whatever has become of it: a scan tells.

        CouponNotFound for anything else: an id is no secret, so those that belong to nobody are not shown either.
        """
        owner = self._owner_of(shopper.id)
        facts = None if owner is None else self._codes.own(owner, coupon_id)
        if facts is None:
            raise CouponNotFound
        return write_content(self._codes.keys(), facts.code)
