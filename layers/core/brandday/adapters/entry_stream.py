"""Records of EntryTable's stream.

Form: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from collections.abc import Mapping
from typing import Any

from brandday.adapters.entry_table import decode_entrant
from brandday.adapters.keys import parse_bucket_key
from brandday.usecases.lottery_ports import EntrantChanged


def read_entrant_change(record: Mapping[str, Any]) -> EntrantChanged | None:
    """Return what a stream record says of an entrant, or None if the record is gone; KeyError, IndexError or
    ValueError if it is malformed.
    """
    if "NewImage" not in record:
        return None
    campaign_id, _ = parse_bucket_key(record["Keys"]["pk"]["S"])
    before = record.get("OldImage")
    after = decode_entrant(record["NewImage"])
    return EntrantChanged(campaign_id, None if before is None else decode_entrant(before), after)
