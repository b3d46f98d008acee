"""The examples of the local stack: lotteries that are dated far off are open there on any day, and work."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from brandday_cli.campaign_yaml import read_campaign_file
from brandday_local import examples


@pytest.mark.parametrize("name", ["lucky-draw", "free-trial"])
def test_a_lottery_is_open_now_and_as_long_as_it_is_declared(name: str, tmp_path: Path) -> None:
    file = examples.CAMPAIGNS / f"{name}.yaml"
    before = read_campaign_file(file).declared

    after = read_campaign_file(examples._opened_now(file, tmp_path)).declared

    assert (before.status, after.status) == ("draft", "published")
    declared, moved = before.to_campaign(), after.to_campaign()
    now = datetime.now(UTC).timestamp() * 1000
    assert moved.starts_at <= now < moved.starts_at + 24 * 3_600_000
    assert moved.ends_at - moved.starts_at == declared.ends_at - declared.starts_at
    assert moved.fulfilment.claim_until is not None
    assert moved.fulfilment.claim_until > moved.ends_at
    assert moved.lottery is not None
    assert declared.lottery is not None
    if moved.lottery.draw is not None and declared.lottery.draw is not None:
        assert moved.lottery.draw.at - moved.ends_at == declared.lottery.draw.at - declared.ends_at
