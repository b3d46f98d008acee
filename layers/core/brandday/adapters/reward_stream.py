"""Records of RewardTable's stream.

Form: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from collections.abc import Mapping
from typing import Any

from brandday.adapters.keys import BREAKER
from brandday.adapters.reward_table import decode_reward
from brandday.usecases.dispatch_rewards import RewardChanged


def read_reward_change(record: Mapping[str, Any]) -> RewardChanged | None:
    """Return what a stream record says of a reward, or None if it is gone or the item is a circuit breaker; KeyError
    or ValueError if the record is malformed.
    """
    if "NewImage" not in record or record["Keys"]["sk"]["S"] == BREAKER:
        return None
    before = record.get("OldImage")
    return RewardChanged(None if before is None else decode_reward(before), decode_reward(record["NewImage"]))
