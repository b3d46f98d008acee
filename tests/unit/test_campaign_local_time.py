"""Local times: every one that could be misunderstood is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.config.local_time import read_local_time, write_local_time
from brandday.domain.times import from_rfc3339, to_rfc3339

HOUR = 3_600_000


def test_a_time_the_clock_jumps_over_does_not_exist() -> None:
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        read_local_time("2026-03-29T02:30:00", "Europe/Berlin")


def test_a_time_the_clock_shows_twice_needs_an_offset() -> None:
    with pytest.raises(ValueError, match=r"happens twice.*02:30:00\+02:00 or 2026-10-25T02:30:00\+01:00"):
        read_local_time("2026-10-25T02:30:00", "Europe/Berlin")
    first = read_local_time("2026-10-25T02:30:00+02:00", "Europe/Berlin")
    assert read_local_time("2026-10-25T02:30:00+01:00", "Europe/Berlin") == first + HOUR


def test_the_times_around_a_change_of_the_clock_are_plain() -> None:
    assert read_local_time("2026-03-29T03:00:00", "Europe/Berlin") == from_rfc3339("2026-03-29T01:00:00Z")
    assert read_local_time("2026-03-29T01:59:59.999", "Europe/Berlin") == from_rfc3339("2026-03-29T00:59:59.999Z")


def test_an_offset_has_to_be_the_one_of_that_day() -> None:
    assert read_local_time("2026-07-01T00:00:00+02:00", "Europe/Berlin")
    with pytest.raises(ValueError, match=r"write 2026-07-01T00:00:00\+02:00"):
        read_local_time("2026-07-01T00:00:00+01:00", "Europe/Berlin")


def test_z_is_the_offset_of_utc() -> None:
    assert read_local_time("2026-11-09T00:00:00Z", "UTC") == from_rfc3339("2026-11-09T00:00:00Z")


@given(
    some.integers(0, 4_000_000_000_000),
    some.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_what_is_written_reads_as_the_same_moment(moment: int, zone: str) -> None:
    assert read_local_time(write_local_time(moment, zone), zone) == moment


@given(some.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_rfc_3339_is_exact_to_the_millisecond(moment: int) -> None:
    assert from_rfc3339(to_rfc3339(moment)) == moment


def test_a_time_without_an_offset_is_no_moment() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        from_rfc3339("2026-11-09T00:00:00")
