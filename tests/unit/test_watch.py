"""The live view, by the text it shows."""

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from brandday_cli.watch import BAR_WIDTH, Rate, render_frame
from brandday_cli.watch_lottery import Pace

SCHEDULE = {"starts_at": "2026-11-09T00:00:00+08:00", "ends_at": "2026-11-12T00:00:00+08:00"}


def statistics(sold: int = 60, held: int = 30, server_time: str = "2026-11-09T10:00:00Z") -> dict[str, Any]:
    return {
        "campaign_id": "brand-day",
        "state": "running",
        "server_time": server_time,
        "as_of": "2026-11-09T09:59:58.500Z",
        "skus": [
            {"sku": "HERO", "initial": 100, "restocked": 20, "free": 120 - sold - held, "held": held, "sold": sold},
            {"sku": "SIDE", "initial": 4000, "restocked": 0, "free": 3999, "held": 0, "sold": 1},
        ],
    }


def shown(frame: Mapping[str, Any], rate: float = 0.0, schedule: Mapping[str, Any] | None = None) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(render_frame(frame, rate, schedule))
    return console.export_text()


def test_a_frame_shows_state_stock_and_rate() -> None:
    text = shown(statistics(), rate=12.34)
    assert "brand-day  running" in text
    assert "61 of 4,120 sold, 12.3 a second" in text
    assert "last change 1.5 s ago" in text
    hero = next(line for line in text.splitlines() if "HERO" in line)
    assert [cell.strip() for cell in hero.strip("│ ").split("│")][2:] == ["30", "30", "60", "120"]


def test_the_bar_is_sold_then_held_then_free() -> None:
    hero = next(line for line in shown(statistics()).splitlines() if "HERO" in line)
    assert "█" * (BAR_WIDTH // 2) + "▒" * (BAR_WIDTH // 4) + "·" * (BAR_WIDTH // 4) in hero


def test_a_single_unit_is_seen_among_thousands() -> None:
    side = next(line for line in shown(statistics()).splitlines() if "SIDE" in line)
    assert side.count("█") == 1


def test_the_countdown_follows_the_schedule() -> None:
    assert "closes in 2 d 06:00:00" in shown(statistics(), schedule=SCHEDULE)
    before = statistics(server_time="2026-11-08T15:59:55Z")
    assert "opens in 00:00:05" in shown(before, schedule=SCHEDULE)
    after = statistics(server_time="2026-11-12T15:59:55Z")
    assert "is over" in shown(after, schedule=SCHEDULE)


def test_refusals_are_shown_when_the_api_tells_them() -> None:
    assert "refused" not in shown(statistics())
    assert "refused: sold_out 1,200  all_held 7" in shown(
        statistics() | {"refusals": {"all_held": 7, "sold_out": 1200}}
    )


def test_a_campaign_nobody_touched_yet_has_no_age() -> None:
    assert "figures are" not in shown(statistics() | {"as_of": None})


def test_the_rate_is_sales_over_the_servers_time() -> None:
    rate = Rate()
    assert rate.add(statistics(sold=0, server_time="2026-11-09T10:00:00Z")) == 0.0
    assert rate.add(statistics(sold=30, server_time="2026-11-09T10:00:02Z")) == 15.0
    assert rate.add(statistics(sold=30, server_time="2026-11-09T10:00:02Z")) == 15.0
    quiet = [rate.add(statistics(sold=30, server_time=f"2026-11-09T10:00:0{second}Z")) for second in range(3, 10)]
    assert quiet[-1] == 0.0


# --- a lottery ---


def lottery_statistics(entries: int = 1000, server_time: str = "2026-11-09T10:00:00Z") -> dict[str, Any]:
    return {
        "campaign_id": "lucky-draw",
        "state": "running",
        "server_time": server_time,
        "as_of": None,
        "skus": [
            {"sku": "CAR", "initial": 2, "restocked": 0, "free": 1, "held": 0, "sold": 1},
            {"sku": "MUG", "initial": 500, "restocked": 0, "free": 452, "held": 0, "sold": 48},
            {"sku": "WATCH", "initial": 5, "restocked": 0, "free": 5, "held": 0, "sold": 0},
        ],
        "lottery": {
            "entries": entries,
            "prizes": [
                {"prize": "CAR", "odds": "1/5000", "expected": "1/5", "released": 2},
                {"prize": "MUG", "odds": "1/20", "expected": "101/2", "released": 250},
                {"prize": "WATCH", "odds": None, "expected": None, "released": None},
            ],
        },
    }


def rows(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in text.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in cells}


def test_a_lottery_is_shown_with_each_prize_against_its_plan() -> None:
    text = shown(lottery_statistics())
    assert rows(text)["CAR"] == ["1", "0.2", "1 in 5,000", "1 in 1,000", "2", "1", "2"]
    assert rows(text)["MUG"] == ["48", "50.5", "1 in 20", "1 in 20.8", "250", "452", "500"]
    assert rows(text)["WATCH"] == ["0", "", "", "never", "secret", "5", "5"]
    assert "about 1,000 entries, 0 in the last minute" in text
    assert "sold" not in text


def test_before_the_first_entry_there_is_no_rate_to_show() -> None:
    assert rows(shown(lottery_statistics(entries=0)))["CAR"][3] == ""


def test_the_pace_is_that_of_the_last_minute() -> None:
    pace = Pace()
    assert pace.add(lottery_statistics(0, "2026-11-09T10:00:00Z")) == 0.0
    assert pace.add(lottery_statistics(10, "2026-11-09T10:00:30Z")) == 20.0
    assert pace.add(lottery_statistics(40, "2026-11-09T10:01:00Z")) == 40.0
    assert pace.add(lottery_statistics(40, "2026-11-09T10:01:20Z")) == 36.0, "the first look is over a minute ago"
    assert pace.add(statistics()) == 0.0
