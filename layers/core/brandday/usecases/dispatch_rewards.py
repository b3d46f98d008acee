"""A reward that waits for delivery becomes a message to whoever delivers it.

The stream of reward images is the only source, so nothing is sent for a write that did not happen, and something for
each one that did. A message may be sent twice: it only makes somebody look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from brandday.domain.reward import Reward, RewardStatus
from brandday.usecases.reward_ports import Dispatch, FulfilmentQueue


@dataclass(frozen=True, slots=True)
class RewardChanged:
    """One record of the stream: a reward before (None if it is new) and after a write."""

    before: Reward | None
    after: Reward


class DispatchRewards:
    """Turns changed rewards into messages."""

    def __init__(self, queue: FulfilmentQueue) -> None:
        self._queue = queue

    def __call__(self, changes: Sequence[RewardChanged]) -> None:
        """Send a message for each reward that is to be sent (again); repeat the whole if it fails."""
        latest: dict[str, Dispatch] = {}
        for change in changes:
            wanted = dispatch_of(change)
            if wanted is not None and wanted >= latest.get(wanted.reward_id, wanted):
                latest[wanted.reward_id] = wanted
        if latest:
            self._queue.send(list(latest.values()))


def dispatch_of(change: RewardChanged) -> Dispatch | None:
    """Return the message that a change asks for, or None: attempts and leases, for instance, ask for none.

    A failure asks for one only if it says so (`sent` is higher): whoever delivers puts it among the dead letters then.
    """
    before, after = change.before, change.after
    told = (0, 0) if before is None else (before.cycle, before.sent)
    if after.status not in (RewardStatus.PENDING, RewardStatus.FAILED) or (after.cycle, after.sent) <= told:
        return None
    return Dispatch(after.id, after.cycle, after.sent)
