"""Times as people write them in a campaign document: on the clock of a place, to be understood without doubt."""

import difflib
import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

from brandday.domain.times import from_datetime

LOCAL_TIME = r"^2\d{3}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?([+-]\d{2}:\d{2}|Z)?$"
"""A date of this millennium and a time to the millisecond at most; the offset may be left out."""


def check_time_zone(name: str) -> None:
    """Raise ValueError, with the nearest name there is, unless `name` is a zone of the IANA database."""
    if re.fullmatch(r"[A-Z][A-Za-z_]+/[A-Za-z0-9_+/-]+|UTC", name):
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
            pass
        else:
            return
    known = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")
    city = {zone.rpartition("/")[2].lower(): zone for zone in known}
    guesses = difflib.get_close_matches(name, known, n=1) or [
        city[match] for match in difflib.get_close_matches(name.lower(), city, n=1)
    ]
    hint = f"did you mean {guesses[0]!r}?" if guesses else "write it like Asia/Shanghai or Europe/Berlin"
    raise ValueError(f"is not a time zone of the IANA database; {hint}")


def read_local_time(text: str, time_zone: str) -> int:
    """Epoch milliseconds of `text` (matching LOCAL_TIME) on the clock of `time_zone`, a zone that exists.

    Raises ValueError, saying what to write instead, when there is no such date, when the clock jumps over
    this time, when it shows it twice and no offset tells which one is meant, or when the offset is not the
    zone's.
    """
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a date and time that exists") from None
    zone = zoneinfo.ZoneInfo(time_zone)
    wall = written.replace(tzinfo=None)
    # A wall-clock time has two readings, which differ when the clocks are put back, and none when they jump
    # over it.
    both = [wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    readings = {from_datetime(reading): reading for reading in both if _exists(reading)}
    if not readings:
        raise ValueError(f"does not exist in {time_zone}, where the clocks jump over it; write a time beside it")
    choices = " or ".join(reading.isoformat() for reading in readings.values())
    if written.tzinfo is not None:
        if from_datetime(written) in readings:
            return from_datetime(written)
        raise ValueError(f"has an offset that {time_zone} does not have then; write {choices}, or leave it out")
    if len(readings) > 1:
        raise ValueError(f"happens twice in {time_zone}, as the clocks are put back; write {choices}")
    return from_datetime(both[0])


def write_local_time(moment_ms: int, time_zone: str) -> str:
    """The reverse of `read_local_time`, always with the offset: 2026-11-09T00:00:00+08:00."""
    seconds, milliseconds = divmod(moment_ms, 1000)
    local = datetime.fromtimestamp(seconds, zoneinfo.ZoneInfo(time_zone)).replace(microsecond=milliseconds * 1000)
    return local.isoformat(timespec="milliseconds" if milliseconds else "seconds")


def local_midnights(starts_at: int, ends_at: int, time_zone: str) -> list[int]:
    """When the local days begin that have a part in `[starts_at, ends_at)`: epoch milliseconds, ascending.

    Where the clocks jump over midnight, the day begins when they have.
    """
    zone = zoneinfo.ZoneInfo(time_zone)
    day = datetime.fromtimestamp(starts_at / 1000, zone).date()
    midnights: list[int] = []
    while (midnight := _midnight(day, zone)) < ends_at:
        midnights.append(midnight)
        day += timedelta(days=1)
    return midnights


def end_of_local_day(moment: int, time_zone: str) -> int:
    """When the local day of `moment` is over, both in epoch milliseconds."""
    zone = zoneinfo.ZoneInfo(time_zone)
    return _midnight(datetime.fromtimestamp(moment / 1000, zone).date() + timedelta(days=1), zone)


def full_hours(starts_at: int, ends_at: int, every: int, time_zone: str) -> list[int]:
    """Every so many hours from the first full hour of a place on, within `[starts_at, ends_at)`: epoch milliseconds.

    Of the place, since not everywhere the hour is full when it is in Greenwich: it is half past in Mumbai.
    """
    hour_ms = 60 * 60 * 1000
    offset = datetime.fromtimestamp(starts_at / 1000, zoneinfo.ZoneInfo(time_zone)).utcoffset() or timedelta()
    ahead = offset // timedelta(milliseconds=1) % hour_ms
    first = -(-(starts_at + ahead) // hour_ms) * hour_ms - ahead
    return list(range(first, ends_at, every * hour_ms))


def _midnight(day: date, zone: zoneinfo.ZoneInfo) -> int:
    wall = datetime.combine(day, time(), zone)
    return from_datetime(wall if _exists(wall) else wall.astimezone(UTC).astimezone(zone))


def _exists(reading: datetime) -> bool:
    return reading.astimezone(UTC).astimezone(reading.tzinfo).replace(tzinfo=None) == reading.replace(tzinfo=None)
