"""Records of StockTable's stream.

Form: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from collections.abc import Mapping
from typing import Any

from brandday.adapters.keys import parse_shard_key
from brandday.adapters.stock_table import decode_shard
from brandday.usecases.project_stock import ShardChanged


def read_change(record: Mapping[str, Any]) -> ShardChanged | None:
    """Return what a stream record says of a shard, or None if the shard is gone; KeyError, ValueError or IndexError
    if it is malformed.
    """
    if "NewImage" not in record:
        return None
    campaign_id, number = parse_shard_key(record["Keys"]["pk"]["S"])
    before = record.get("OldImage")
    return ShardChanged(
        campaign_id,
        None if before is None else decode_shard(number, before),
        decode_shard(number, record["NewImage"]),
    )
