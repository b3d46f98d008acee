"""Runs a protocol of redemptions against the real tables."""

from brandday.domain.effects import run
from brandday.domain.redemption_protocols import Effect, Protocol, ReadCoupons, ReadParts, ReadShards, Transact
from brandday.domain.shard import Shard
from brandday.usecases.coupon_ports import Coupons, StockReader


class Watcher:
    """Is told what a protocol meets on its way; does nothing unless overridden."""

    def before_transaction(self) -> None:
        """A transaction is about to be sent; raise to stop here."""

    def saw(self, campaign_id: str, shard: Shard) -> None:
        """A shard's image has come back."""


_NOBODY = Watcher()


def drive_redemption[Outcome](
    protocol: Protocol[Outcome], coupons: Coupons, stock: StockReader, watcher: Watcher = _NOBODY
) -> Outcome:
    """Do the reads and transactions that ``protocol`` asks for, one after the other, and return its outcome."""

    def do(effect: Effect) -> object:
        match effect:
            case ReadParts(redemption):
                return coupons.parts(redemption)
            case ReadCoupons(ids):
                return coupons.load(ids, consistent=True)
            case ReadShards(campaign_id, shards):
                images = stock.read(campaign_id, shards, consistent=True) if shards else ()
                for image in images:
                    watcher.saw(campaign_id, image)
                return images
            case Transact(changes):
                watcher.before_transaction()
                return coupons.transact(changes)

    return run(protocol, do)
