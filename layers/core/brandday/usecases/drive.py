"""Runs a protocol of the stock rules against the real shards."""

from brandday.domain.effects import run
from brandday.domain.protocols import Effect, Protocol, Read
from brandday.domain.shard import Refused, Shard, Written
from brandday.usecases.ports import Stock


class Watcher:
    """Is told what a protocol meets on its way; does nothing unless overridden."""

    def before_write(self) -> None:
        """A write is about to be sent; raise to stop here."""

    def saw(self, shard: Shard) -> None:
        """A shard's image has come back."""

    def wrote(self, shard: int, written: Written) -> None:
        """A write has been accepted."""


_NOBODY = Watcher()


def drive[Outcome](protocol: Protocol[Outcome], stock: Stock, campaign_id: str, watcher: Watcher = _NOBODY) -> Outcome:
    """Do the reads and writes that ``protocol`` asks for, one after the other, and return its outcome."""

    def do(effect: Effect) -> object:
        if isinstance(effect, Read):
            images = stock.read(campaign_id, effect.shards, consistent=effect.consistent)
            for image in images:
                watcher.saw(image)
            return images
        watcher.before_write()
        result = stock.write(campaign_id, effect.write)
        if isinstance(result, Refused):
            watcher.saw(result.image)
        else:
            watcher.wrote(effect.write.shard, result)
        return result

    return run(protocol, do)
